//! What the end-to-end tests share.

pub use antiphon_testkit::process::{Finished, Home, Running, kill, wait_for};
pub use rustix::process::Signal;
use std::{process::Command, sync::OnceLock};

/// A home for the binary under test.
pub fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_antiphon"))
}

/// The machine's own Python (3.9 or newer), if it has one; says so in one line if not.
pub fn cpython() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let code = "import sys; print(sys.executable if sys.version_info >= (3, 9) else '')";
        let output = Command::new("python3").args(["-c", code]).output().ok()?;
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!path.is_empty()).then_some(path)
    });
    if found.is_none() {
        eprintln!("passed over: there is no python3 (3.9 or newer) on PATH");
    }
    found.clone()
}

/// Whether that Python has a package; says so in one line if not.
pub fn has_package(python: &str, package: &str) -> bool {
    let found = python != "builtin"
        && Command::new(python)
            .args(["-c", &format!("import {package}")])
            .output()
            .is_ok_and(|o| o.status.success());
    if !found && python != "builtin" {
        eprintln!("passed over: {python} has no {package}");
    }
    found
}

/// Runs a script through the shell with engines of its own.
#[track_caller]
pub fn script(home: &Home, python: &str, engines: u32, text: &str) -> Finished {
    home.run(["--python", python, "-n", &engines.to_string()], text)
}

/// Lines in a fixed order: engines print when they get to it.
pub fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// What a test expects of a finished command; failures print everything it said.
pub trait Expect {
    /// Its exit status and exactly this standard output.
    fn expect(&self, status: i32, stdout: &str);

    /// Its exit status, and that standard error contains all of these.
    fn expect_error(&self, status: i32, parts: &[&str]);
}

impl Expect for Finished {
    #[track_caller]
    fn expect(&self, status: i32, stdout: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (Some(status), stdout), "{self:#?}");
    }

    #[track_caller]
    fn expect_error(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self:#?}");
        }
    }
}

/// Makes each function a test on CPython and, with the feature, one on the built-in interpreter.
macro_rules! each_python {
    ($($(#[$meta:meta])* fn $name:ident($home:ident, $python:ident) $body:block)*) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$meta])*
            fn body($home: &Home, $python: &str) $body

            #[test]
            fn cpython() {
                if let Some(python) = $crate::common::cpython() {
                    let home = $crate::common::home();
                    body(&home, &python);
                    home.assert_nothing_left();
                }
            }

            #[cfg(feature = "builtin-python")]
            #[test]
            fn builtin() {
                let home = $crate::common::home();
                body(&home, "builtin");
                home.assert_nothing_left();
            }
        })*
    };
}
pub(crate) use each_python;
