//! The whole of `run`, over a real socket: how it joins and what ends it.

use super::deaths::gone;
use crate::{HostConfig, HostError, run};
use antiphon_interpreter::{PythonChoice, find};
use antiphon_protocol::{
    ControllerToHost, EngineId, HostId, HostToController, Lane,
    hello::{Reply, Role},
};
use antiphon_transport::{Address, Listener, Receiver, Sender};
use std::{os::fd::OwnedFd, time::Duration};
use tokio::time::timeout;

type Ends = (Sender<ControllerToHost>, Receiver<HostToController>);

fn config(address: &Address, n: u32, lifeline: Option<OwnedFd>) -> HostConfig {
    HostConfig {
        address: address.clone(),
        token: "secret".to_owned(),
        n,
        python: PythonChoice::Auto,
        name: Some("here".to_owned()),
        labels: vec!["gpu".to_owned()],
        lifeline,
    }
}

/// Runs a test with a controller's address; without a Python it passes and says so.
fn with_address<F: Future<Output = ()>>(test: impl FnOnce(Listener, Address) -> F) {
    if find(&PythonChoice::Auto).is_err() {
        eprintln!("no Python here: passed without being run");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("socket"));
        let listener = Listener::bind(&address).unwrap();
        timeout(Duration::from_secs(30), test(listener, address)).await.expect("in time");
    });
}

/// Lets a host in; its engines' process ids once they are up.
async fn welcome(listener: &Listener) -> (Ends, Vec<u32>) {
    let (hello, pending) = listener.accept().await.unwrap().hello().await.unwrap();
    let Role::Host(info) = hello.role else { panic!("{hello:?}") };
    assert_eq!((info.name.as_str(), hello.token.as_str()), ("here", "secret"));
    assert_eq!((info.labels, info.pid), (vec!["gpu".to_owned()], std::process::id()));
    let reply = Reply::Accepted { cluster: "test".to_owned(), client: None };
    let (sender, mut receiver): Ends = pending.accept(reply).await.unwrap();
    let engines = (0..info.engines).map(EngineId).collect();
    let welcome = ControllerToHost::Welcome { host: HostId(0), engines, n_engines: info.engines };
    sender.send(Lane::Ordinary, welcome).await.unwrap();
    let mut pids = Vec::new();
    while pids.len() < info.engines as usize {
        match receiver.recv().await.unwrap().unwrap().header {
            HostToController::EngineUp { info, .. } => pids.push(info.pid),
            other => panic!("{other:?}"),
        }
    }
    ((sender, receiver), pids)
}

#[test]
fn a_lifeline_that_snaps_ends_everything_well() {
    with_address(|listener, address| async move {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let host = tokio::spawn(run(config(&address, 3, Some(reader))));
        let (ends, pids) = welcome(&listener).await;
        drop(writer);
        assert!(host.await.unwrap().is_ok());
        gone(&pids).await;
        drop(ends);
    });
}

#[test]
fn a_controller_that_is_gone_ends_everything_badly() {
    with_address(|listener, address| async move {
        let host = tokio::spawn(run(config(&address, 2, None)));
        let (ends, pids) = welcome(&listener).await;
        drop(ends);
        assert!(matches!(host.await.unwrap(), Err(HostError::ControllerGone)));
        gone(&pids).await;
    });
}

#[test]
fn a_refusal_is_told_in_the_controllers_words() {
    with_address(|listener, address| async move {
        let host = tokio::spawn(run(config(&address, 1, None)));
        let (_, pending) = listener.accept().await.unwrap().hello().await.unwrap();
        pending.refuse("no such token".to_owned()).await.unwrap();
        let error = host.await.unwrap().unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(matches!(error, HostError::Connect(_)) && source.contains("no such token"), "{source}");
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_starts() {
    with_address(|_, address| async move {
        assert!(matches!(run(config(&address, 0, None)).await, Err(HostError::Engines(0))));
        let python = PythonChoice::Path("/nowhere/python".into());
        let error = run(HostConfig { python, ..config(&address, 1, None) }).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/python"), "{error}");
        let python = PythonChoice::Builtin;
        let found = run(HostConfig { python, ..config(&address, 1, None) }).await;
        assert!(found.is_err());
    });
}
