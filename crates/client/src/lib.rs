//! The client library and the shell on top of it.
