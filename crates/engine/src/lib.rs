//! The host daemon: supervises the engines of one machine.
