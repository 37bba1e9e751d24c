//! Parts of a seeded simulation. They know the protocol and nothing of who is tested.

mod client;
mod host;
mod link;
mod rng;

pub use client::FakeClient;
pub use host::{FakeHost, Start};
pub use link::{Link, host_lane};
pub use rng::Rng;

use antiphon_protocol::{ClientId, RequestId};
use bytes::Bytes;

/// Marks a request's data with whose it is, so that a host can be asked later what it ran.
pub fn mark(client: ClientId, request: RequestId) -> Vec<Bytes> {
    vec![Bytes::from(format!("{client} {request}"))]
}

/// Reads [`mark`].
pub fn marked(segments: &[Bytes]) -> Option<(ClientId, RequestId)> {
    let text = std::str::from_utf8(segments.first()?).ok()?;
    let (client, request) = text.split_once(' ')?;
    Some((ClientId(client.parse().ok()?), RequestId(request.parse().ok()?)))
}
