//! Connecting and accepting.

use crate::{
    Address, Receiver, Sender,
    hello::{self, ConnectError},
    socket::Socket,
};
use antiphon_protocol::hello::{Hello, Reply};
use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use tokio::net::{UnixListener, UnixStream};

/// A connection to a controller that accepted us.
#[derive(Debug)]
pub struct Connected<Out, In> {
    /// The controller's answer to the hello.
    pub reply: Reply,
    /// Our half.
    pub sender: Sender<Out>,
    /// Its half.
    pub receiver: Receiver<In>,
}

/// Connects and says hello. A refusal is an error with the controller's words.
pub async fn connect<Out, In>(address: &Address, hello: &Hello) -> Result<Connected<Out, In>, ConnectError>
where
    Out: Serialize,
    In: DeserializeOwned,
{
    let Address::Unix(path) = address;
    let failed = |source| ConnectError::Connect { address: address.to_string(), source };
    let socket = Arc::new(Socket::new(UnixStream::connect(path).await.map_err(failed)?));
    hello::say(&socket, hello).await?;
    let mut buffer = BytesMut::new();
    let reply = hello::hear(&socket, &mut buffer).await?;
    if let Reply::Refused { reason } = reply {
        return Err(ConnectError::Refused(reason));
    }
    Ok(Connected { reply, sender: Sender::start(socket.clone()), receiver: Receiver::new(socket, buffer) })
}

/// Where a controller hears of new peers. The socket's file is removed on drop.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    address: Address,
}

impl Listener {
    /// Listens; a socket file that nobody listens on any more is replaced.
    pub fn bind(address: &Address) -> io::Result<Listener> {
        let Address::Unix(path) = address;
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Listener { listener, address: address.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next peer, before its hello.
    pub async fn accept(&self) -> io::Result<Incoming> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Incoming { socket: Arc::new(Socket::new(stream)) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Address::Unix(path) = &self.address;
        let _ = fs::remove_file(path);
    }
}

fn is_stale(path: &Path) -> bool {
    matches!(std::os::unix::net::UnixStream::connect(path),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A peer that has not said hello.
#[derive(Debug)]
pub struct Incoming {
    socket: Arc<Socket>,
}

impl Incoming {
    /// Hears its hello, within a deadline. On an error the peer is told in words, where it can understand them.
    pub async fn hello(self) -> Result<(Hello, Pending), ConnectError> {
        let mut buffer = BytesMut::new();
        match hello::hear(&self.socket, &mut buffer).await {
            Ok(hello) => Ok((hello, Pending { socket: self.socket, buffer })),
            Err(error) => {
                let refused = Reply::Refused { reason: error.to_string() };
                let _ = hello::say(&self.socket, &refused).await;
                Err(error)
            }
        }
    }
}

/// A peer that said hello and waits for the answer.
#[derive(Debug)]
pub struct Pending {
    socket: Arc<Socket>,
    buffer: BytesMut,
}

impl Pending {
    /// Lets it in.
    pub async fn accept<Out, In>(self, reply: Reply) -> Result<(Sender<Out>, Receiver<In>), ConnectError>
    where
        Out: Serialize,
        In: DeserializeOwned,
    {
        hello::say(&self.socket, &reply).await?;
        Ok((Sender::start(self.socket.clone()), Receiver::new(self.socket, self.buffer)))
    }

    /// Refuses it, in words for a person.
    pub async fn refuse(self, reason: String) -> Result<(), ConnectError> {
        hello::say(&self.socket, &Reply::Refused { reason }).await
    }
}
