//! The Python side, embedded: what an interpreter is started with and what it is handed first.

use crate::InterpreterConfig;
use serde::Serialize;
use std::collections::BTreeMap;

/// Every file of `python/antiphon`, by its path in the package.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/python_files.rs"));

/// The source an interpreter is started with, as `PYTHON -c BOOT MODE FD…`; the built-in one runs the same text.
pub fn boot() -> &'static str {
    FILES.iter().find(|(path, _)| *path == "antiphon/_boot.py").map_or("", |(_, source)| source)
}

#[derive(Serialize)]
struct Payload<'a> {
    files: BTreeMap<&'static str, &'static str>,
    config: &'a InterpreterConfig,
}

/// What BOOT reads first: a length and the JSON of the package's files and the configuration.
pub fn payload(config: &InterpreterConfig) -> Result<Vec<u8>, serde_json::Error> {
    let files = FILES.iter().copied().collect();
    let json = serde_json::to_vec(&Payload { files, config })?;
    let mut bytes = Vec::with_capacity(8 + json.len());
    bytes.extend_from_slice(&(json.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&json);
    Ok(bytes)
}
