//! The splitter agrees with Python on where statements begin, in Python's own library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_client::shell::script::split;
use antiphon_interpreter::{PythonChoice, find};
use std::{collections::BTreeMap, fs, process::Command};

/// Prints, for every file of the library, the lines on which its top-level statements begin.
const LIST: &str = r"
import ast, glob, json, os
folder, lines = os.path.dirname(os.__file__), {}
for pattern in ('*.py', 'asyncio/*.py', 'test/test_*string*.py', 'test/test_grammar.py', 'test/test_decorators.py'):
    for path in sorted(glob.glob(os.path.join(folder, pattern))):
        try:
            with open(path, encoding='utf-8', newline='') as file:
                tree = ast.parse(file.read())
        except (SyntaxError, ValueError):
            continue
        first = lambda node: min([node.lineno] + [d.lineno for d in getattr(node, 'decorator_list', ())])
        lines[path] = sorted({first(node) for node in tree.body})
print(json.dumps(lines))
";

#[test]
fn the_splitter_agrees_with_python() {
    // Without Python, or with the built-in one whose library is frozen, there are no files to look at.
    let Some(python) = find(&PythonChoice::Auto).ok().filter(|python| !python.builtin) else { return };
    let output = Command::new(&python.program).args(["-c", LIST]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: BTreeMap<String, Vec<usize>> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(files.len() > 100, "{} files", files.len());
    for (path, expected) in files {
        let text = fs::read_to_string(&path).unwrap();
        let mut found: Vec<usize> = split(&text).iter().map(|piece| piece.line).collect();
        found.dedup();
        let directives = split(&text).iter().filter(|piece| piece.is_directive).count();
        assert_eq!((found, directives), (expected, 0), "{path}");
    }
}
