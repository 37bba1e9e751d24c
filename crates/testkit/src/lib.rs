//! Test support: fake peers, seeded simulation, process harness.
