//! The Python side's own tests (`python/tests`), on every interpreter.

use crate::common::cpython;
use std::process::Command;

/// Runs them with this Python; `tested` is the interpreter they test, if it is not the same.
fn run(python: &str, tested: Option<&str>) {
    let mut command = Command::new(python);
    command
        .args(["-m", "unittest", "discover", "-s", "tests", "-t", "."])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    match tested {
        Some(tested) => command.env("ANTIPHON_TEST_PYTHON", tested),
        None => command.env_remove("ANTIPHON_TEST_PYTHON"),
    };
    let output = command.output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn python_tests_pass_on_cpython() {
    if let Some(python) = cpython() {
        run(&python, None);
    }
}

#[cfg(feature = "builtin-python")]
#[test]
fn python_tests_pass_on_the_built_in_interpreter() {
    if let Some(python) = cpython() {
        run(&python, Some(concat!(env!("CARGO_BIN_EXE_antiphon"), " engine")));
    }
}
