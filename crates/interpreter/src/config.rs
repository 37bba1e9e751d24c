//! What an interpreter is told about itself at its start.

use serde::Serialize;
use std::path::PathBuf;

/// What an interpreter is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InterpreterRole {
    /// An engine of a cluster.
    #[default]
    Engine,
    /// The shell's own.
    Local,
}

/// The bridge's `config` of an interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterpreterConfig {
    /// The engine's number; none for the local interpreter.
    pub engine_id: Option<u32>,
    /// Engines in the cluster when this one starts.
    pub n_engines: u32,
    /// `sys.argv`.
    pub argv: Vec<String>,
    /// Where it works; the folder of the process that starts it if absent.
    pub cwd: Option<PathBuf>,
    /// What it is for.
    pub role: InterpreterRole,
}
