//! Limits of the broker's queues. What is over one is refused in words and changes nothing.

use antiphon_protocol::limits::{MAX_MESSAGE_BYTES, STREAM_WINDOW_BYTES};

/// Tasks under way to one engine: one runs, the next waits beside it, so that the engine never idles for a round trip.
pub const TASKS_AHEAD: usize = 2;

/// Tasks waiting for one engine. Deep enough for a program that submits a long loop without looking back; a person who
/// has this many statements queued on one engine has made a mistake.
pub const MAX_TASKS_QUEUED_PER_ENGINE: usize = 16 << 10;

/// Farmed tasks waiting for whichever engine is free: a parameter sweep fits; each is about a hundred bytes here.
pub const MAX_TASKS_FARMED: usize = 256 << 10;

/// Requests one client may have unfinished, so that one client cannot fill the controller's memory for all.
pub const MAX_REQUESTS_PER_CLIENT: usize = 64 << 10;

/// User data held for one client's unfinished requests: two messages of the largest size.
pub const MAX_BYTES_PER_CLIENT: u64 = 2 * MAX_MESSAGE_BYTES;

/// User data held for all unfinished requests together, those of clients that have left too: beyond this even a large
/// machine would rather refuse than swap.
pub const MAX_BYTES_HELD: u64 = 8 * MAX_MESSAGE_BYTES;

/// Unacknowledged output of one engine beyond which its host is taken to ignore the window. Wider than the window,
/// because the last piece may cross its edge and a restarted engine may start with a full one.
pub const STREAM_OVERRUN_BYTES: u64 = 4 * STREAM_WINDOW_BYTES;

/// Engines in one cluster: beyond this, ids and lists of them are surely wrong.
pub const MAX_ENGINES: usize = 64 << 10;
