//! The controller daemon: the broker with sockets around it.
