//! What is up: engines, hosts, the cluster.

use crate::{EngineId, HostId};
use serde::{Deserialize, Serialize};

/// What an engine says of itself when it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// `CPython` or `RustPython`.
    pub implementation: String,
    /// Python's version, as `3.11.7`.
    pub version: String,
    /// The interpreter's path.
    pub executable: String,
    /// Process id on its machine.
    pub pid: u32,
    /// Versions of key packages that are installed (`numpy`, `pandas`, …), sorted by name.
    pub packages: Vec<(String, String)>,
}

/// What a host says of itself in its hello.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// The machine's name, for `host:NAME` and for people.
    pub name: String,
    /// The host daemon's process id.
    pub pid: u32,
    /// How many engines it offers.
    pub engines: u32,
    /// Labels its engines carry (`gpu`, …).
    pub labels: Vec<String>,
}

/// Where an engine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineState {
    /// Its process is being started (for the first time or again).
    Starting,
    /// Ready, nothing to do.
    Idle,
    /// Working on a task.
    Busy,
    /// Gone, and its host does not start it again.
    Dead,
}

/// One engine, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its id.
    pub engine: EngineId,
    /// Its host.
    pub host: HostId,
    /// Its host's name.
    pub host_name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its state.
    pub state: EngineState,
    /// Tasks waiting behind the one that runs.
    pub queued: u32,
    /// How long the running task has been with it, in milliseconds.
    pub busy_ms: Option<u64>,
    /// Tasks it has finished since it was last started.
    pub finished: u64,
    /// Times it was restarted.
    pub restarts: u32,
    /// What it is; empty while it starts for the first time.
    pub info: EngineInfo,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Its id.
    pub host: HostId,
    /// What it said of itself.
    pub info: HostInfo,
}

/// The whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The cluster's name.
    pub cluster: String,
    /// The controller's version of Antiphon.
    pub version: String,
    /// The controller's process id.
    pub pid: u32,
    /// How long the controller has been up, in milliseconds.
    pub uptime_ms: u64,
    /// Hosts, by id.
    pub hosts: Vec<HostStatus>,
    /// Engines, by id.
    pub engines: Vec<EngineStatus>,
    /// Clients connected, the one that asks included.
    pub clients: u32,
    /// Requests not finished.
    pub requests: u32,
}
