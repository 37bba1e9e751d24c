//! What is encoded is decoded to the same; what nobody encoded is refused, never believed, never a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;

use antiphon_protocol::{
    ClientToController, ControllerToClient, ControllerToHost, HostToController, RequestId, Target, TaskId,
    codec::{CodecError, PRELUDE_BYTES, Prelude, decode_header, encode_head},
    hello, limits,
    target::{Selector, Term},
    *,
};
use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

/// Encodes as a sender does, decodes as a receiver does.
fn there_and_back<H: Serialize + DeserializeOwned>(header: &H, segments: &[Bytes]) -> (H, Vec<usize>) {
    let head = encode_head(header, segments).unwrap();
    let (length, n) = Prelude::start(head[..PRELUDE_BYTES].try_into().unwrap()).unwrap();
    let table_end = PRELUDE_BYTES + 8 * n;
    let prelude = Prelude::finish(length, &head[PRELUDE_BYTES..table_end]).unwrap();
    assert_eq!(prelude.header, head.len() - table_end);
    (decode_header(&head[table_end..]).unwrap(), prelude.segments)
}

#[test]
fn every_sample_comes_back() {
    for message in samples::from_client() {
        assert_eq!(there_and_back(&message, &[]).0, message);
    }
    for message in samples::to_client() {
        assert_eq!(there_and_back(&message, &[]).0, message);
    }
    for message in samples::to_host() {
        assert_eq!(there_and_back(&message, &[]).0, message);
    }
    for message in samples::from_host() {
        assert_eq!(there_and_back(&message, &[]).0, message);
    }
    let names: std::collections::BTreeSet<String> =
        samples::all().into_iter().map(|sample| sample.name).collect();
    assert!(names.len() > samples::KINDS.len());
}

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        Just(Selector::All),
        Just(Selector::Any),
        Just(Selector::Local),
        Just(Selector::Idle),
        Just(Selector::Failed),
        Just(Selector::OnePerHost),
        any::<i64>().prop_map(Selector::One),
        any::<(u32, u32)>().prop_map(|(a, b)| Selector::Range(a, b)),
        (option::of(any::<i64>()), option::of(any::<i64>()), option::of(any::<i64>()))
            .prop_map(|(a, b, c)| Selector::Slice(a, b, c)),
        any::<String>().prop_map(Selector::Host),
        any::<String>().prop_map(Selector::Label),
    ]
}

fn any_target() -> impl Strategy<Value = Target> {
    let term = (any::<bool>(), any_selector()).prop_map(|(exclude, selector)| Term { exclude, selector });
    vec(term, 0..5).prop_map(|terms| Target { terms })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any::<(bool, bool, Option<u32>)>().prop_map(|(repr, value, cut)| Outcome::Done { repr, value, cut }),
        any::<(bool, Option<i32>)>().prop_map(|(interrupted, exit)| Outcome::Raised { interrupted, exit }),
        (any::<i32>(), any::<bool>())
            .prop_map(|(signal, started)| Outcome::Lost(Loss { cause: LossCause::Signal(signal), started })),
        (any::<String>(), any::<bool>())
            .prop_map(|(what, started)| Outcome::Lost(Loss { cause: LossCause::Bridge(what), started })),
    ]
}

proptest! {
    #[test]
    fn submits_come_back(request: u64, target in any_target(), repr: Option<u32>, value: bool, sizes in vec(0..100usize, 0..20)) {
        let work = Work::Call { want: Want { repr, value } };
        let header = ClientToController::Submit { request: RequestId(request), target, work, on_leave: OnLeave::Keep };
        let segments: Vec<Bytes> = sizes.iter().map(|&size| Bytes::from(vec![7; size])).collect();
        let (back, lengths) = there_and_back(&header, &segments);
        prop_assert_eq!(back, header);
        prop_assert_eq!(lengths, sizes);
    }

    #[test]
    fn answers_come_back(request: u64, position: u32, engine: u32, elapsed_us: u64, outcome in any_outcome()) {
        let (request, engine) = (RequestId(request), EngineId(engine));
        let header = ControllerToClient::Answer { request, position, engine, outcome, elapsed_us };
        prop_assert_eq!(there_and_back(&header, &[]).0, header);
    }

    #[test]
    fn runs_come_back(tasks in vec(any::<(u64, u32)>(), 0..200)) {
        let tasks = tasks.into_iter().map(|(task, engine)| (TaskId(task), EngineId(engine))).collect();
        let header = ControllerToHost::Run { tasks, work: Work::Reset };
        prop_assert_eq!(there_and_back(&header, &[]).0, header);
    }

    #[test]
    fn ends_come_back(task: u64, engine: u32, elapsed_us: u64, outcome in any_outcome()) {
        let header = HostToController::Done { task: TaskId(task), engine: EngineId(engine), outcome, elapsed_us };
        prop_assert_eq!(there_and_back(&header, &[]).0, header);
    }

    #[test]
    fn random_bytes_are_never_a_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_header::<ClientToController>(&bytes);
        let _ = decode_header::<ControllerToClient>(&bytes);
        let _ = decode_header::<ControllerToHost>(&bytes);
        let _ = decode_header::<HostToController>(&bytes);
        let _ = hello::decode::<hello::Hello>(&bytes);
        let _ = hello::decode::<hello::Reply>(&bytes);
    }

    #[test]
    fn a_changed_byte_is_never_a_panic(which: prop::sample::Index, at: prop::sample::Index, to: u8) {
        let samples = samples::all();
        let mut bytes = samples[which.index(samples.len())].encoded[PRELUDE_BYTES..].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = decode_header::<ClientToController>(&bytes);
        let _ = decode_header::<ControllerToClient>(&bytes);
        let _ = decode_header::<ControllerToHost>(&bytes);
        let _ = decode_header::<HostToController>(&bytes);
    }

    #[test]
    fn random_preludes_are_within_the_limits_or_refused(start: [u8; PRELUDE_BYTES], lengths in vec(any::<u64>(), 0..6)) {
        if let Ok((header, segments)) = Prelude::start(start) {
            prop_assert!(header <= limits::MAX_HEADER_BYTES);
            prop_assert!(segments <= limits::MAX_SEGMENTS);
        }
        let table: Vec<u8> = lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
        if let Ok(prelude) = Prelude::finish(9, &table) {
            prop_assert!(prelude.body_bytes() as u64 <= limits::MAX_MESSAGE_BYTES);
        }
    }

    #[test]
    fn random_prefixes_are_refused(mut prefix: [u8; hello::PREFIX_BYTES]) {
        prefix[0] |= 0x80;
        prop_assert!(matches!(hello::check_prefix(prefix), Err(hello::HelloError::NotAntiphon(_))));
    }

    #[test]
    fn hellos_come_back(token: String, name: String, release: String) {
        let sent = hello::Hello { token, role: hello::Role::Client { name }, release };
        if let Ok(bytes) = hello::encode(&sent) {
            let length = hello::check_prefix(bytes[..hello::PREFIX_BYTES].try_into().unwrap()).unwrap();
            prop_assert_eq!(length, bytes.len() - hello::PREFIX_BYTES);
            prop_assert_eq!(hello::decode::<hello::Hello>(&bytes[hello::PREFIX_BYTES..]).unwrap(), sent);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for message in samples::from_client() {
        refuses_truncations(&message);
    }
    for message in samples::to_client() {
        refuses_truncations(&message);
    }
    for message in samples::to_host() {
        refuses_truncations(&message);
    }
    for message in samples::from_host() {
        refuses_truncations(&message);
    }
}

fn refuses_truncations<H: Serialize + DeserializeOwned + std::fmt::Debug>(message: &H) {
    let head = encode_head(message, &[]).unwrap();
    let header = &head[PRELUDE_BYTES..];
    for length in 0..header.len() {
        let error = decode_header::<H>(&header[..length]).expect_err("a piece of a message is none");
        assert!(matches!(error, CodecError::Malformed(_)), "{error}");
    }
    let longer = [header, &[0]].concat();
    assert!(decode_header::<H>(&longer).unwrap_err().to_string().contains("1 bytes are left over"));
}

#[test]
fn huge_claims_are_refused_before_anything_is_allocated() {
    let start = |header: u32, segments: u32| {
        let mut bytes = [0; PRELUDE_BYTES];
        bytes[..4].copy_from_slice(&header.to_le_bytes());
        bytes[4..].copy_from_slice(&segments.to_le_bytes());
        Prelude::start(bytes)
    };
    assert!(matches!(start(u32::MAX, 0), Err(CodecError::HeaderTooLong { claimed: 0xffff_ffff })));
    assert!(matches!(start(1, u32::MAX), Err(CodecError::TooManySegments { claimed: 0xffff_ffff })));
    assert!(matches!(start(1, 4097), Err(CodecError::TooManySegments { claimed: 4097 })));
    assert_eq!(start(4 << 20, 4096).unwrap(), (4 << 20, 4096));
    let table = |lengths: &[u64]| lengths.iter().flat_map(|length| length.to_le_bytes()).collect::<Vec<u8>>();
    for lengths in [&[u64::MAX][..], &[u64::MAX, u64::MAX], &[4 << 30], &[1 << 30, 1 << 30]] {
        let refused = Prelude::finish(1, &table(lengths));
        assert!(matches!(refused, Err(CodecError::MessageTooLong { .. })), "{lengths:?}");
    }
}

#[test]
fn a_list_that_claims_more_than_it_has_is_refused() {
    // `Run`, then a list of 2^62 tasks, and nothing.
    let bytes = [&[1, 253][..], &(1u64 << 62).to_le_bytes()].concat();
    assert!(decode_header::<ControllerToHost>(&bytes).is_err());
    // `Goodbye`, then a text of four thousand million bytes.
    let bytes = [&[8, 252][..], &u32::MAX.to_le_bytes()].concat();
    assert!(decode_header::<ControllerToClient>(&bytes).is_err());
}

#[test]
fn too_much_is_not_sent_either() {
    let many = vec![Bytes::new(); limits::MAX_SEGMENTS + 1];
    let error = encode_head(&ControllerToHost::Shutdown, &many).unwrap_err();
    assert!(matches!(error, CodecError::TooManySegments { claimed: 4097 }));
    let long = ControllerToClient::Goodbye { reason: "x".repeat(limits::MAX_HEADER_BYTES) };
    assert!(matches!(encode_head(&long, &[]), Err(CodecError::HeaderTooLong { .. })));
    let piece = Bytes::from(vec![0; 1 << 20]);
    let heavy = vec![piece; 2049];
    let error = encode_head(&ControllerToHost::Shutdown, &heavy).unwrap_err();
    assert!(matches!(error, CodecError::MessageTooLong { .. }));
    let hello = hello::Reply::Refused { reason: "x".repeat(limits::MAX_HELLO_BYTES) };
    assert!(matches!(hello::encode(&hello), Err(hello::HelloError::TooLong { .. })));
}

#[test]
fn another_version_is_refused_in_words() {
    let mut prefix = *b"ANTIPHON\x02\x00\x05\x00";
    let words = hello::check_prefix(prefix).unwrap_err().to_string();
    assert_eq!(
        words,
        "the peer speaks version 2 of the protocol, this program version 1: use the same release of antiphon on both sides"
    );
    prefix[8] = 1;
    assert_eq!(hello::check_prefix(prefix).unwrap(), 5);
    prefix[11] = 0xff;
    assert!(matches!(hello::check_prefix(prefix), Err(hello::HelloError::TooLong { claimed: 0xff05 })));
    let http = *b"GET / HTTP/1";
    assert!(matches!(hello::check_prefix(http), Err(hello::HelloError::NotAntiphon(_))));
}
