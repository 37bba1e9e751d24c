//! The sending half: two bounded queues in front of one socket.
//!
//! A send writes to the socket at once when nothing waits before it, so that a small message costs one system call and
//! no change of task. What the socket does not take stays queued for the connection's writer task.

use crate::{
    packet::{HEAD_BYTES, PacketHead},
    socket::Socket,
};
use antiphon_protocol::{Lane, Message, codec, codec::CodecError, limits::MAX_PACKET_BYTES};
use bytes::{Buf, Bytes, BytesMut};
use serde::Serialize;
use std::{
    collections::VecDeque,
    io,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Bytes queued before [`Sender::send`] waits: enough to keep the socket busy while the sender is elsewhere.
const SOFT_LIMIT_BYTES: usize = 8 << 20;

/// Bytes queued before [`Sender::try_send`] gives the peer up as one that does not read.
const HARD_LIMIT_BYTES: usize = 4 << 30;

/// Most slices in one write: the kernel's own limit is 1024.
const MAX_SLICES: usize = 64;

/// Small packets are gathered into one write up to about this size.
const GATHER_BYTES: usize = 64 << 10;

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
    /// The peer does not read.
    #[error("the peer has not read {queued} bytes that wait for it; the limit is {HARD_LIMIT_BYTES}")]
    Full {
        /// Bytes that wait.
        queued: usize,
    },
    /// The message is over a limit.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Sends messages of one type; clones share the connection. When the last clone is dropped, what is queued is still
/// sent and the connection's half is closed.
pub struct Sender<T> {
    handle: Arc<Handle>,
    message: PhantomData<fn(T)>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { handle: self.handle.clone(), message: PhantomData }
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("queued_bytes", &self.queued_bytes()).finish()
    }
}

impl<T: Serialize> Sender<T> {
    /// Queues a message; an ordinary one waits while the queue is over its bound.
    pub async fn send(&self, lane: Lane, message: impl Into<Message<T>>) -> Result<(), SendError> {
        let message = message.into();
        if lane == Lane::Ordinary {
            self.room().await?;
        }
        self.try_send(lane, message)
    }

    /// Queues a message without waiting; fails only if the peer has not read for a very long time.
    pub fn try_send(&self, lane: Lane, message: impl Into<Message<T>>) -> Result<(), SendError> {
        let Message { header, segments } = message.into();
        let head = codec::encode_head(&header, &segments)?;
        self.handle.shared.push(lane, Outgoing::new(head, segments))
    }
}

impl<T> Sender<T> {
    /// Starts the writer task of a connection.
    pub(crate) fn start(socket: Arc<Socket>) -> Sender<T> {
        let shared = Arc::new(Shared {
            socket,
            state: Mutex::new(State::default()),
            work: Notify::new(),
            room: Notify::new(),
            ended: Notify::new(),
        });
        tokio::spawn(write_out(shared.clone()));
        Sender { handle: Arc::new(Handle { shared }), message: PhantomData }
    }

    /// Waits until the queue has room (or the connection ended, which is an error).
    pub async fn room(&self) -> Result<(), SendError> {
        let shared = &self.handle.shared;
        loop {
            let notified = shared.room.notified();
            {
                let state = shared.lock();
                if state.ended {
                    return Err(SendError::Closed);
                }
                if state.queued < SOFT_LIMIT_BYTES {
                    return Ok(());
                }
            }
            notified.await;
        }
    }

    /// Bytes that wait for the socket.
    pub fn queued_bytes(&self) -> usize {
        self.handle.shared.lock().queued
    }

    /// Sends what is queued and closes this half. Further sends fail.
    pub fn close(&self) {
        self.handle.shared.close();
    }

    /// Ends both halves now; what is queued is thrown away.
    pub fn abort(&self) {
        self.handle.shared.end();
        self.handle.shared.socket.abort();
    }

    /// Resolves when the sending half has ended, everything queued having been written or the peer being gone.
    pub async fn ended(&self) {
        let shared = &self.handle.shared;
        loop {
            let notified = shared.ended.notified();
            if shared.lock().ended {
                return;
            }
            notified.await;
        }
    }
}

/// Its drop is the drop of the last sender.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

struct Shared {
    socket: Arc<Socket>,
    state: Mutex<State>,
    work: Notify,
    room: Notify,
    ended: Notify,
}

#[derive(Default)]
struct State {
    urgent: VecDeque<Outgoing>,
    ordinary: VecDeque<Outgoing>,
    /// Slices of packets that are being written: always written to the end before another packet is chosen.
    writing: VecDeque<Bytes>,
    queued: usize,
    /// The socket took no more: the writer task goes on.
    blocked: bool,
    closing: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lane: Lane, outgoing: Outgoing) -> Result<(), SendError> {
        let mut state = self.lock();
        if state.ended || state.closing {
            return Err(SendError::Closed);
        }
        if state.queued > HARD_LIMIT_BYTES {
            return Err(SendError::Full { queued: state.queued });
        }
        state.queued += outgoing.left;
        match lane {
            Lane::Urgent => state.urgent.push_back(outgoing),
            Lane::Ordinary => state.ordinary.push_back(outgoing),
        }
        if !state.blocked {
            match state.pump(&self.socket) {
                Ok(true) => {}
                Ok(false) => self.work.notify_one(),
                Err(_) => {
                    drop(state);
                    self.end();
                    return Err(SendError::Closed);
                }
            }
        }
        Ok(())
    }

    fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.urgent.clear();
        state.ordinary.clear();
        state.writing.clear();
        state.queued = 0;
        drop(state);
        self.work.notify_one();
        self.room.notify_waiters();
        self.ended.notify_waiters();
    }
}

impl State {
    /// Writes until nothing is left (`true`) or the socket takes no more (`false`).
    fn pump(&mut self, socket: &Socket) -> io::Result<bool> {
        loop {
            self.choose();
            if self.writing.is_empty() {
                self.blocked = false;
                return Ok(true);
            }
            let mut slices = [io::IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slot, bytes) in slices.iter_mut().zip(&self.writing) {
                *slot = io::IoSlice::new(bytes);
                count += 1;
            }
            match socket.try_write(&slices[..count]) {
                Ok(written) => self.written(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn written(&mut self, mut written: usize) {
        while written > 0 {
            let Some(front) = self.writing.front_mut() else { return };
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.writing.pop_front();
        }
    }

    /// Puts the next packets into `writing` if it is empty: urgent ones first.
    fn choose(&mut self) {
        if !self.writing.is_empty() {
            return;
        }
        let mut gathered = 0;
        while gathered < GATHER_BYTES && self.writing.len() < MAX_SLICES {
            let (lane, queue) = if self.urgent.is_empty() {
                (Lane::Ordinary, &mut self.ordinary)
            } else {
                (Lane::Urgent, &mut self.urgent)
            };
            let Some(outgoing) = queue.front_mut() else { return };
            let taken = outgoing.cut(lane, &mut self.writing);
            if outgoing.left == 0 {
                queue.pop_front();
            }
            self.queued -= taken;
            gathered += taken + HEAD_BYTES;
        }
    }
}

/// A message on its way out: what is left of it.
struct Outgoing {
    parts: VecDeque<Bytes>,
    left: usize,
    started: bool,
}

impl Outgoing {
    fn new(head: BytesMut, segments: Vec<Bytes>) -> Outgoing {
        let mut parts = VecDeque::with_capacity(1 + segments.len());
        parts.push_back(head.freeze());
        parts.extend(segments.into_iter().filter(|segment| !segment.is_empty()));
        let left = parts.iter().map(Bytes::len).sum();
        Outgoing { parts, left, started: false }
    }

    /// Cuts the next packet off and returns its payload's length.
    fn cut(&mut self, lane: Lane, into: &mut VecDeque<Bytes>) -> usize {
        let length = self.left.min(MAX_PACKET_BYTES);
        let head = PacketHead { length, lane, first: !self.started, last: length == self.left };
        into.push_back(Bytes::copy_from_slice(&head.encode()));
        let mut missing = length;
        while missing > 0 {
            let Some(front) = self.parts.front_mut() else { break };
            let slice = front.split_to(missing.min(front.len()));
            missing -= slice.len();
            into.push_back(slice);
            if front.is_empty() {
                self.parts.pop_front();
            }
        }
        self.started = true;
        self.left -= length;
        length
    }
}

/// The writer task: goes on where a send met a full socket, and closes the half at the end.
async fn write_out(shared: Arc<Shared>) {
    loop {
        let (blocked, closing) = {
            let state = shared.lock();
            if state.ended {
                return;
            }
            (state.blocked, state.closing)
        };
        if blocked {
            if shared.socket.writable().await.is_err() {
                return shared.end();
            }
            let pumped = shared.lock().pump(&shared.socket);
            if pumped.is_err() {
                return shared.end();
            }
            if shared.lock().queued < SOFT_LIMIT_BYTES {
                shared.room.notify_waiters();
            }
        } else if closing {
            shared.socket.finish();
            return shared.end();
        } else {
            shared.work.notified().await;
        }
    }
}
