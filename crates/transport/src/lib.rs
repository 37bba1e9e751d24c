//! Framed, prioritised connections between Antiphon's processes.
