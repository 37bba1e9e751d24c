//! Newtype ids. They are never reused within the life of a controller, except [`EngineId`], which names a place: a
//! restarted engine keeps its id.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// An engine's number in its cluster: from 0, stable for the engine's life, restarts included.
    EngineId(u32)
}
id! {
    /// A host (one per machine), numbered by the controller as it joins.
    HostId(u32)
}
id! {
    /// A client, numbered by the controller as it connects.
    ClientId(u32)
}
id! {
    /// What a client asked; chosen by the client, unique within its connection.
    RequestId(u64)
}
id! {
    /// One unit of work for one engine; chosen by the broker.
    TaskId(u64)
}

impl EngineId {
    /// No engine: who answers for a farmed task that ended before an engine took it.
    pub const NONE: EngineId = EngineId(u32::MAX);
}
