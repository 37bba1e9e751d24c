//! Connections over real sockets: order, lanes, large messages, refusals, nonsense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_protocol::{
    ClientToController, ControllerToClient, EngineId, Lane, Message, RequestId,
    hello::{Hello, MAGIC, PROTOCOL_VERSION, Reply, Role},
};
use antiphon_transport::{
    Address, ConnectError, Connected, Listener, ReceiveError, Receiver, Sender, connect,
};
use bytes::Bytes;
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

type Client = Connected<ClientToController, ControllerToClient>;
type Server = (Sender<ControllerToClient>, Receiver<ClientToController>);

const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("took too long")
}

fn hello() -> Hello {
    Hello { token: "t".into(), role: Role::Client { name: "test".into() }, release: "0".into() }
}

fn accepted() -> Reply {
    Reply::Accepted { cluster: "c".into(), client: None }
}

fn listen() -> (tempfile::TempDir, Address, Listener) {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("s"));
    let listener = Listener::bind(&address).unwrap();
    (folder, address, listener)
}

async fn pair() -> (tempfile::TempDir, Client, Server) {
    let (folder, address, listener) = listen();
    let serve = async {
        let (_, pending) = listener.accept().await.unwrap().hello().await.unwrap();
        pending.accept(accepted()).await.unwrap()
    };
    let hello = hello();
    let (client, server) = soon(async { tokio::join!(connect(&address, &hello), serve) }).await;
    (folder, client.unwrap(), server)
}

fn status(n: u64) -> ClientToController {
    ClientToController::Status { request: RequestId(n) }
}

fn with_data(n: u64, sizes: &[usize]) -> Message<ClientToController> {
    let segments = sizes.iter().enumerate().map(|(i, &size)| Bytes::from(vec![i as u8; size])).collect();
    Message::new(status(n), segments)
}

#[tokio::test]
async fn messages_of_all_sizes_arrive_whole_and_in_order() {
    let (_folder, client, (_sender, mut receiver)) = pair().await;
    let shapes: Vec<Vec<usize>> = vec![
        vec![],
        vec![0],
        vec![1, 0, 5],
        vec![70_000],
        vec![262_144 - 40],
        vec![300_000, 7, 0, 1_000_000],
        vec![20 << 20],
        vec![3; 4096],
        vec![1],
    ];
    let messages: Vec<_> = shapes.iter().enumerate().map(|(n, sizes)| with_data(n as u64, sizes)).collect();
    let wanted = messages.clone();
    let send = async {
        for message in messages {
            client.sender.send(Lane::Ordinary, message).await.unwrap();
        }
        client.sender.close();
    };
    let receive = async {
        for message in wanted {
            let got = receiver.recv().await.unwrap().unwrap();
            assert!(got == message, "message {:?} differs", message.header);
        }
        assert!(receiver.recv().await.unwrap().is_none());
    };
    soon(async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn urgent_messages_overtake_bulk() {
    let (_folder, client, (_sender, mut receiver)) = pair().await;
    client.sender.try_send(Lane::Ordinary, with_data(1, &[64 << 20])).unwrap();
    client.sender.try_send(Lane::Urgent, status(2)).unwrap();
    let first = soon(receiver.recv()).await.unwrap().unwrap();
    assert_eq!(first.header, status(2));
    let second = soon(receiver.recv()).await.unwrap().unwrap();
    assert_eq!((second.header.clone(), second.data_bytes()), (status(1), 64 << 20));
}

#[tokio::test]
async fn a_sender_waits_while_its_peer_does_not_read() {
    let (_folder, client, (_sender, mut receiver)) = pair().await;
    client.sender.try_send(Lane::Ordinary, with_data(1, &[32 << 20])).unwrap();
    let waiting = client.sender.send(Lane::Ordinary, status(2));
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(50), &mut waiting).await.is_err(), "send did not wait");
    let read = async {
        assert_eq!(receiver.recv().await.unwrap().unwrap().header, status(1));
        assert_eq!(receiver.recv().await.unwrap().unwrap().header, status(2));
    };
    let (sent, ()) = soon(async { tokio::join!(waiting, read) }).await;
    sent.unwrap();
}

#[tokio::test]
async fn a_dropped_receive_loses_nothing() {
    let (_folder, client, (_sender, mut receiver)) = pair().await;
    let send = async {
        for n in 0..200 {
            client.sender.send(Lane::Ordinary, with_data(n, &[100_000])).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let receive = async {
        for n in 0..200 {
            let message = loop {
                tokio::select! { biased;
                    got = receiver.recv() => break got.unwrap().unwrap(),
                    () = tokio::task::yield_now() => {}
                }
            };
            assert!(message == with_data(n, &[100_000]));
        }
    };
    soon(async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn a_refusal_carries_its_words() {
    let (_folder, address, listener) = listen();
    let serve = async {
        let (_, pending) = listener.accept().await.unwrap().hello().await.unwrap();
        pending.refuse("the token is wrong".into()).await.unwrap();
    };
    let hello = hello();
    let (client, ()) = soon(async {
        tokio::join!(connect::<ClientToController, ControllerToClient>(&address, &hello), serve)
    })
    .await;
    match client {
        Err(ConnectError::Refused(reason)) => assert_eq!(reason, "the token is wrong"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_version_is_refused_in_words() {
    let (_folder, address, listener) = listen();
    let Address::Unix(path) = &address else { panic!() };
    let mut stream = UnixStream::connect(path).await.unwrap();
    let mut bytes = MAGIC.to_vec();
    bytes.extend((PROTOCOL_VERSION + 1).to_le_bytes());
    bytes.extend([2, 0, b'{', b'}']);
    stream.write_all(&bytes).await.unwrap();
    let error = soon(listener.accept().await.unwrap().hello()).await.unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("use the same release"), "{answer:?}");
}

#[tokio::test]
async fn nonsense_after_the_hello_is_an_error_and_allocates_nothing() {
    // Length, lane, flags, zeros; then a prelude where one is announced.
    let four_gib = [
        &0x1000u32.to_le_bytes()[..],
        &[1, 1, 0, 0],
        &8u32.to_le_bytes(),
        &1u32.to_le_bytes(),
        &(4u64 << 30).to_le_bytes(),
    ]
    .concat();
    let header =
        [&0x1000u32.to_le_bytes()[..], &[1, 1, 0, 0], &u32::MAX.to_le_bytes(), &0u32.to_le_bytes()].concat();
    let segments =
        [&0x1000u32.to_le_bytes()[..], &[1, 1, 0, 0], &8u32.to_le_bytes(), &u32::MAX.to_le_bytes()].concat();
    let packet = [&u32::MAX.to_le_bytes()[..], &[1, 3, 0, 0]].concat();
    let malformed =
        [&12u32.to_le_bytes()[..], &[1, 3, 0, 0], &4u32.to_le_bytes(), &0u32.to_le_bytes(), &[0xff; 4]]
            .concat();
    let continuation = [&4u32.to_le_bytes()[..], &[1, 0, 0, 0, 1, 2, 3, 4]].concat();
    let truncated = [&400u32.to_le_bytes()[..], &[1, 3, 0, 0, 1]].concat();
    for nonsense in [four_gib, header, segments, packet, malformed, continuation, truncated, vec![0xa5; 5000]]
    {
        let (_folder, address, listener) = listen();
        let Address::Unix(path) = &address else { panic!() };
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(&antiphon_protocol::hello::encode(&hello()).unwrap()).await.unwrap();
        let (_, pending) = soon(listener.accept().await.unwrap().hello()).await.unwrap();
        let (_sender, mut receiver): Server = pending.accept(accepted()).await.unwrap();
        stream.write_all(&nonsense).await.unwrap();
        drop(stream);
        let got: Result<_, ReceiveError> = soon(receiver.recv()).await;
        assert!(got.is_err(), "{nonsense:?} gave {got:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_peer_is_seen_by_both_halves() {
    let (_folder, client, (sender, mut receiver)) = pair().await;
    drop(client);
    assert!(soon(receiver.recv()).await.unwrap().is_none());
    let credit = ControllerToClient::Carried { request: RequestId(1), reached: EngineId(0).0 };
    let ended = async { while sender.send(Lane::Ordinary, credit.clone()).await.is_ok() {} };
    soon(ended).await;
    soon(sender.ended()).await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = Address::Unix(path.clone());
    let listener = Listener::bind(&address).unwrap();
    assert!(Listener::bind(&address).is_err());
    drop(listener);
    assert!(!path.exists());
}
