//! The bytes of every kind of message. If one of these changes, so does the protocol: raise its version.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;

use antiphon_protocol::{
    ClientId, HostInfo,
    codec::encode_head,
    hello::{Hello, Reply, Role, encode},
};
use bytes::Bytes;
use samples::Sample;
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Every sample, one line each.
fn now() -> String {
    let mut text = String::new();
    for Sample { name, encoded } in samples::all() {
        writeln!(text, "{name} {}", hex(&encoded)).unwrap();
    }
    text
}

#[test]
fn every_message_has_the_bytes_it_always_had() {
    let golden: Vec<&str> = include_str!("golden.txt").lines().collect();
    let now = now();
    let now: Vec<&str> = now.lines().collect();
    for (line, expected) in now.iter().zip(&golden) {
        assert_eq!(line, expected, "the protocol changed: raise PROTOCOL_VERSION and write golden.txt anew");
    }
    let all = now.join("\n");
    assert_eq!(now.len(), golden.len(), "samples came or went; golden.txt would now be:\n{all}");
}

#[test]
fn every_kind_of_message_has_a_sample() {
    let names: std::collections::BTreeSet<String> = samples::all()
        .into_iter()
        .map(|sample| sample.name.split('/').take(2).collect::<Vec<_>>().join("/"))
        .collect();
    for kind in samples::KINDS {
        assert!(names.contains(*kind), "no sample of {kind}");
    }
    assert_eq!(names.len(), samples::KINDS.len(), "{names:?}");
}

#[test]
fn a_head_is_lengths_then_header() {
    let segments = [Bytes::from_static(b"abc"), Bytes::new()];
    let head = encode_head(&antiphon_protocol::ControllerToHost::Shutdown, &segments).unwrap();
    assert_eq!(hex(&head), concat!("01000000", "02000000", "0300000000000000", "0000000000000000", "06"));
}

#[test]
fn a_hello_has_the_bytes_it_always_had() {
    let hello = Hello {
        token: "secret".into(),
        role: Role::Client { name: "shell".into() },
        release: "0.1.0".into(),
    };
    let json = br#"{"token":"secret","role":{"client":{"name":"shell"}},"release":"0.1.0"}"#;
    assert_eq!(encode(&hello).unwrap(), [b"ANTIPHON\x01\x00\x47\x00".as_slice(), json].concat());

    let info = HostInfo { name: "m1".into(), pid: 7, engines: 4, labels: vec!["gpu".into()] };
    let hello = Hello { token: "secret".into(), role: Role::Host(info), release: "0.1.0".into() };
    let json = br#"{"token":"secret","role":{"host":{"name":"m1","pid":7,"engines":4,"labels":["gpu"]}},"release":"0.1.0"}"#;
    assert_eq!(encode(&hello).unwrap(), [b"ANTIPHON\x01\x00\x67\x00".as_slice(), json].concat());
}

#[test]
fn a_reply_has_the_bytes_it_always_had() {
    let accepted = Reply::Accepted { cluster: "default".into(), client: Some(ClientId(3)) };
    let json = br#"{"accepted":{"cluster":"default","client":3}}"#;
    assert_eq!(encode(&accepted).unwrap(), [b"ANTIPHON\x01\x00\x2d\x00".as_slice(), json].concat());

    let refused = Reply::Refused { reason: "no".into() };
    let json = br#"{"refused":{"reason":"no"}}"#;
    assert_eq!(encode(&refused).unwrap(), [b"ANTIPHON\x01\x00\x1b\x00".as_slice(), json].concat());
}
