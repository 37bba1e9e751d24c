//! Completions that need no interpreter: magics and targets.

use crate::shell::magic_names;

/// Words that stand for targets.
const TARGETS: &[&str] = &["all", "any", "failed", "host:", "idle", "local", "one-per-host"];

/// Completions at `cursor` (in bytes) if a magic or a target is being typed there: where the word begins, and words.
pub(super) fn directives(source: &str, cursor: usize) -> Option<(usize, Vec<String>)> {
    let typed = &source[..cursor];
    let line_start = typed.rfind('\n').map_or(0, |at| at + 1);
    let line = &typed[line_start..];
    let lead = line_start + (line.len() - line.trim_start().len());
    let line = line.trim_start();
    if let Some(word) = line.strip_prefix("%%").or_else(|| line.strip_prefix('%'))
        && !word.contains(char::is_whitespace)
    {
        let start = cursor - word.len();
        return Some((start, matching(magic_names(), word)));
    }
    // A target is typed where a statement may begin with one, and after its magic.
    let (skipped, target) = match line.strip_prefix('@') {
        Some(target) if lead == 0 => (1, target),
        _ => {
            let target = line.strip_prefix("%target")?;
            let blanks = target.len() - target.trim_start().len();
            if blanks == 0 {
                return None;
            }
            ("%target".len() + blanks, target.trim_start())
        }
    };
    if target.contains(char::is_whitespace) {
        return None;
    }
    let term = target.rfind([',', '!']).map_or(0, |at| at + 1);
    Some((lead + skipped + term, matching(TARGETS.iter().copied(), &target[term..])))
}

fn matching<'a>(words: impl IntoIterator<Item = &'a str>, start: &str) -> Vec<String> {
    words.into_iter().filter(|word| word.starts_with(start)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_end(source: &str) -> Option<(usize, Vec<String>)> {
        directives(source, source.len())
    }

    #[test]
    fn magics_and_targets_complete() {
        assert_eq!(at_end("%tar"), Some((1, vec!["target".into()])));
        assert_eq!(at_end("%%ti"), Some((2, vec!["time".into(), "timeit".into()])));
        assert_eq!(at_end("@lo"), Some((1, vec!["local".into()])));
        assert_eq!(at_end("@0,!id"), Some((4, vec!["idle".into()])));
        assert_eq!(at_end("%target  al"), Some((9, vec!["all".into()])));
    }

    #[test]
    fn python_is_left_alone() {
        for source in ["x = 1 %ti", "@0 al", "im", "%time al", "def f():\n    x %a"] {
            assert_eq!(at_end(source), None, "{source:?}");
        }
    }
}
