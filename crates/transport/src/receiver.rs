//! The receiving half: packets in, whole messages out.
//!
//! A message that came in one packet is sliced out of the read buffer without a copy; the parts of a larger one are
//! read straight into buffers of their own. Nothing is allocated for more than the limits allow.

use crate::{
    packet::{HEAD_BYTES, PacketHead},
    socket::Socket,
};
use antiphon_protocol::{
    Lane, Message,
    codec::{self, CodecError, PRELUDE_BYTES, Prelude},
};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;
use std::{io, marker::PhantomData, sync::Arc};

/// Room made in the read buffer at a time.
const READ_BYTES: usize = 64 << 10;

/// First allocation for a part of a large message; a larger part grows as its bytes really arrive.
const FIRST_ALLOCATION_BYTES: usize = 64 << 20;

/// Why no further message will come.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The socket failed.
    #[error("reading from the connection failed")]
    Io(#[from] io::Error),
    /// The peer ended in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Truncated,
    /// Not a packet.
    #[error("a packet's head makes no sense: {0}")]
    Packet(String),
    /// Not a message.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Receives messages of one type. [`recv`](Receiver::recv) may be dropped while it waits; nothing is lost.
pub struct Receiver<T> {
    socket: Arc<Socket>,
    buffer: BytesMut,
    /// The packet whose payload is being read, and how much of it is still to come.
    packet: Option<(PacketHead, usize)>,
    /// Messages under way, by lane.
    urgent: Option<Assembly>,
    ordinary: Option<Assembly>,
    message: PhantomData<fn() -> T>,
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("buffered_bytes", &self.buffer.len()).finish()
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    pub(crate) fn new(socket: Arc<Socket>, buffer: BytesMut) -> Receiver<T> {
        Receiver { socket, buffer, packet: None, urgent: None, ordinary: None, message: PhantomData }
    }

    /// The next message; `None` when the peer has closed its half in good order.
    pub async fn recv(&mut self) -> Result<Option<Message<T>>, ReceiveError> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(Some(message));
            }
            if !self.fill().await? {
                let clean = self.buffer.is_empty()
                    && self.packet.is_none()
                    && self.urgent.is_none()
                    && self.ordinary.is_none();
                return if clean { Ok(None) } else { Err(ReceiveError::Truncated) };
            }
        }
    }

    /// Reads what is there, straight into a large message's part where one is under way. `false` at the end.
    async fn fill(&mut self) -> Result<bool, ReceiveError> {
        loop {
            let read = match self.packet {
                Some((head, missing)) if self.reads_directly(head.lane, missing) => {
                    let socket = self.socket.clone();
                    let Some(assembly) = self.lane(head.lane) else { return Ok(false) };
                    let read = assembly.read_from(&socket, missing);
                    if let Ok(read) = read {
                        self.packet = Some((head, missing - read));
                    }
                    read
                }
                _ => {
                    self.buffer.reserve(READ_BYTES);
                    self.socket.try_read(&mut self.buffer)
                }
            };
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.readable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A peer that was killed resets the connection: for the reader that is its end.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the rest of a packet goes straight into its message: worth it for long ones.
    fn reads_directly(&self, lane: Lane, missing: usize) -> bool {
        let assembly = match lane {
            Lane::Urgent => &self.urgent,
            Lane::Ordinary => &self.ordinary,
        };
        self.buffer.is_empty() && missing >= READ_BYTES && assembly.is_some()
    }

    fn lane(&mut self, lane: Lane) -> &mut Option<Assembly> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Ordinary => &mut self.ordinary,
        }
    }

    /// A whole message out of what has been read, if there is one.
    fn take_message(&mut self) -> Result<Option<Message<T>>, ReceiveError> {
        loop {
            let (head, missing) = match self.packet {
                Some(packet) => packet,
                None => {
                    let Some(bytes) = self.buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
                    let head = PacketHead::decode(*bytes).map_err(ReceiveError::Packet)?;
                    if head.first != self.lane(head.lane).is_none() {
                        return Err(ReceiveError::Packet("it does not continue its lane's message".into()));
                    }
                    if head.first && head.last {
                        if self.buffer.len() < HEAD_BYTES + head.length {
                            self.buffer.reserve(HEAD_BYTES + head.length - self.buffer.len());
                            return Ok(None);
                        }
                        let packet = self.buffer.split_to(HEAD_BYTES + head.length).freeze();
                        return decode_whole(&packet.slice(HEAD_BYTES..)).map(Some);
                    }
                    let _ = self.buffer.split_to(HEAD_BYTES);
                    self.packet = Some((head, head.length));
                    (head, head.length)
                }
            };
            let mut missing = missing;
            if self.lane(head.lane).is_none() {
                match Assembly::start(&self.buffer[..missing.min(self.buffer.len())], head.length)? {
                    Some((assembly, used)) => {
                        let _ = self.buffer.split_to(used);
                        missing -= used;
                        *self.lane(head.lane) = Some(assembly);
                    }
                    None => return Ok(None),
                }
            }
            let available = self.buffer.split_to(missing.min(self.buffer.len()));
            missing -= available.len();
            self.packet = Some((head, missing));
            if let Some(assembly) = self.lane(head.lane) {
                assembly.append(&available)?;
            }
            if missing > 0 {
                return Ok(None);
            }
            self.packet = None;
            if head.last
                && let Some(assembly) = self.lane(head.lane).take()
            {
                return assembly.finish().map(Some);
            }
        }
    }
}

/// Decodes a message that lies in one piece.
fn decode_whole<T: DeserializeOwned>(body: &Bytes) -> Result<Message<T>, ReceiveError> {
    let Some(start) = body.first_chunk::<PRELUDE_BYTES>() else { return Err(ReceiveError::Truncated) };
    let (header, segments) = Prelude::start(*start)?;
    let table_end = PRELUDE_BYTES + 8 * segments;
    let Some(table) = body.get(PRELUDE_BYTES..table_end) else { return Err(ReceiveError::Truncated) };
    let prelude = Prelude::finish(header, table)?;
    if table_end + prelude.body_bytes() != body.len() {
        return Err(ReceiveError::Packet("its length is not that of its message".into()));
    }
    let mut at = table_end + prelude.header;
    let header = codec::decode_header(&body[table_end..at])?;
    let mut segments = Vec::with_capacity(prelude.segments.len());
    for length in prelude.segments {
        segments.push(body.slice(at..at + length));
        at += length;
    }
    Ok(Message { header, segments })
}

/// A message that comes in several packets: its parts (header, then segments), filled one after the other.
struct Assembly {
    parts: Vec<(BytesMut, usize)>,
    filling: usize,
}

impl Assembly {
    /// Reads prelude and table from the first packet's beginning; `None` if they are not there yet.
    fn start(bytes: &[u8], packet: usize) -> Result<Option<(Assembly, usize)>, ReceiveError> {
        let too_short = |wanted: usize| packet < wanted;
        let Some(start) = bytes.first_chunk::<PRELUDE_BYTES>() else {
            return if too_short(PRELUDE_BYTES) { Err(ReceiveError::Truncated) } else { Ok(None) };
        };
        let (header, segments) = Prelude::start(*start)?;
        let table_end = PRELUDE_BYTES + 8 * segments;
        let Some(table) = bytes.get(PRELUDE_BYTES..table_end) else {
            return if too_short(table_end) { Err(ReceiveError::Truncated) } else { Ok(None) };
        };
        let prelude = Prelude::finish(header, table)?;
        let part = |length: usize| (BytesMut::with_capacity(length.min(FIRST_ALLOCATION_BYTES)), length);
        let parts = std::iter::once(prelude.header).chain(prelude.segments).map(part).collect();
        Ok(Some((Assembly { parts, filling: 0 }, table_end)))
    }

    /// Moves on to the first part that is not full.
    fn next_part(&mut self) -> Option<&mut (BytesMut, usize)> {
        while self.parts.get(self.filling).is_some_and(|(bytes, length)| bytes.len() == *length) {
            self.filling += 1;
        }
        self.parts.get_mut(self.filling)
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<(), ReceiveError> {
        while !bytes.is_empty() {
            let Some((part, length)) = self.next_part() else {
                return Err(ReceiveError::Packet("it is longer than its message".into()));
            };
            let (now, rest) = bytes.split_at(bytes.len().min(*length - part.len()));
            part.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    /// Reads from the socket into the part that is being filled, at most `most` bytes.
    fn read_from(&mut self, socket: &Socket, most: usize) -> io::Result<usize> {
        let Some((part, length)) = self.next_part() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet is longer than its message"));
        };
        let wanted = most.min(*length - part.len());
        part.reserve(wanted);
        socket.try_read_limited(part, wanted)
    }

    fn finish<T: DeserializeOwned>(mut self) -> Result<Message<T>, ReceiveError> {
        if self.next_part().is_some() {
            return Err(ReceiveError::Truncated);
        }
        let mut parts = self.parts.into_iter().map(|(bytes, _)| bytes.freeze());
        let header = codec::decode_header(&parts.next().unwrap_or_default())?;
        Ok(Message { header, segments: parts.collect() })
    }
}
