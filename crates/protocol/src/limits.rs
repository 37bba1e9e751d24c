//! Limits of the wire. Each is checked before memory is allocated for what a peer claims.

/// Longest encoded header of a message. Headers carry ids, targets and short strings; the largest is the status of a
/// cluster of thousands of engines.
pub const MAX_HEADER_BYTES: usize = 4 << 20;

/// Most segments in one message: a value's out-of-band buffers; more are merged by the sender.
pub const MAX_SEGMENTS: usize = 4096;

/// Longest message, header and segments together. Whatever is larger has to be moved in parts; the sender says so.
pub const MAX_MESSAGE_BYTES: u64 = 2 << 30;

/// Longest packet of the framing: a message is cut into packets of this size, between which urgent messages go.
/// 256 KiB take a fraction of a millisecond on one machine and about 2 ms on gigabit Ethernet.
pub const MAX_PACKET_BYTES: usize = 256 << 10;

/// Longest hello or answer to it.
pub const MAX_HELLO_BYTES: usize = 16 << 10;

/// Unacknowledged output one engine may have under way to its client before the host stops reading from it. Deep
/// enough to keep a pipe busy, small enough that an interrupted flood ends at once on the screen.
pub const STREAM_WINDOW_BYTES: u64 = 512 << 10;

/// Most engines one host may offer: enough for the largest machine, small enough that a wrong number is caught.
pub const MAX_ENGINES_PER_HOST: u32 = 4096;
