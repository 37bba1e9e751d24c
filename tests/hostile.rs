//! Nonsense on the controller's socket: refused, logged, others unaffected.

use crate::common::*;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

#[test]
fn nonsense_on_the_socket_is_refused_and_others_are_unaffected() {
    let Some(python) = cpython() else { return };
    let home = home();
    let up = home.run(["up", "-n", "2", "--python", &python], "");
    assert_eq!(up.status, Some(0), "{up:#?}");
    let socket = home.sockets().into_iter().next().expect("the controller's socket");
    let mut wrong_version = b"ANTIPHON".to_vec();
    wrong_version.extend([99, 0, 2, 0, b'{', b'}']);
    let mut random = Vec::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..4096 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        random.push(state as u8);
    }
    let mut wrong_token = b"ANTIPHON".to_vec();
    let json = br#"{"token":"guess","role":{"client":{"name":"x"}},"release":"0"}"#;
    wrong_token.extend([1, 0, json.len() as u8, 0]);
    wrong_token.extend(json);
    let truncated = b"ANTIPH".to_vec();
    for nonsense in [&random, &wrong_version, &wrong_token, &truncated, &Vec::new()] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let _ = stream.write_all(nonsense);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        if nonsense == &wrong_version {
            assert!(String::from_utf8_lossy(&answer).contains("version 99"), "{answer:?}");
        }
        if nonsense == &wrong_token {
            assert!(String::from_utf8_lossy(&answer).contains("token"), "{answer:?}");
        }
        home.run(["exec", "1 + 1"], "").expect(0, "[2, 2]\n");
    }
    // With the right token: a packet that claims 4 GiB, then one that is cut off.
    let connection = client_json(&home);
    let token = connection["token"].as_str().expect("a token");
    let hello = format!(r#"{{"token":"{token}","role":{{"client":{{"name":"x"}}}},"release":"0"}}"#);
    for packet in [vec![0xff, 0xff, 0xff, 0xff, 1, 3, 0, 0], vec![16, 0, 0, 0, 1, 3, 0, 0, 1]] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let mut bytes = b"ANTIPHON".to_vec();
        bytes.extend([1, 0]);
        bytes.extend((hello.len() as u16).to_le_bytes());
        bytes.extend(hello.as_bytes());
        bytes.extend(packet);
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.read_to_end(&mut Vec::new()).expect("the controller closes the connection");
        home.run(["exec", "1 + 1"], "").expect(0, "[2, 2]\n");
    }
    let logs = home.logs();
    assert_eq!(logs.matches("version 99").count(), 1, "{logs}");
    assert_eq!(home.run(["down"], "").status, Some(0));
    home.assert_nothing_left();
}

fn client_json(home: &Home) -> serde_json::Value {
    let folder = home.path().join("state/antiphon/clusters");
    let cluster = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    serde_json::from_slice(&std::fs::read(cluster.join("client.json")).unwrap()).unwrap()
}
