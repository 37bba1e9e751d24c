//! The arrows between the crates, and the places that may name certain things (see ARCHITECTURE.md).

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Which of the workspace's crates each crate may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("broker", &["protocol"]),
    ("transport", &["protocol"]),
    ("interpreter", &["protocol"]),
    ("controller", &["broker", "transport", "protocol"]),
    ("engine", &["transport", "interpreter", "protocol"]),
    ("client", &["transport", "interpreter", "protocol"]),
    ("launch", &["protocol"]),
    ("testkit", &["protocol"]),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

#[test]
fn the_arrows_between_crates_are_the_agreed_ones() {
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let Some(name) = package["name"].as_str().unwrap().strip_prefix("antiphon-") else { continue };
        let (_, allowed) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name).expect(name);
        for dependency in package["dependencies"].as_array().unwrap() {
            if !dependency["kind"].is_null() {
                continue;
            }
            if let Some(used) = dependency["name"].as_str().unwrap().strip_prefix("antiphon-") {
                assert!(allowed.contains(&used), "{name} must not use {used}");
            }
        }
        seen.insert(name.to_owned());
    }
    assert_eq!(seen.len(), ARROWS.len(), "a crate is missing: {seen:?}");
}

#[test]
fn the_broker_is_pure() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let broker = packages.iter().find(|package| package["name"] == "antiphon-broker").unwrap();
    let dependencies: BTreeSet<&str> = broker["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    assert_eq!(dependencies, BTreeSet::from(["antiphon-protocol", "bytes"]));
    let impure =
        ["std::time", "Instant", "SystemTime", "HashMap", "HashSet", "std::fs", "std::net", "std::env"];
    for_each_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/broker/src"), &mut |path, text| {
        for word in impure {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    });
}

#[test]
fn only_the_codec_names_bincode() {
    for_each_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates"), &mut |path, text| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = code.into_iter().any(|line| line.contains("bincode"));
        assert!(!named || path.ends_with("protocol/src/codec.rs"), "{} names bincode", path.display());
    });
}

fn for_each_source(folder: &Path, check: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_source(&path, check);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            check(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
