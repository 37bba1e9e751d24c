//! Text to target.

use super::{Selector, Target, TargetError, Term};

/// What a target may be, for hints.
const GRAMMAR: &str = "a target is for example all, 0-3,7, ::2, -1, host:NAME, a label, idle, one-per-host, any or local; `,` unites, `!` excludes";

pub(super) fn target(text: &str) -> Result<Target, TargetError> {
    if text.trim().is_empty() {
        return Err(TargetError::new("the target is empty", GRAMMAR));
    }
    let terms = text.split(',').map(|part| term(part, text)).collect::<Result<Vec<_>, _>>()?;
    for Term { exclude, selector } in &terms {
        let alone = matches!(selector, Selector::Any | Selector::Local);
        if alone && (*exclude || terms.len() > 1) {
            let hint = format!("write {selector} without anything else");
            return Err(TargetError::new(
                format!("`{selector}` stands alone, not in `{}`", text.trim()),
                hint,
            ));
        }
    }
    Ok(Target { terms })
}

fn term(part: &str, whole: &str) -> Result<Term, TargetError> {
    let part = part.trim();
    let (exclude, rest) = match part.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, part),
    };
    if rest.is_empty() {
        let what =
            if exclude { "`!` excludes nothing" } else { "there is nothing between two commas or at an end" };
        return Err(TargetError::new(format!("{what} in the target `{}`", whole.trim()), GRAMMAR));
    }
    Ok(Term { exclude, selector: selector(rest)? })
}

fn selector(text: &str) -> Result<Selector, TargetError> {
    Ok(match text {
        "all" => Selector::All,
        "any" => Selector::Any,
        "local" => Selector::Local,
        "idle" => Selector::Idle,
        "failed" => Selector::Failed,
        "one-per-host" => Selector::OnePerHost,
        _ => {
            if let Some(name) = text.strip_prefix("host:") {
                host(name)?
            } else if text.contains(':') {
                slice(text)?
            } else if text.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+') {
                numbers(text)?
            } else {
                label(text)?
            }
        }
    })
}

fn host(name: &str) -> Result<Selector, TargetError> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(TargetError::new(
            format!("`host:{name}` names no host"),
            "write host:NAME, with a name that %engines shows",
        ));
    }
    Ok(Selector::Host(name.to_owned()))
}

fn slice(text: &str) -> Result<Selector, TargetError> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let number = |index: usize| match parts.get(index) {
        None | Some(&"") => Ok(None),
        Some(part) => part.parse::<i64>().map(Some).map_err(|_| {
            TargetError::new(
                format!("`{part}` is not a number in the slice `{text}`"),
                "a slice is start:stop:step, as in Python; a host is host:NAME",
            )
        }),
    };
    if parts.len() > 3 {
        return Err(TargetError::new(
            format!("`{text}` has too many colons"),
            "a slice is start:stop:step, as in Python",
        ));
    }
    let step = number(2)?;
    if step == Some(0) {
        return Err(TargetError::new(
            format!("the step of the slice `{text}` is zero"),
            "write for example ::2 for every second engine",
        ));
    }
    Ok(Selector::Slice(number(0)?, number(1)?, step))
}

fn numbers(text: &str) -> Result<Selector, TargetError> {
    let id = |digits: &str| -> Result<u32, TargetError> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TargetError::new(
                format!("`{text}` is not an engine or a range of engines"),
                GRAMMAR,
            ));
        }
        digits.parse().map_err(|_| {
            TargetError::new(
                format!("`{digits}` is too large for an engine's number"),
                "%engines shows the engines",
            )
        })
    };
    if let Some(digits) = text.strip_prefix('-') {
        return Ok(Selector::One(-i64::from(id(digits)?)));
    }
    let Some((first, last)) = text.split_once('-') else {
        return Ok(Selector::One(id(text)?.into()));
    };
    let (first, last) = (id(first.trim_end())?, id(last.trim_start())?);
    if first > last {
        return Err(TargetError::new(
            format!("the range `{text}` runs backwards"),
            format!("write {last}-{first}"),
        ));
    }
    Ok(Selector::Range(first, last))
}

fn label(text: &str) -> Result<Selector, TargetError> {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if let Some(strange) = text.chars().find(|letter| !fits(*letter)) {
        return Err(TargetError::new(format!("`{strange}` cannot be in a target, in `{text}`"), GRAMMAR));
    }
    Ok(Selector::Label(text.to_owned()))
}
