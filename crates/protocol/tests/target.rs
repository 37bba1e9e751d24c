//! Targets: what is written, what it means, and what is said about what means nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_protocol::{
    EngineId, Target, TargetError,
    target::{Candidate, Selector, Term, compact},
};
use proptest::prelude::*;

fn parsed(text: &str) -> Vec<Term> {
    text.parse::<Target>().unwrap_or_else(|error| panic!("{text}: {error}")).terms
}

fn one(selector: Selector) -> Vec<Term> {
    vec![Term { exclude: false, selector }]
}

#[test]
fn words_are_what_they_say() {
    assert_eq!(parsed("all"), one(Selector::All));
    assert_eq!(parsed("any"), one(Selector::Any));
    assert_eq!(parsed("local"), one(Selector::Local));
    assert_eq!(parsed("idle"), one(Selector::Idle));
    assert_eq!(parsed("failed"), one(Selector::Failed));
    assert_eq!(parsed("one-per-host"), one(Selector::OnePerHost));
    assert_eq!(parsed("gpu"), one(Selector::Label("gpu".into())));
    assert_eq!(parsed("big_mem.v2-x"), one(Selector::Label("big_mem.v2-x".into())));
    assert_eq!(parsed("größe"), one(Selector::Label("größe".into())));
    assert_eq!(parsed("allx"), one(Selector::Label("allx".into())));
}

#[test]
fn numbers_ranges_and_slices() {
    assert_eq!(parsed("7"), one(Selector::One(7)));
    assert_eq!(parsed("007"), one(Selector::One(7)));
    assert_eq!(parsed("-1"), one(Selector::One(-1)));
    assert_eq!(parsed("-0"), one(Selector::One(0)));
    assert_eq!(parsed("0-3"), one(Selector::Range(0, 3)));
    assert_eq!(parsed("3-3"), one(Selector::Range(3, 3)));
    assert_eq!(parsed("0 - 3"), one(Selector::Range(0, 3)));
    assert_eq!(parsed(":"), one(Selector::Slice(None, None, None)));
    assert_eq!(parsed("::2"), one(Selector::Slice(None, None, Some(2))));
    assert_eq!(parsed("1:"), one(Selector::Slice(Some(1), None, None)));
    assert_eq!(parsed(":-1"), one(Selector::Slice(None, Some(-1), None)));
    assert_eq!(parsed("-3:10:-1"), one(Selector::Slice(Some(-3), Some(10), Some(-1))));
}

#[test]
fn hosts_lists_exclusions_and_spaces() {
    assert_eq!(parsed("host:node-7.example.org"), one(Selector::Host("node-7.example.org".into())));
    let terms = parsed(" 0-3 , !2,gpu ");
    assert_eq!(
        terms,
        [
            Term { exclude: false, selector: Selector::Range(0, 3) },
            Term { exclude: true, selector: Selector::One(2) },
            Term { exclude: false, selector: Selector::Label("gpu".into()) },
        ]
    );
    assert_eq!(parsed("! host:m1")[0], Term { exclude: true, selector: Selector::Host("m1".into()) });
}

#[test]
fn what_means_nothing_is_refused_precisely() {
    for (text, words) in [
        ("", "the target is empty"),
        ("  ", "the target is empty"),
        ("0,", "there is nothing between two commas or at an end in the target `0,`"),
        (",0", "there is nothing between two commas or at an end in the target `,0`"),
        ("0,,1", "there is nothing between two commas or at an end in the target `0,,1`"),
        ("!", "`!` excludes nothing in the target `!`"),
        ("!!0", "`!` cannot be in a target, in `!0`"),
        ("3-1", "the range `3-1` runs backwards"),
        ("1-", "`1-` is not an engine or a range of engines"),
        ("--1", "`--1` is not an engine or a range of engines"),
        ("1-2-3", "`1-2-3` is not an engine or a range of engines"),
        ("1x", "`1x` is not an engine or a range of engines"),
        ("1..3", "`1..3` is not an engine or a range of engines"),
        ("1.5", "`1.5` is not an engine or a range of engines"),
        ("+1", "`+1` is not an engine or a range of engines"),
        ("4294967296", "`4294967296` is too large for an engine's number"),
        ("99999999999999999999999", "`99999999999999999999999` is too large for an engine's number"),
        ("::0", "the step of the slice `::0` is zero"),
        ("1:2:3:4", "`1:2:3:4` has too many colons"),
        ("a:b", "`a` is not a number in the slice `a:b`"),
        ("::x", "`x` is not a number in the slice `::x`"),
        ("host:", "`host:` names no host"),
        ("host:a b", "`host:a b` names no host"),
        ("gpu!", "`!` cannot be in a target, in `gpu!`"),
        ("a b", "` ` cannot be in a target, in `a b`"),
        ("x/y", "`/` cannot be in a target, in `x/y`"),
        ("any,0", "`any` stands alone, not in `any,0`"),
        ("!any", "`any` stands alone, not in `!any`"),
        ("0,local", "`local` stands alone, not in `0,local`"),
    ] {
        match text.parse::<Target>() {
            Ok(target) => panic!("`{text}` was taken for {target:?}"),
            Err(error) => {
                assert_eq!(error.to_string(), words, "`{text}`");
                assert!(error.hint.is_some_and(|hint| !hint.is_empty()), "`{text}` has no hint");
            }
        }
    }
}

/// Engines 0-3 on m1 (gpu), 4-5 on m2 (gpu, big), 8-9 on m3 (none); 1, 4 and 9 idle.
fn resolve(text: &str) -> Result<Vec<u32>, TargetError> {
    let gpu = ["gpu".to_owned()];
    let both = ["gpu".to_owned(), "big".to_owned()];
    let candidates: Vec<Candidate<'_>> = [0, 1, 2, 3, 4, 5, 8, 9]
        .into_iter()
        .map(|id| {
            let (host, labels) = match id {
                0..4 => ("m1", gpu.as_slice()),
                4..6 => ("m2", both.as_slice()),
                _ => ("m3", [].as_slice()),
            };
            Candidate { engine: EngineId(id), host, labels, idle: matches!(id, 1 | 4 | 9) }
        })
        .collect();
    let target: Target = text.parse().unwrap();
    Ok(target.resolve(&candidates)?.into_iter().map(|engine| engine.0).collect())
}

#[test]
fn targets_mean_engines_in_the_order_of_the_terms() {
    for (text, engines) in [
        ("all", vec![0, 1, 2, 3, 4, 5, 8, 9]),
        ("3", vec![3]),
        ("3,0", vec![3, 0]),
        ("-1", vec![9]),
        ("-2", vec![8]),
        ("-8", vec![0]),
        ("0-3", vec![0, 1, 2, 3]),
        ("8-9,0-1", vec![8, 9, 0, 1]),
        ("::2", vec![0, 2, 4, 8]),
        ("6:", vec![8, 9]),
        (":-6", vec![0, 1]),
        ("::-1", vec![9, 8, 5, 4, 3, 2, 1, 0]),
        ("5:2:-1", vec![5, 4, 3]),
        ("-100:2", vec![0, 1]),
        ("1:100:3", vec![1, 4, 9]),
        ("host:m2", vec![4, 5]),
        ("gpu", vec![0, 1, 2, 3, 4, 5]),
        ("big", vec![4, 5]),
        ("idle", vec![1, 4, 9]),
        ("one-per-host", vec![0, 4, 8]),
        ("idle,all", vec![1, 4, 9, 0, 2, 3, 5, 8]),
        // Each engine once, where it was named first.
        ("3,3,0-3,3", vec![3, 0, 1, 2]),
        // What is excluded is excluded, wherever it is said.
        ("!3,0-4", vec![0, 1, 2, 4]),
        ("0-4,!3", vec![0, 1, 2, 4]),
        ("all,!gpu", vec![8, 9]),
        ("gpu,!big,!idle", vec![0, 2, 3]),
        // Only exclusions: all but those.
        ("!host:m1", vec![4, 5, 8, 9]),
        ("!0,!-1", vec![1, 2, 3, 4, 5, 8]),
        ("!idle", vec![0, 2, 3, 5, 8]),
        // A slice or a property may add nothing, as long as something does.
        ("100:,0", vec![0]),
    ] {
        assert_eq!(resolve(text).unwrap_or_else(|error| panic!("{text}: {error}")), engines, "{text}");
    }
}

#[test]
fn what_is_not_there_is_said_precisely() {
    let there = "in this cluster (0-5,8-9)";
    for (text, words) in [
        ("6", format!("engine 6 is not {there}")),
        ("0,99", format!("engine 99 is not {there}")),
        ("-9", format!("engine -9 is not {there}")),
        ("4-8", format!("engines 6-7 are not {there}")),
        ("5-6", format!("engine 6 is not {there}")),
        ("3-12", format!("engines 6-7,10-12 are not {there}")),
        ("0-4294967295", format!("engines 6-7,10-4294967295 are not {there}")),
        ("all,!7", format!("engine 7 is not {there}")),
        ("host:m9", "no host of this cluster is named m9".into()),
        ("!host:m9", "no host of this cluster is named m9".into()),
        ("fpga", "no engine of this cluster has the label fpga".into()),
        ("10:", "the target 10: leaves no engine".into()),
        ("0,!0", "the target 0,!0 leaves no engine".into()),
        ("!all", "the target !all leaves no engine".into()),
    ] {
        let error = resolve(text).expect_err(text);
        assert_eq!(error.to_string(), words, "{text}");
        assert!(error.hint.is_some(), "{text} has no hint");
    }
    assert_eq!(resolve("host:m9").unwrap_err().hint.unwrap(), "there is m1, m2, m3");
    assert_eq!(resolve("fpga").unwrap_err().hint.unwrap(), "there is big, gpu");
}

#[test]
fn words_for_others_do_not_resolve() {
    for text in ["any", "local", "failed", "0,failed"] {
        assert!(resolve(text).is_err(), "{text}");
    }
    let engines = |text: &str| text.parse::<Target>().unwrap();
    assert!(engines("any").is_any() && !engines("any").is_local());
    assert!(engines("local").is_local() && !engines("all").is_any());
}

#[test]
fn nobody_is_idle() {
    let candidates = [Candidate { engine: EngineId(0), host: "m", labels: &[], idle: false }];
    let error = "idle".parse::<Target>().unwrap().resolve(&candidates).unwrap_err();
    assert_eq!(error.to_string(), "no engine is idle");
}

#[test]
fn an_empty_cluster_has_a_hint() {
    let error = Target::all().resolve(&[]).unwrap_err();
    assert_eq!(error.to_string(), "there are no engines in this cluster");
    assert_eq!(error.hint.unwrap(), "start some: antiphon engines -n 4");
}

#[test]
fn a_target_made_of_engines_is_those_engines() {
    let target = Target::engines([EngineId(5), EngineId(2)]);
    assert_eq!(target.to_string(), "5,2");
    assert_eq!(parsed("5,2"), target.terms);
}

#[test]
fn a_hostile_target_is_cheap_and_never_a_panic() {
    let candidates: Vec<Candidate<'_>> =
        (0..4096).map(|id| Candidate { engine: EngineId(id), host: "m", labels: &[], idle: true }).collect();
    let one = |selector: Selector| Target { terms: vec![Term { exclude: false, selector }] };
    for selector in [
        Selector::One(i64::MIN),
        Selector::One(i64::MAX),
        Selector::Range(u32::MAX, 0),
        Selector::Range(0, u32::MAX),
        Selector::Slice(None, None, Some(0)),
        Selector::Slice(Some(i64::MAX), Some(i64::MAX), None),
        Selector::Label(String::new()),
    ] {
        assert!(one(selector.clone()).resolve(&candidates).is_err(), "{selector:?}");
    }
    let extremes = one(Selector::Slice(Some(i64::MIN), Some(i64::MAX), Some(i64::MAX)));
    assert_eq!(extremes.resolve(&candidates).unwrap(), [EngineId(0)]);
    let backwards = one(Selector::Slice(Some(i64::MAX), Some(i64::MIN), Some(i64::MIN)));
    assert_eq!(backwards.resolve(&candidates).unwrap(), [EngineId(4095)]);
    let nothing = Target { terms: Vec::new() };
    let _ = nothing.resolve(&candidates);
    let long = Target { terms: vec![Term { exclude: false, selector: Selector::One(0) }; 1 << 20] };
    assert!(long.resolve(&candidates).unwrap_err().to_string().contains("the limit is"));
}

#[test]
fn ids_are_written_compactly() {
    let text = |ids: &[u32]| compact(ids.iter().copied().map(EngineId));
    assert_eq!(text(&[]), "");
    assert_eq!(text(&[3]), "3");
    assert_eq!(text(&[0, 1, 2, 3]), "0-3");
    assert_eq!(text(&[0, 2, 3, 7]), "0,2-3,7");
    assert_eq!(text(&[u32::MAX - 1, u32::MAX]), "4294967294-4294967295");
}

proptest! {
    #[test]
    fn what_is_shown_is_what_was_meant(text in "[-!,:0-9a-z. ]{0,20}") {
        if let Ok(target) = text.parse::<Target>() {
            prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
        }
    }

    #[test]
    fn no_text_is_a_panic(text: String) {
        let _ = text.parse::<Target>();
    }

    /// Against the definition, by hand.
    #[test]
    fn slices_are_pythons(n in 1..12i64, start in -15..15i64, stop in -15..15i64, step in 1..4i64) {
        let candidates: Vec<Candidate<'_>> = (0..n)
            .map(|id| Candidate { engine: EngineId(id as u32), host: "m", labels: &[], idle: true })
            .collect();
        let from_end = |bound: i64| if bound < 0 { (bound + n).max(0) } else { bound.min(n) };
        let (first, last) = (from_end(start), from_end(stop));
        let expected: Vec<EngineId> =
            (first..last).step_by(step as usize).map(|id| EngineId(id as u32)).collect();
        let resolved = format!("{start}:{stop}:{step}").parse::<Target>().unwrap().resolve(&candidates);
        prop_assert_eq!(resolved.unwrap_or_default(), expected);
    }
}
