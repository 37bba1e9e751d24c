//! Ids, targets, messages and codec of Antiphon's wire.
