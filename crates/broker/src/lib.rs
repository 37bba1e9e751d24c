//! The pure broker: routing, scheduling and the life of tasks, without I/O.
