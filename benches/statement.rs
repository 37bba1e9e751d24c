//! Statement latency.
fn main() {}
