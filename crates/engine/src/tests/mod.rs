//! The host against a fake controller in memory.
