#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// One test at a time: a program that is being written cannot be started, and a child that another test starts just then
/// holds the file open for a moment.
static ALONE: Mutex<()> = Mutex::new(());

/// A folder of programs that answer as Pythons of these versions would.
struct Pythons(TempDir, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Pythons {
    fn new() -> Pythons {
        Pythons(tempfile::tempdir().unwrap(), ALONE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn script(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// It says that its real path is its own.
    fn python(&self, path: &str, version: &str) -> PathBuf {
        self.script(path, &format!("printf 'cpython\\n{version}\\n%s\\n' \"$0\""))
    }

    fn folder(&self, path: &str) -> OsString {
        self.0.path().join(path).into_os_string()
    }

    fn auto(&self, variables: &[(&str, &str)]) -> Result<Python, FindError> {
        let variables: HashMap<_, _> =
            variables.iter().map(|(name, folder)| ((*name).to_owned(), self.folder(folder))).collect();
        auto(|name| variables.get(name).cloned())
    }
}

#[test]
fn choices_are_read_and_shown() {
    for (text, choice) in [
        ("auto", PythonChoice::Auto),
        ("builtin", PythonChoice::Builtin),
        ("/usr/bin/python3", PythonChoice::Path("/usr/bin/python3".into())),
    ] {
        let Ok(read) = text.parse::<PythonChoice>();
        assert_eq!(read, choice);
        assert_eq!(choice.to_string(), text);
    }
}

#[test]
fn auto_prefers_the_active_environment() {
    let pythons = Pythons::new();
    let venv = pythons.python("venv/bin/python", "3.12.1");
    let conda = pythons.python("conda/bin/python", "3.10.0");
    let path = pythons.python("bin/python3", "3.11.7");
    let variables = [("VIRTUAL_ENV", "venv"), ("CONDA_PREFIX", "conda"), ("PATH", "bin")];
    for (skip, program, origin) in
        [(0, venv, "VIRTUAL_ENV"), (1, conda, "CONDA_PREFIX"), (2, path, "python3 on PATH")]
    {
        let python = pythons.auto(&variables[skip..]).unwrap();
        assert_eq!((python.program, python.origin.as_str()), (program, origin));
    }
}

#[test]
fn auto_passes_over_what_is_too_old_or_broken_and_names_it() {
    let pythons = Pythons::new();
    pythons.python("bin/python3", "3.8.19");
    let python = pythons.python("bin/python", "3.9.0");
    assert_eq!(pythons.auto(&[("PATH", "bin")]).unwrap().program, python);
    pythons.script("bin/python", "exit 1");
    pythons.script("venv/bin/python", "exec /nowhere/python");
    // Without the built-in one there is none left.
    if !cfg!(feature = "builtin-python") {
        let error = pythons.auto(&[("VIRTUAL_ENV", "venv"), ("PATH", "bin")]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("3.8.19") && text.contains("too old") && text.contains("VIRTUAL_ENV"),
            "{text}"
        );
        assert!(error.hint().contains("cargo antiphon") && error.hint().contains("--python"));
        assert!(matches!(pythons.auto(&[]), Err(FindError::NotFound { rejected }) if rejected.is_empty()));
    }
}

#[test]
fn a_shim_is_looked_through() {
    let pythons = Pythons::new();
    let real = pythons.python("versions/3.13/bin/python3", "3.13.0");
    pythons.script("shims/python3", &format!("exec {} \"$@\"", real.display()));
    assert_eq!(pythons.auto(&[("PATH", "shims")]).unwrap().program, real);
}

#[test]
fn a_named_python_may_be_a_program_or_an_environment() {
    let pythons = Pythons::new();
    let program = pythons.python("venv/bin/python", "3.12.1");
    for path in [pythons.folder("venv"), program.clone().into()] {
        let python = find(&PythonChoice::Path(path.into())).unwrap();
        assert_eq!((python.program, python.version.as_str()), (program.clone(), "3.12.1"));
    }
    let error = find(&PythonChoice::Path("/nowhere/python".into())).unwrap_err();
    assert!(error.to_string().contains("/nowhere/python (--python)"), "{error}");
    let old = pythons.python("old/python", "2.7.18");
    let error = find(&PythonChoice::Path(old)).unwrap_err();
    assert!(error.to_string().contains("is Python 2.7.18: too old"), "{error}");
}

#[test]
fn the_builtin_one_needs_its_feature() {
    assert_eq!(find(&PythonChoice::Builtin).is_ok(), cfg!(feature = "builtin-python"));
}
