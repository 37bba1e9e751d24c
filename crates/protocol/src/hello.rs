//! The hello: the first bytes on a connection, before any message.
//!
//! Magic, protocol version, length, JSON: readable by every version, so that a mismatch can be refused in words. The
//! one who connects says [`Hello`]; the controller answers [`Reply`].

use crate::{ClientId, HostInfo, limits::MAX_HELLO_BYTES};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The first eight bytes of every connection, in both directions.
pub const MAGIC: [u8; 8] = *b"ANTIPHON";

/// Version of the protocol: raised with every change of a message.
pub const PROTOCOL_VERSION: u16 = 1;

/// Bytes before the JSON: magic, version `u16`, length `u16` (little-endian).
pub const PREFIX_BYTES: usize = 12;

/// Who connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster's secret, from the connection file.
    pub token: String,
    /// What the peer is.
    pub role: Role,
    /// Antiphon's version, for messages to people.
    pub release: String,
}

/// What a peer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A shell, a command, a program: its name, for people.
    Client {
        /// For people: `shell`, `exec`, ….
        name: String,
    },
    /// A host with its engines.
    Host(HostInfo),
}

/// The controller's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Welcome.
    Accepted {
        /// The cluster's name.
        cluster: String,
        /// A client's id; hosts get theirs in their first message.
        client: Option<ClientId>,
    },
    /// No: why, and what to do, in words for a person.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Why a hello was not understood.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// Not Antiphon.
    #[error("the peer does not speak Antiphon's protocol (its first bytes are {0:02x?})")]
    NotAntiphon([u8; 8]),
    /// Another version.
    #[error(
        "the peer speaks version {theirs} of the protocol, this program version {PROTOCOL_VERSION}: use the same release of antiphon on both sides"
    )]
    Version {
        /// The peer's version.
        theirs: u16,
    },
    /// Too long.
    #[error("a hello of {claimed} bytes is over the limit of {MAX_HELLO_BYTES}")]
    TooLong {
        /// What was claimed.
        claimed: usize,
    },
    /// Not the JSON that was expected.
    #[error("the hello cannot be decoded: {0}")]
    Malformed(String),
}

/// Encodes a hello or a reply.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, HelloError> {
    let json = serde_json::to_vec(value).map_err(|error| HelloError::Malformed(error.to_string()))?;
    if json.len() > MAX_HELLO_BYTES {
        return Err(HelloError::TooLong { claimed: json.len() });
    }
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + json.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&PROTOCOL_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(json.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// Checks the first [`PREFIX_BYTES`] and returns how many bytes of JSON follow.
pub fn check_prefix(prefix: [u8; PREFIX_BYTES]) -> Result<usize, HelloError> {
    let mut magic = [0; 8];
    magic.copy_from_slice(&prefix[..8]);
    if magic != MAGIC {
        return Err(HelloError::NotAntiphon(magic));
    }
    let theirs = u16::from_le_bytes([prefix[8], prefix[9]]);
    if theirs != PROTOCOL_VERSION {
        return Err(HelloError::Version { theirs });
    }
    let claimed = u16::from_le_bytes([prefix[10], prefix[11]]) as usize;
    if claimed > MAX_HELLO_BYTES {
        return Err(HelloError::TooLong { claimed });
    }
    Ok(claimed)
}

/// Decodes the JSON of a hello or a reply.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, HelloError> {
    serde_json::from_slice(json).map_err(|error| HelloError::Malformed(error.to_string()))
}
