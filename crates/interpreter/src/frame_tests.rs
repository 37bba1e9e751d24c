#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use bytes::BufMut;

fn wire(header: Header, segments: &[&[u8]]) -> Vec<u8> {
    let segments: Vec<_> = segments.iter().map(|segment| Bytes::copy_from_slice(segment)).collect();
    let mut queue = FrameQueue::default();
    queue.push(header, &segments).unwrap();
    drained(&mut queue, usize::MAX)
}

/// Everything that waits, written in steps of at most this size.
fn drained(queue: &mut FrameQueue, step: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !queue.is_empty() {
        let slices = queue.slices();
        let taken = slices[0].len().min(step);
        bytes.extend_from_slice(&slices[0][..taken]);
        queue.advance(taken);
    }
    bytes
}

/// Feeds bytes in steps of at most this size, into wherever the reader wants them.
fn fed(reader: &mut FrameReader, mut bytes: &[u8], step: usize) -> Result<Vec<Incoming>, FrameError> {
    let mut incoming = Vec::new();
    loop {
        while let Some(frame) = reader.next_frame()? {
            incoming.push(frame);
        }
        if bytes.is_empty() {
            return Ok(incoming);
        }
        let mut spare = reader.spare();
        let taken = spare.remaining_mut().min(step).min(bytes.len());
        spare.put_slice(&bytes[..taken]);
        bytes = &bytes[taken..];
    }
}

fn frames(bytes: &[u8], step: usize) -> Vec<Frame> {
    let mut reader = FrameReader::new(MAX_FRAME_BYTES);
    let incoming = fed(&mut reader, bytes, step).unwrap();
    incoming
        .into_iter()
        .map(|incoming| match incoming {
            Incoming::Frame(frame) => frame,
            Incoming::Oversized { .. } => panic!("{incoming:?}"),
        })
        .collect()
}

#[test]
fn golden_bytes() {
    let execute = Header { kind: kind::EXECUTE, flags: 3, extra: 0x0102_0304, id: 0x1122_3344_5566_7788 };
    let table: [(Header, &[&[u8]], &str); 4] = [
        (Header { kind: kind::RESET, id: 1, ..Header::default() }, &[], "05000000 00000000 0100000000000000"),
        (
            execute,
            &[b"1+1", b"<in>"],
            "01030200 04030201 8877665544332211 0300000000000000 0400000000000000 312b31 3c696e3e",
        ),
        (
            Header { kind: kind::RESULT, flags: 2, extra: 0, id: 7 },
            &[b"2"],
            "41020100 00000000 0700000000000000 0100000000000000 32",
        ),
        (
            Header { kind: kind::INTERRUPT, id: u64::MAX, ..Header::default() },
            &[],
            "13000000 00000000 ffffffffffffffff",
        ),
    ];
    for (header, segments, hex) in table {
        let bytes = wire(header, segments);
        let seen: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(seen, hex.replace(' ', ""), "{header:?}");
        let [frame] = &frames(&bytes, usize::MAX)[..] else { panic!("one frame") };
        assert_eq!(frame.header, header);
        assert_eq!(frame.segments, segments);
    }
}

#[test]
fn frames_survive_any_cut() {
    let big = vec![7u8; 200_000];
    let mut bytes = wire(Header { kind: 65, id: 1, ..Header::default() }, &[b"", b"ab", &big, b"c"]);
    bytes.extend(wire(Header { kind: 66, id: 2, ..Header::default() }, &[]));
    bytes.extend(wire(Header { kind: 65, id: 3, ..Header::default() }, &[&big, &big, b""]));
    let whole = frames(&bytes, usize::MAX);
    assert_eq!(whole.len(), 3);
    assert_eq!(whole[0].segments[2], big);
    assert_eq!(whole[2].segments.iter().map(Bytes::len).collect::<Vec<_>>(), [200_000, 200_000, 0]);
    for step in [1, 7, 16, 17, 1000, 65_536, 100_001] {
        assert_eq!(frames(&bytes, step), whole, "steps of {step}");
    }
}

#[test]
fn a_queue_survives_any_partial_write() {
    let big = Bytes::from(vec![9u8; JOIN_BYTES + 1]);
    let segments = [Bytes::from_static(b"a"), big.clone(), Bytes::new(), big];
    let header = Header { kind: 2, id: 5, ..Header::default() };
    let mut expected = None;
    for step in [usize::MAX, 1, 13, 4096] {
        let mut queue = FrameQueue::default();
        queue.push(header, &segments).unwrap();
        queue.push(header, &[]).unwrap();
        let bytes = drained(&mut queue, step);
        assert_eq!(*expected.get_or_insert(bytes.clone()), bytes);
    }
}

#[test]
fn limits_are_checked_before_anything_is_kept() {
    let claims = |kind: u8, count: u16, lengths: &[u64]| {
        let mut bytes = BytesMut::new();
        bytes.put_u8(kind);
        bytes.put_u8(0);
        bytes.put_u16_le(count);
        bytes.put_u32_le(0);
        bytes.put_u64_le(1);
        lengths.iter().for_each(|length| bytes.put_u64_le(*length));
        bytes
    };
    let error = |bytes: &[u8], limit| fed(&mut FrameReader::new(limit), bytes, usize::MAX).unwrap_err();
    assert_eq!(error(&claims(1, 4097, &[]), MAX_FRAME_BYTES), FrameError::TooManySegments { claimed: 4097 });
    let over = MAX_FRAME_BYTES + 1;
    for lengths in [&[over][..], &[MAX_FRAME_BYTES, 1], &[u64::MAX, u64::MAX]] {
        let bytes = claims(kind::RESULT, lengths.len() as u16, lengths);
        assert!(
            matches!(error(&bytes, MAX_FRAME_BYTES), FrameError::TooLong { claimed, .. } if claimed >= over)
        );
    }
    assert_eq!(
        error(&claims(kind::STREAM, 1, &[101]), 100),
        FrameError::TooLong { kind: kind::STREAM, claimed: 101, limit: 100 }
    );
}

#[test]
fn an_oversized_result_is_passed_over_and_what_follows_is_not() {
    let header = Header { kind: kind::RESULT, id: 4, ..Header::default() };
    let mut bytes = wire(header, &[&vec![1; 150_000], b"more"]);
    let small = Header { kind: kind::RESULT, id: 5, ..Header::default() };
    bytes.extend(wire(small, &[b"ok"]));
    for step in [1000, usize::MAX] {
        let incoming = fed(&mut FrameReader::new(100_000), &bytes, step).unwrap();
        assert_eq!(incoming[0], Incoming::Oversized { header, bytes: 150_004 });
        let ok = Frame { header: small, segments: vec![Bytes::from_static(b"ok")] };
        assert_eq!(incoming[1..], [Incoming::Frame(ok)]);
    }
}

#[test]
fn what_cannot_be_a_frame_is_not_queued() {
    let mut queue = FrameQueue::default();
    let error = queue.push(Header::default(), &vec![Bytes::new(); MAX_SEGMENTS + 1]);
    assert_eq!(error, Err(FrameError::TooManySegments { claimed: MAX_SEGMENTS + 1 }));
    assert!(queue.is_empty());
}
