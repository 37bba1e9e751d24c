//! Encoding of message headers, and the prelude that announces a message's parts.
//!
//! The only module that may name bincode. Every decode has a limit: the prelude is checked against [`crate::limits`]
//! before anything is allocated, and a header is decoded from a slice of known, limited length.
//!
//! A message on the wire is: header length `u32`, number of segments `u32`, one `u64` length per segment (all
//! little-endian), the header, the segments.

use crate::limits::{MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_SEGMENTS};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of the prelude before the table of segment lengths.
pub const PRELUDE_BYTES: usize = 8;

/// Why bytes were not understood or a message not encoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A header over the limit.
    #[error("a message claims a header of {claimed} bytes; the limit is {MAX_HEADER_BYTES}")]
    HeaderTooLong {
        /// What was claimed.
        claimed: u64,
    },
    /// Too many segments.
    #[error("a message claims {claimed} segments; the limit is {MAX_SEGMENTS}")]
    TooManySegments {
        /// What was claimed.
        claimed: u64,
    },
    /// A message over the limit.
    #[error("a message claims {claimed} bytes; the limit is {MAX_MESSAGE_BYTES}")]
    MessageTooLong {
        /// What was claimed.
        claimed: u64,
    },
    /// A header that is not a message of the expected direction.
    #[error("a message's header cannot be decoded: {0}")]
    Malformed(String),
    /// A header that cannot be encoded.
    #[error("a message's header cannot be encoded: {0}")]
    Unencodable(String),
}

/// Lengths of a message's parts, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// Bytes of the header.
    pub header: usize,
    /// Bytes of each segment.
    pub segments: Vec<usize>,
}

impl Prelude {
    /// Reads the first [`PRELUDE_BYTES`]: the header's length and how many segments follow.
    pub fn start(bytes: [u8; PRELUDE_BYTES]) -> Result<(usize, usize), CodecError> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let segments = u32::from_le_bytes([e, f, g, h]) as usize;
        if header > MAX_HEADER_BYTES {
            return Err(CodecError::HeaderTooLong { claimed: header as u64 });
        }
        if segments > MAX_SEGMENTS {
            return Err(CodecError::TooManySegments { claimed: segments as u64 });
        }
        Ok((header, segments))
    }

    /// Reads the table of segment lengths.
    pub fn finish(header: usize, table: &[u8]) -> Result<Prelude, CodecError> {
        let mut total = header as u64;
        let mut segments = Vec::with_capacity(table.len() / 8);
        for entry in table.chunks_exact(8) {
            let mut length = [0; 8];
            length.copy_from_slice(entry);
            let length = u64::from_le_bytes(length);
            total = total.saturating_add(length);
            if total > MAX_MESSAGE_BYTES {
                return Err(CodecError::MessageTooLong { claimed: total });
            }
            segments.push(length as usize);
        }
        Ok(Prelude { header, segments })
    }

    /// Bytes of header and segments.
    pub fn body_bytes(&self) -> usize {
        self.header + self.segments.iter().sum::<usize>()
    }
}

/// Encodes prelude and header of a message; the segments are to follow as they are.
pub fn encode_head<H: Serialize>(header: &H, segments: &[Bytes]) -> Result<BytesMut, CodecError> {
    let total: u64 = segments.iter().map(|segment| segment.len() as u64).sum();
    if total > MAX_MESSAGE_BYTES {
        return Err(CodecError::MessageTooLong { claimed: total });
    }
    if segments.len() > MAX_SEGMENTS {
        return Err(CodecError::TooManySegments { claimed: segments.len() as u64 });
    }
    let table_end = PRELUDE_BYTES + 8 * segments.len();
    let mut head = BytesMut::with_capacity(table_end + 128);
    head.put_u32_le(0);
    head.put_u32_le(segments.len() as u32);
    for segment in segments {
        head.put_u64_le(segment.len() as u64);
    }
    let mut writer = head.writer();
    bincode::serde::encode_into_std_write(header, &mut writer, bincode::config::standard())
        .map_err(|error| CodecError::Unencodable(error.to_string()))?;
    let mut head = writer.into_inner();
    let length = head.len() - table_end;
    if length > MAX_HEADER_BYTES {
        return Err(CodecError::HeaderTooLong { claimed: length as u64 });
    }
    head[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(head)
}

/// Decodes a header; all of `bytes` must be used.
pub fn decode_header<H: DeserializeOwned>(bytes: &[u8]) -> Result<H, CodecError> {
    let config = bincode::config::standard().with_limit::<MAX_HEADER_BYTES>();
    let (header, used) = bincode::serde::decode_from_slice(bytes, config)
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if used != bytes.len() {
        return Err(CodecError::Malformed(format!("{} bytes are left over", bytes.len() - used)));
    }
    Ok(header)
}
