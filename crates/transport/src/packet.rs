//! Packets: the pieces a message is cut into, so that urgent messages can go between them.
//!
//! Eight bytes: payload length `u32` (little-endian), lane `u8`, flags `u8` (1 first, 2 last packet of its message),
//! two zero bytes; then the payload.

use antiphon_protocol::{Lane, limits::MAX_PACKET_BYTES};

pub(crate) const HEAD_BYTES: usize = 8;
const FIRST: u8 = 1;
const LAST: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketHead {
    pub(crate) length: usize,
    pub(crate) lane: Lane,
    pub(crate) first: bool,
    pub(crate) last: bool,
}

impl PacketHead {
    pub(crate) fn encode(self) -> [u8; HEAD_BYTES] {
        let [a, b, c, d] = (self.length as u32).to_le_bytes();
        let lane = match self.lane {
            Lane::Urgent => 0,
            Lane::Ordinary => 1,
        };
        let flags = if self.first { FIRST } else { 0 } | if self.last { LAST } else { 0 };
        [a, b, c, d, lane, flags, 0, 0]
    }

    /// Reads a head; the error says what is wrong with it.
    pub(crate) fn decode(bytes: [u8; HEAD_BYTES]) -> Result<PacketHead, String> {
        let [a, b, c, d, lane, flags, zero, nought] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_PACKET_BYTES {
            return Err(format!("it claims {length} bytes; the limit is {MAX_PACKET_BYTES}"));
        }
        let lane = match lane {
            0 => Lane::Urgent,
            1 => Lane::Ordinary,
            other => return Err(format!("there is no lane {other}")),
        };
        if flags & !(FIRST | LAST) != 0 || zero != 0 || nought != 0 {
            return Err("reserved bits are set".into());
        }
        Ok(PacketHead { length, lane, first: flags & FIRST != 0, last: flags & LAST != 0 })
    }
}
