//! The examples do what they say.

use crate::common::*;
use std::{path::Path, process::Command};

#[test]
fn squares() {
    let Some(python) = cpython() else { return };
    // Cargo builds the examples beside the binary, before it runs the tests of a whole package.
    let example = Path::new(env!("CARGO_BIN_EXE_antiphon")).with_file_name("examples").join("squares");
    if !example.exists() {
        eprintln!("passed over: {} was not built (run the tests of the whole package)", example.display());
        return;
    }
    let home = home();
    let up = home.run(["up", "-n", "3", "--python", &python], "");
    assert_eq!(up.status, Some(0), "{up:#?}");
    let command = home.command(["unused"]);
    let mut squares = Command::new(example);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => squares.env(name, value),
            None => squares.env_remove(name),
        };
    }
    let output = squares.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "engine 0: [0, 0]\nengine 1: [1, 1]\nengine 2: [2, 4]\n",
        "{output:?}"
    );
    assert_eq!(home.run(["down"], "").status, Some(0));
    home.assert_nothing_left();
}
