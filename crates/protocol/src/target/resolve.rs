//! Target to engines.

use super::{Candidate, Selector, Target, TargetError, compact};
use crate::EngineId;

/// Most terms in a target: more than any person or program writes, few enough that a hostile one is cheap to refuse.
pub const MAX_TERMS: usize = 1 << 14;

pub(super) fn resolve(target: &Target, candidates: &[Candidate<'_>]) -> Result<Vec<EngineId>, TargetError> {
    if candidates.is_empty() {
        return Err(TargetError::new(
            "there are no engines in this cluster",
            "start some: antiphon engines -n 4",
        ));
    }
    if target.terms.len() > MAX_TERMS {
        return Err(TargetError::new(
            format!("the target has {} terms; the limit is {MAX_TERMS}", target.terms.len()),
            "write ranges or slices",
        ));
    }
    let mut fate = vec![Fate::Unnamed; candidates.len()];
    let mut order = Vec::new();
    let mut named = Vec::new();
    for term in &target.terms {
        named.clear();
        select(&term.selector, candidates, &mut named)?;
        for &index in &named {
            if term.exclude {
                fate[index] = Fate::Excluded;
            } else if fate[index] == Fate::Unnamed {
                fate[index] = Fate::Chosen;
            }
            if !term.exclude {
                order.push(index);
            }
        }
        // Every term may name every engine: keep the list as long as the cluster, not as long as the text.
        if order.len() > 4 * candidates.len() {
            keep_first_mentions(&mut order, candidates.len());
        }
    }
    if target.terms.iter().all(|term| term.exclude) {
        order = (0..candidates.len()).collect();
    }
    keep_first_mentions(&mut order, candidates.len());
    order.retain(|&index| fate[index] != Fate::Excluded);
    if order.is_empty() {
        return Err(nothing(target));
    }
    Ok(order.into_iter().map(|index| candidates[index].engine).collect())
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Unnamed,
    Chosen,
    Excluded,
}

fn keep_first_mentions(order: &mut Vec<usize>, n: usize) {
    let mut seen = vec![false; n];
    order.retain(|&index| !std::mem::replace(&mut seen[index], true));
}

fn nothing(target: &Target) -> TargetError {
    match target.terms.as_slice() {
        [term] if !term.exclude && term.selector == Selector::Idle => TargetError::new(
            "no engine is idle",
            "use all to wait in line, or any for the first that is free",
        ),
        _ => TargetError::new(
            format!("the target {target} leaves no engine"),
            "%engines shows the engines; all is every one of them",
        ),
    }
}

/// Adds the positions in `candidates` that a selector means.
fn select(
    selector: &Selector,
    candidates: &[Candidate<'_>],
    named: &mut Vec<usize>,
) -> Result<(), TargetError> {
    match selector {
        Selector::All => named.extend(0..candidates.len()),
        Selector::One(id) => named.push(one(*id, candidates)?),
        Selector::Range(first, last) => range(*first, *last, candidates, named)?,
        Selector::Slice(start, stop, step) => slice(*start, *stop, *step, candidates.len(), named)?,
        Selector::Idle => named.extend(positions(candidates, |engine| engine.idle)),
        Selector::Host(name) => {
            named.extend(positions(candidates, |engine| engine.host == name));
            if named.is_empty() {
                let hosts = listed(candidates.iter().map(|engine| engine.host));
                return Err(TargetError::new(
                    format!("no host of this cluster is named {name}"),
                    format!("there is {hosts}"),
                ));
            }
        }
        Selector::Label(label) => {
            named.extend(positions(candidates, |engine| engine.labels.iter().any(|own| own == label)));
            if named.is_empty() {
                return Err(no_label(label, candidates));
            }
        }
        Selector::OnePerHost => {
            let mut seen = std::collections::BTreeSet::new();
            named.extend(positions(candidates, |engine| seen.insert(engine.host)));
        }
        Selector::Any => {
            return Err(TargetError::new(
                "`any` is whichever engine is free and names none by itself",
                "write all, or the engines' numbers",
            ));
        }
        Selector::Local => {
            return Err(TargetError::new(
                "`local` is the client's own interpreter, not an engine of this cluster",
                "write all, or the engines' numbers",
            ));
        }
        Selector::Failed => {
            return Err(TargetError::new(
                "`failed` is known only to the shell in which a statement failed",
                "write the engines' numbers",
            ));
        }
    }
    Ok(())
}

fn positions<'a>(
    candidates: &'a [Candidate<'a>],
    mut fits: impl FnMut(&Candidate<'a>) -> bool,
) -> impl Iterator<Item = usize> {
    candidates.iter().enumerate().filter(move |(_, engine)| fits(engine)).map(|(index, _)| index)
}

fn one(id: i64, candidates: &[Candidate<'_>]) -> Result<usize, TargetError> {
    if id < 0 {
        let back = id.unsigned_abs();
        return usize::try_from(back)
            .ok()
            .and_then(|back| candidates.len().checked_sub(back))
            .ok_or_else(|| absent(format!("engine {id} is not"), candidates));
    }
    u32::try_from(id)
        .ok()
        .and_then(|id| candidates.binary_search_by_key(&EngineId(id), |engine| engine.engine).ok())
        .ok_or_else(|| absent(format!("engine {id} is not"), candidates))
}

fn range(
    first: u32,
    last: u32,
    candidates: &[Candidate<'_>],
    named: &mut Vec<usize>,
) -> Result<(), TargetError> {
    if first > last {
        return Err(TargetError::new(
            format!("the range {first}-{last} runs backwards"),
            format!("write {last}-{first}"),
        ));
    }
    let start = candidates.partition_point(|engine| engine.engine.0 < first);
    let end = candidates.partition_point(|engine| engine.engine.0 <= last);
    let there = &candidates[start..end];
    if there.len() as u64 == u64::from(last) - u64::from(first) + 1 {
        named.extend(start..end);
        return Ok(());
    }
    // The range may claim four thousand million engines: walk what is there, never the range.
    let mut gaps = Vec::new();
    let mut expected = u64::from(first);
    let ends = there.iter().map(|engine| u64::from(engine.engine.0)).chain([u64::from(last) + 1]);
    for id in ends {
        if id > expected {
            gaps.push((expected, id - 1));
        }
        expected = id + 1;
    }
    let many = gaps.len() > 1 || gaps.iter().any(|(from, to)| from != to);
    let gaps: Vec<String> = gaps
        .iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    let gaps = gaps.join(",");
    Err(absent(
        if many { format!("engines {gaps} are not") } else { format!("engine {gaps} is not") },
        candidates,
    ))
}

/// Python's slice of a list of `n`: the same corner cases.
fn slice(
    start: Option<i64>,
    stop: Option<i64>,
    step: Option<i64>,
    n: usize,
    named: &mut Vec<usize>,
) -> Result<(), TargetError> {
    let n = i128::try_from(n).unwrap_or(i128::MAX);
    let step = i128::from(step.unwrap_or(1));
    if step == 0 {
        return Err(TargetError::new("the step of a slice is zero", "write for example ::2"));
    }
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let place = |bound: Option<i64>, otherwise: i128| match bound.map(i128::from) {
        None => otherwise,
        Some(bound) if bound < 0 => (bound + n).max(low),
        Some(bound) => bound.min(high),
    };
    let (mut at, stop) = if step > 0 {
        (place(start, low), place(stop, high))
    } else {
        (place(start, high), place(stop, low))
    };
    while if step > 0 { at < stop } else { at > stop } {
        named.extend(usize::try_from(at));
        at += step;
    }
    Ok(())
}

fn absent(what: String, candidates: &[Candidate<'_>]) -> TargetError {
    let there = compact(candidates.iter().map(|engine| engine.engine));
    TargetError::new(
        format!("{what} in this cluster ({there})"),
        "%engines shows the engines; all is every one of them",
    )
}

fn no_label(label: &str, candidates: &[Candidate<'_>]) -> TargetError {
    let message = format!("no engine of this cluster has the label {label}");
    let labels = listed(candidates.iter().flat_map(|engine| engine.labels.iter().map(String::as_str)));
    if labels.is_empty() {
        return TargetError::new(message, "no engine has a label; write all, or the engines' numbers");
    }
    TargetError::new(message, format!("there is {labels}"))
}

/// Names, each once, sorted, not too many.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: std::collections::BTreeSet<&str> = names.collect();
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", …");
    }
    text
}
