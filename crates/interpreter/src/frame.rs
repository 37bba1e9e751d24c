//! The bridge's frame: a 16-byte header, the lengths of the segments, the segments. Pure: no socket is read here.
//!
//! [`FrameReader`] is fed by whoever owns the socket: it says where the next bytes go ([`FrameReader::spare`]) and makes
//! frames of them. Limits are checked before anything is allocated for what the other side claims.

use bytes::{BufMut, Bytes, BytesMut, buf::Limit};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 16;

/// Most segments in a frame, on both sides of the bridge.
pub const MAX_SEGMENTS: usize = 4096;

/// Longest frame, on both sides of the bridge.
pub const MAX_FRAME_BYTES: u64 = 16 << 30;

/// Read at once from a socket: several small frames, or the start of a large one.
const READ_BYTES: usize = 64 << 10;

/// Segments up to this size are copied into one buffer with their header, so that a small frame is one piece.
const JOIN_BYTES: usize = 16 << 10;

/// First allocation for a segment; a longer one grows as its bytes really arrive.
const FIRST_ALLOCATION_BYTES: usize = 64 << 20;

/// Pieces handed to one gathering write; the kernel takes 1024.
const MAX_SLICES: usize = 64;

/// What a frame is; see ARCHITECTURE.md for each.
pub mod kind {
    #![allow(missing_docs, reason = "the table in ARCHITECTURE.md says what each means")]
    pub const EXECUTE: u8 = 1;
    pub const CALL: u8 = 2;
    pub const PUT: u8 = 3;
    pub const GET: u8 = 4;
    pub const RESET: u8 = 5;
    pub const BIND: u8 = 6;
    pub const COMPLETE: u8 = 16;
    pub const INSPECT: u8 = 17;
    pub const CHECK: u8 = 18;
    pub const INTERRUPT: u8 = 19;
    pub const WHO: u8 = 20;
    pub const FORK: u8 = 32;
    pub const FORKED: u8 = 33;
    pub const EXITED: u8 = 34;
    pub const KILL: u8 = 35;
    pub const READY: u8 = 64;
    pub const RESULT: u8 = 65;
    pub const STREAM: u8 = 66;
    pub const ANSWER: u8 = 80;
}

/// The other side broke the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Too many segments.
    #[error("a frame claims {claimed} segments; the limit is {MAX_SEGMENTS}")]
    TooManySegments {
        /// What was claimed.
        claimed: usize,
    },
    /// Too long.
    #[error("a frame of kind {kind} claims {claimed} bytes; the limit is {limit}")]
    TooLong {
        /// The frame's kind.
        kind: u8,
        /// What was claimed.
        claimed: u64,
        /// What is allowed.
        limit: u64,
    },
}

/// A frame's fixed part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What it is ([`kind`]).
    pub kind: u8,
    /// By kind.
    pub flags: u8,
    /// By kind.
    pub extra: u32,
    /// The task, query or engine it speaks of.
    pub id: u64,
}

impl Header {
    fn decode(bytes: &[u8; HEADER_BYTES]) -> (Header, usize) {
        let [kind, flags, s0, s1, e0, e1, e2, e3, id @ ..] = *bytes;
        let extra = u32::from_le_bytes([e0, e1, e2, e3]);
        (Header { kind, flags, extra, id: u64::from_le_bytes(id) }, u16::from_le_bytes([s0, s1]) as usize)
    }

    fn encode(self, segments: &[Bytes], out: &mut BytesMut) {
        out.put_u8(self.kind);
        out.put_u8(self.flags);
        out.put_u16_le(segments.len() as u16);
        out.put_u32_le(self.extra);
        out.put_u64_le(self.id);
        for segment in segments {
            out.put_u64_le(segment.len() as u64);
        }
    }
}

/// A whole frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its fixed part.
    pub header: Header,
    /// User data.
    pub segments: Vec<Bytes>,
}

/// What a [`FrameReader`] made of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A frame.
    Frame(Frame),
    /// A RESULT over the reader's limit: its bytes were passed over, not kept.
    Oversized {
        /// Its fixed part.
        header: Header,
        /// Bytes of its segments.
        bytes: u64,
    },
}

/// Bytes to frames.
#[derive(Debug)]
pub struct FrameReader {
    /// What was read and not used yet; empty while a segment is read straight into its own buffer.
    buffer: BytesMut,
    partial: Option<Partial>,
    /// Longest RESULT that is kept.
    limit: u64,
}

/// A frame whose header is known and whose segments are not all there.
#[derive(Debug)]
struct Partial {
    header: Header,
    /// Lengths of the segments not begun yet.
    lengths: VecDeque<usize>,
    segments: Vec<Bytes>,
    current: Option<(BytesMut, usize)>,
    /// Bytes to pass over, and how many the frame has in all.
    skip: Option<(u64, u64)>,
}

impl FrameReader {
    /// A reader that keeps RESULTs of up to `limit` bytes.
    pub fn new(limit: u64) -> FrameReader {
        FrameReader { buffer: BytesMut::new(), partial: None, limit }
    }

    /// Where the next bytes read go.
    pub fn spare(&mut self) -> Limit<&mut BytesMut> {
        if let Some(Partial { current: Some((segment, length)), .. }) = &mut self.partial {
            let missing = *length - segment.len();
            if missing >= READ_BYTES && self.buffer.is_empty() {
                return segment.limit(missing.min(FIRST_ALLOCATION_BYTES));
            }
        }
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 2 {
            self.buffer.reserve(READ_BYTES);
        }
        let spare = self.buffer.capacity() - self.buffer.len();
        (&mut self.buffer).limit(spare)
    }

    /// The next frame, if its bytes are all there.
    pub fn next_frame(&mut self) -> Result<Option<Incoming>, FrameError> {
        if self.partial.is_none() {
            self.partial = self.begin()?;
        }
        let Some(partial) = &mut self.partial else { return Ok(None) };
        if !partial.fill(&mut self.buffer) {
            return Ok(None);
        }
        Ok(self.partial.take().map(Partial::finish))
    }

    /// Reads header and lengths, if they are there.
    fn begin(&mut self) -> Result<Option<Partial>, FrameError> {
        let Some(fixed) = self.buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let (header, count) = Header::decode(fixed);
        if count > MAX_SEGMENTS {
            return Err(FrameError::TooManySegments { claimed: count });
        }
        let head = HEADER_BYTES + 8 * count;
        if self.buffer.len() < head {
            return Ok(None);
        }
        let mut total = 0u64;
        let mut lengths = VecDeque::with_capacity(count);
        for entry in self.buffer[HEADER_BYTES..head].chunks_exact(8) {
            let mut length = [0; 8];
            length.copy_from_slice(entry);
            let length = u64::from_le_bytes(length);
            total = total.saturating_add(length);
            if total > MAX_FRAME_BYTES {
                return Err(FrameError::TooLong {
                    kind: header.kind,
                    claimed: total,
                    limit: MAX_FRAME_BYTES,
                });
            }
            lengths.push_back(length as usize);
        }
        if total > self.limit && header.kind != kind::RESULT {
            return Err(FrameError::TooLong { kind: header.kind, claimed: total, limit: self.limit });
        }
        let _ = self.buffer.split_to(head);
        let skip = (total > self.limit).then_some((total, total));
        Ok(Some(Partial { header, lengths, segments: Vec::with_capacity(count), current: None, skip }))
    }
}

impl Partial {
    /// Takes what it can from the buffer; true when the frame is whole.
    fn fill(&mut self, buffer: &mut BytesMut) -> bool {
        if let Some((missing, _)) = &mut self.skip {
            let here = (*missing).min(buffer.len() as u64);
            let _ = buffer.split_to(here as usize);
            *missing -= here;
            return *missing == 0;
        }
        loop {
            let (mut segment, length) = match self.current.take() {
                Some(current) => current,
                None => match self.lengths.pop_front() {
                    None => return true,
                    Some(length) => (BytesMut::with_capacity(length.min(FIRST_ALLOCATION_BYTES)), length),
                },
            };
            let here = (length - segment.len()).min(buffer.len());
            segment.extend_from_slice(&buffer[..here]);
            let _ = buffer.split_to(here);
            if segment.len() < length {
                self.current = Some((segment, length));
                return false;
            }
            self.segments.push(segment.freeze());
        }
    }

    fn finish(self) -> Incoming {
        match self.skip {
            Some((_, bytes)) => Incoming::Oversized { header: self.header, bytes },
            None => Incoming::Frame(Frame { header: self.header, segments: self.segments }),
        }
    }
}

/// Frames to pieces that wait for a socket. Unbounded by itself: its owner bounds what it pushes.
#[derive(Debug, Default)]
pub struct FrameQueue {
    pieces: VecDeque<Bytes>,
}

impl FrameQueue {
    /// Appends a frame. Small segments are joined with the header, large ones are neither copied nor joined.
    pub fn push(&mut self, header: Header, segments: &[Bytes]) -> Result<(), FrameError> {
        if segments.len() > MAX_SEGMENTS {
            return Err(FrameError::TooManySegments { claimed: segments.len() });
        }
        let total: u64 = segments.iter().map(|segment| segment.len() as u64).sum();
        if total > MAX_FRAME_BYTES {
            return Err(FrameError::TooLong { kind: header.kind, claimed: total, limit: MAX_FRAME_BYTES });
        }
        let small: usize = segments.iter().map(Bytes::len).filter(|length| *length <= JOIN_BYTES).sum();
        let mut joined = BytesMut::with_capacity(HEADER_BYTES + 8 * segments.len() + small);
        header.encode(segments, &mut joined);
        for segment in segments {
            if segment.len() <= JOIN_BYTES {
                joined.extend_from_slice(segment);
            } else {
                self.push_piece(joined.split().freeze());
                self.pieces.push_back(segment.clone());
            }
        }
        self.push_piece(joined.freeze());
        Ok(())
    }

    fn push_piece(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// Appends bytes that are no frame: what BOOT reads first.
    pub(crate) fn push_raw(&mut self, bytes: Bytes) {
        self.push_piece(bytes);
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// What waits first, for one gathering write.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        self.pieces.iter().take(MAX_SLICES).map(|piece| IoSlice::new(piece)).collect()
    }

    /// So many bytes were written.
    pub fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                let _ = piece.split_to(written);
                return;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
