//! Whether a statement is complete, judged without an interpreter: for when none answers in time.

use super::{
    Completeness,
    colour::{Kind, scan},
};

/// What the text alone says: open brackets and strings, a colon at the end, a block that no blank line has ended.
pub(super) fn judge(source: &str) -> Completeness {
    let scanned = scan(source);
    let last = source.rsplit('\n').next().unwrap_or_default();
    let code_end = scanned
        .tokens
        .iter()
        .rev()
        .find(|token| token.kind != Kind::Comment && !source[token.range.clone()].trim().is_empty());
    let ends_with_colon = code_end.is_some_and(|token| source[token.range.clone()].trim_end().ends_with(':'));
    let lead = &last[..last.len() - last.trim_start().len()];
    let in_block = source.contains('\n') && !lead.is_empty() && !last.trim().is_empty();
    let decorator = source.starts_with('@') && !source.contains('\n') && !source.trim_end().contains(' ');
    let complete = !scanned.is_open && !ends_with_colon && !last.ends_with('\\') && !in_block && !decorator;
    let indent = match (complete, ends_with_colon) {
        (true, _) => String::new(),
        (false, true) => format!("{lead}    "),
        (false, false) if scanned.is_open => String::new(),
        (false, false) => lead.to_owned(),
    };
    Completeness { complete, indent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_alone_tells_most() {
        for complete in
            ["x = 1", "f(\n1)", "def f():\n    return 1\n", "'''a\n'''", "# only: this", "%target 0"]
        {
            assert!(judge(complete).complete, "{complete:?}");
        }
        for (open, indent) in [
            ("f(", ""),
            ("'''a", ""),
            ("def f():", "    "),
            ("def f():  # why", "    "),
            ("def f():\n    if x:", "        "),
            ("def f():\n    return 1", "    "),
            ("x = 1 + \\", ""),
        ] {
            assert_eq!(judge(open), Completeness { complete: false, indent: indent.into() }, "{open:?}");
        }
    }
}
