//! The client library against a controller that is played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use antiphon_client::{Client, ClientError, Event, ExecuteOptions, Pickled, Reply};
use antiphon_protocol::{
    ClientId, ClientToController, ControllerToClient, EngineId, Interruption, Lane, Loss, LossCause, Message,
    Notice, Outcome, Refusal, RequestId, StreamName, Target, Work, hello, limits::STREAM_WINDOW_BYTES,
};
use antiphon_transport::{Address, Listener, Receiver, Sender};
use bytes::Bytes;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// The other side of a client's connection.
struct Controller {
    sender: Sender<ControllerToClient>,
    receiver: Receiver<ClientToController>,
    _folder: TempDir,
}

impl Controller {
    async fn hears(&mut self) -> Message<ClientToController> {
        let heard = timeout(Duration::from_secs(10), self.receiver.recv()).await.expect("a message in time");
        heard.unwrap().expect("a message")
    }

    async fn hears_submit(&mut self) -> (RequestId, Target, Work, Vec<Bytes>) {
        let message = self.hears().await;
        match message.header {
            ClientToController::Submit { request, target, work, .. } => {
                (request, target, work, message.segments)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn says(&self, message: impl Into<Message<ControllerToClient>>) {
        self.sender.send(Lane::Ordinary, message).await.unwrap();
    }

    async fn accepts(&self, request: RequestId, engines: &[u32]) {
        let engines = engines.iter().copied().map(EngineId).collect();
        self.says(ControllerToClient::Accepted { request, engines }).await;
    }

    async fn answers(&self, request: RequestId, position: u32, engine: u32, repr: &str) {
        let outcome = Outcome::Done { repr: true, value: false, cut: None };
        let engine = EngineId(engine);
        let header = ControllerToClient::Answer { request, position, engine, outcome, elapsed_us: 7 };
        self.says(Message::new(header, vec![Bytes::copy_from_slice(repr.as_bytes())])).await;
    }

    async fn prints(&self, request: RequestId, engine: u32, text: &[u8]) {
        let (engine, stream) = (EngineId(engine), StreamName::Stdout);
        let header = ControllerToClient::Stream { request, engine, stream };
        self.says(Message::new(header, vec![Bytes::copy_from_slice(text)])).await;
    }
}

async fn connected() -> (Client, Controller) {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("socket"));
    let listener = Listener::bind(&address).unwrap();
    let accept = async {
        let (hello, pending) = listener.accept().await.unwrap().hello().await.unwrap();
        assert_eq!(hello.token, "secret");
        let reply = hello::Reply::Accepted { cluster: "test".into(), client: Some(ClientId(5)) };
        pending.accept(reply).await.unwrap()
    };
    let (client, (sender, receiver)) = tokio::join!(Client::connect(&address, "secret", "tester"), accept);
    (client.unwrap(), Controller { sender, receiver, _folder: folder })
}

fn reprs(answers: &[antiphon_client::Answer]) -> Vec<String> {
    let repr = |reply: &Reply| match reply {
        Reply::Done(done) => done.repr.clone().unwrap_or_default(),
        other => format!("{other:?}"),
    };
    answers.iter().map(|answer| repr(&answer.reply)).collect()
}

#[tokio::test]
async fn answers_come_in_target_order_however_they_arrive() {
    let (client, mut controller) = connected().await;
    assert_eq!((client.cluster(), client.id()), ("test", Some(ClientId(5))));
    let controller = async {
        let (request, target, _, segments) = controller.hears_submit().await;
        assert_eq!(target.to_string(), "all");
        assert_eq!(segments, [Bytes::from("1 + 1"), Bytes::from("<antiphon>")]);
        controller.accepts(request, &[4, 7]).await;
        controller.answers(request, 1, 7, "b").await;
        controller.answers(request, 0, 4, "a").await;
        controller
    };
    let asked = async {
        let request = client.execute(&Target::all(), "1 + 1", ExecuteOptions::default()).await.unwrap();
        assert_eq!(request.engines(), [EngineId(4), EngineId(7)]);
        request.answers().await.unwrap()
    };
    let (answers, _controller) = tokio::join!(asked, controller);
    assert_eq!(reprs(&answers), ["a", "b"]);
    assert_eq!(answers[1].engine, EngineId(7));
    assert_eq!(answers[0].elapsed, Duration::from_micros(7));
}

#[tokio::test]
async fn a_farmed_request_has_one_answer() {
    let (client, mut controller) = connected().await;
    let controller = async {
        let (request, target, ..) = controller.hears_submit().await;
        assert!(target.is_any());
        controller.accepts(request, &[]).await;
        controller.answers(request, 0, 9, "x").await;
        controller
    };
    let any = "any".parse().unwrap();
    let asked = async {
        client.execute(&any, "x", ExecuteOptions::default()).await.unwrap().answers().await.unwrap()
    };
    let (answers, _controller) = tokio::join!(asked, controller);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].engine, EngineId(9));
}

#[tokio::test]
async fn a_refusal_changes_nothing_and_carries_its_hint() {
    let (client, mut controller) = connected().await;
    let controller = async {
        let (request, ..) = controller.hears_submit().await;
        let refusal = Refusal::Target { message: "engine 9 is not there".into(), hint: Some("try 0".into()) };
        controller.says(ControllerToClient::Refused { request, refusal }).await;
        controller
    };
    let target = "9".parse().unwrap();
    let (refused, _controller) =
        tokio::join!(client.execute(&target, "1", ExecuteOptions::default()), controller);
    let error = refused.unwrap_err();
    assert_eq!(error.to_string(), "engine 9 is not there");
    assert_eq!(error.hint(), Some("try 0"));
    assert!(error.is_usage());
}

#[tokio::test]
async fn output_is_granted_again_when_it_is_consumed_and_not_before() {
    let (client, mut controller) = connected().await;
    let portion = vec![b'x'; 64 << 10];
    let count = STREAM_WINDOW_BYTES as usize / portion.len();
    let (request, id) = {
        let target = Target::all();
        let submitted = client.execute(&target, "print()", ExecuteOptions::default());
        let played = async {
            let (request, ..) = controller.hears_submit().await;
            controller.accepts(request, &[0]).await;
            for _ in 0..count {
                controller.prints(request, 0, &portion).await;
            }
            request
        };
        let (request, id) = tokio::join!(submitted, played);
        (request.unwrap(), id)
    };
    let mut request = request;
    let mut read = 0;
    while read < STREAM_WINDOW_BYTES {
        match request.next().await.unwrap().unwrap() {
            Event::Stream { engine: EngineId(0), text, .. } => read += text.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    let mut granted = 0;
    while granted < STREAM_WINDOW_BYTES {
        match controller.hears().await.header {
            ClientToController::Credit { engine: EngineId(0), bytes } => granted += bytes,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted, STREAM_WINDOW_BYTES);
    controller.answers(id, 0, 0, "").await;
    assert!(matches!(request.next().await, Some(Ok(Event::Answer(_)))));
    assert!(request.next().await.is_none());
}

#[tokio::test]
async fn output_nobody_reads_is_granted_at_once() {
    let (client, mut controller) = connected().await;
    controller.prints(RequestId(99), 3, &vec![b'x'; 64 << 10]).await;
    match controller.hears().await.header {
        ClientToController::Credit { engine: EngineId(3), bytes } => assert_eq!(bytes, 64 << 10),
        other => panic!("{other:?}"),
    }
    drop(client);
}

#[tokio::test]
async fn what_a_dropped_request_printed_is_granted() {
    let (client, mut controller) = connected().await;
    let target = Target::all();
    let submitted = client.execute(&target, "print()", ExecuteOptions::default());
    let played = async {
        let (request, ..) = controller.hears_submit().await;
        controller.accepts(request, &[0]).await;
        controller.prints(request, 0, &vec![b'x'; 64 << 10]).await;
        controller
            .says(ControllerToClient::Notice(Notice::HostDown { name: "h".into(), engines: vec![] }))
            .await;
    };
    let mut notices = client.notices();
    let (request, ()) = tokio::join!(submitted, played);
    // The notice came after the output, so that is in the request now.
    notices.recv().await.unwrap();
    drop(request);
    match controller.hears().await.header {
        ClientToController::Credit { bytes, .. } => assert_eq!(bytes, 64 << 10),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lost_connection_ends_everything_and_says_why() {
    let (client, mut controller) = connected().await;
    let played = async {
        let (request, ..) = controller.hears_submit().await;
        controller.accepts(request, &[0, 1]).await;
        controller.answers(request, 0, 0, "first").await;
        controller.says(ControllerToClient::Goodbye { reason: "out of order".into() }).await;
        drop(controller);
    };
    let asked = async {
        let mut request = client.execute(&Target::all(), "1", ExecuteOptions::default()).await.unwrap();
        assert!(matches!(request.next().await, Some(Ok(Event::Answer(_)))));
        assert_eq!(request.waiting(), [EngineId(1)]);
        let error = request.next().await.unwrap().unwrap_err();
        assert!(request.next().await.is_none());
        error
    };
    let (error, ()) = tokio::join!(asked, played);
    assert_eq!(error.to_string(), "the connection to the cluster is lost: out of order");
    assert!(matches!(client.lost().await, ClientError::ConnectionLost { .. }));
    assert!(matches!(client.status().await, Err(ClientError::ConnectionLost { .. })));
    let later = client.execute(&Target::all(), "1", ExecuteOptions::default()).await;
    assert_eq!(later.unwrap_err().to_string(), error.to_string());
}

#[tokio::test]
async fn a_submission_that_is_given_up_is_interrupted() {
    let (client, mut controller) = connected().await;
    let target = Target::all();
    let mut submission = Box::pin(client.execute(&target, "1", ExecuteOptions::default()));
    let (request, ..) = tokio::select! {
        heard = controller.hears_submit() => heard,
        _ = &mut submission => panic!("it was not accepted"),
    };
    drop(submission);
    match controller.hears().await.header {
        ClientToController::Interrupt { what: Interruption::Request(interrupted), .. } => {
            assert_eq!(interrupted, request);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_outlives_its_client() {
    let (client, mut controller) = connected().await;
    let target = Target::all();
    let submitted = client.execute(&target, "1", ExecuteOptions::default());
    let played = async {
        let (request, ..) = controller.hears_submit().await;
        controller.accepts(request, &[0]).await;
        request
    };
    let (request, id) = tokio::join!(submitted, played);
    drop(client);
    controller.answers(id, 0, 0, "still").await;
    let answers = timeout(Duration::from_secs(10), request.unwrap().answers()).await.expect("an answer");
    assert_eq!(reprs(&answers.unwrap()), ["still"]);
    let end = timeout(Duration::from_secs(10), controller.receiver.recv()).await.expect("an end");
    assert!(end.unwrap().is_none(), "the connection ends with the last request");
}

#[tokio::test]
async fn values_and_losses_arrive_as_they_are() {
    let (client, mut controller) = connected().await;
    let played = async {
        let (request, _, work, segments) = controller.hears_submit().await;
        assert_eq!((work, segments), (Work::Get, vec![Bytes::from("[\"x\"]")]));
        controller.accepts(request, &[0, 1]).await;
        let outcome = Outcome::Done { repr: false, value: true, cut: None };
        let (position, engine, elapsed_us) = (0, EngineId(0), 0);
        let header = ControllerToClient::Answer { request, position, engine, outcome, elapsed_us };
        let segments = vec![Bytes::new(), Bytes::from("pickle"), Bytes::from("buffer")];
        controller.says(Message::new(header, segments)).await;
        let outcome = Outcome::Lost(Loss { cause: LossCause::Signal(9), started: true });
        let (position, engine) = (1, EngineId(1));
        controller.says(ControllerToClient::Answer { request, position, engine, outcome, elapsed_us }).await;
        controller
    };
    let target = Target::all();
    let (answers, mut controller) = tokio::join!(client.pull(&target, &["x"]), played);
    let answers = answers.unwrap();
    let value = Pickled(vec![Bytes::from("pickle"), Bytes::from("buffer")]);
    assert_eq!(answers[0].reply.value(), Some(&value));
    assert!(matches!(&answers[1].reply, Reply::Lost(loss) if loss.cause == LossCause::Signal(9)));

    let played = async {
        let (request, _, work, segments) = controller.hears_submit().await;
        assert_eq!(work, Work::Put);
        assert_eq!(segments, [Bytes::from("[\"y\"]"), Bytes::from("pickle"), Bytes::from("buffer")]);
        controller.accepts(request, &[0]).await;
        controller.answers(request, 0, 0, "").await;
        controller
    };
    let (put, _controller) = tokio::join!(client.push(&target, "y", &value), played);
    assert_eq!(put.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nobody");
    let error = Client::connect(&Address::Unix(path), "secret", "tester").await.unwrap_err();
    let ClientError::Connect(source) = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("nobody"), "{source}");
}
