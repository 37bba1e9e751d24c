//! A Python interpreter as Rust sees it: found, started, spoken to over the bridge.
