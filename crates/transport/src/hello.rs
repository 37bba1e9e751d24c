//! The hello on a socket: said and answered before the first message, within a deadline.

use crate::socket::Socket;
use antiphon_protocol::{
    hello::{self, HelloError, PREFIX_BYTES},
    limits::MAX_HELLO_BYTES,
};
use bytes::{Buf, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, time::Duration};

/// How long a peer may take for its hello or its answer: a busy machine, not a person.
pub(crate) const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("connecting to {address} failed")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The socket failed during the hello.
    #[error("the connection failed during the hello")]
    Io(#[from] io::Error),
    /// The peer was silent.
    #[error("the peer did not say hello within {} seconds", HELLO_DEADLINE.as_secs())]
    Silent,
    /// The peer left.
    #[error("the peer closed the connection during the hello")]
    Closed,
    /// The hello was not understood.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The controller refused us: its words.
    #[error("the controller refused the connection: {0}")]
    Refused(String),
}

pub(crate) async fn say<T: Serialize>(socket: &Socket, value: &T) -> Result<(), ConnectError> {
    let bytes = hello::encode(value)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match socket.try_write(&[io::IoSlice::new(rest)]) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads a hello; what came after it stays in `buffer`.
pub(crate) async fn hear<T: DeserializeOwned>(
    socket: &Socket,
    buffer: &mut BytesMut,
) -> Result<T, ConnectError> {
    let hearing = async {
        let length = loop {
            if let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() {
                break hello::check_prefix(*prefix)?;
            }
            fill(socket, buffer).await?;
        };
        while buffer.len() < PREFIX_BYTES + length {
            fill(socket, buffer).await?;
        }
        buffer.advance(PREFIX_BYTES);
        Ok(hello::decode(&buffer.split_to(length))?)
    };
    tokio::time::timeout(HELLO_DEADLINE, hearing).await.map_err(|_| ConnectError::Silent)?
}

async fn fill(socket: &Socket, buffer: &mut BytesMut) -> Result<(), ConnectError> {
    loop {
        buffer.reserve(PREFIX_BYTES + MAX_HELLO_BYTES);
        match socket.try_read(buffer) {
            Ok(0) => return Err(ConnectError::Closed),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.readable().await?,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(ConnectError::Closed),
            Err(error) => return Err(error.into()),
        }
    }
}
