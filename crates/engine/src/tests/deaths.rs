//! Engines that die, and hosts that end.

use super::controller::Controller;
use crate::host::HostError;
use antiphon_protocol::{
    ControllerToHost, EngineId, HostToController, LossCause, Outcome, StreamName, TaskId,
};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

/// A zombie that nobody has reaped yet does not run.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

pub(crate) async fn gone(pids: &[u32]) {
    while pids.iter().any(|pid| is_running(*pid)) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn a_killed_engine_is_told_and_comes_back_empty() {
    Controller::run(2, |mut controller| async move {
        controller.execute(0, "x = 1").await;
        let pid: u32 = controller.execute(0, "import os; os.getpid()").await.repr().parse().unwrap();
        let task = controller.begin(0, "while True: pass").await;
        let waiting = controller.submit(&[0], "'ran'")[0];
        // What waits is known to the host before the engine dies.
        assert_eq!(controller.execute(1, "1").await.repr(), "1");
        kill(pid);
        assert_eq!(controller.down(0).await, (LossCause::Signal(9), Some(task), true));
        let info = controller.up().await;
        assert_ne!(info.pid, pid);
        assert!(matches!(controller.execute(0, "x").await.outcome, Outcome::Raised { .. }));
        let is_heard = |said: &antiphon_protocol::Message<HostToController>| matches!(said.header, HostToController::Done { task, .. } if task == waiting);
        assert_eq!(controller.execute(0, "2").await.repr(), "2");
        assert!(!controller.any_heard(is_heard), "what waited was lost with the engine");
    });
}

#[test]
fn an_idle_death_blames_no_task() {
    Controller::run(1, |mut controller| async move {
        let pid: u32 = controller.execute(0, "import os; os.getpid()").await.repr().parse().unwrap();
        kill(pid);
        assert_eq!(controller.down(0).await, (LossCause::Signal(9), None, true));
        controller.up().await;
        assert_eq!(controller.execute(0, "2").await.repr(), "2");
    });
}

#[test]
fn an_exit_is_told_after_the_last_words() {
    Controller::run(1, |mut controller| async move {
        for turn in 0..10 {
            let source =
                format!("import os\nprint('last {turn}', flush=True)\nos.write(1, b'raw\\n')\nos._exit(3)");
            let task = controller.submit(&[0], &source)[0];
            assert_eq!(controller.down(0).await, (LossCause::Exit(3), Some(task), true));
            let stdout = controller.printed(StreamName::Stdout);
            assert!(stdout.contains(&format!("last {turn}\n")) && stdout.contains("raw\n"), "{stdout:?}");
            controller.up().await;
        }
    });
}

#[test]
fn a_finished_task_is_not_lost_with_its_engine() {
    Controller::run(1, |mut controller| async move {
        let source = "import os, threading, time\n\
                      threading.Thread(target=lambda: (time.sleep(0.05), os._exit(4))).start()\n'done'";
        assert_eq!(controller.execute(0, source).await.repr(), "'done'");
        assert_eq!(controller.down(0).await, (LossCause::Exit(4), None, true));
    });
}

#[test]
fn a_restart_kills_whatever_runs() {
    Controller::run(2, |mut controller| async move {
        let task = controller
            .begin(0, "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2])\nwhile True: pass")
            .await;
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0), EngineId(1)] }, Vec::new());
        assert_eq!(controller.down(0).await, (LossCause::Restarted, Some(task), true));
        assert_eq!(controller.down(1).await, (LossCause::Restarted, None, true));
        controller.up().await;
        controller.up().await;
        assert_eq!(controller.execute(0, "1").await.repr(), "1");
        assert_eq!(controller.execute(1, "1").await.repr(), "1");
    });
}

#[test]
fn a_killed_fork_server_is_replaced_with_its_engines() {
    Controller::run(2, |mut controller| async move {
        let server = controller.forker.get().await.unwrap().pid();
        let task = controller.begin(0, "while True: pass").await;
        kill(server);
        let (cause, running, restarting) = controller.down(0).await;
        assert!(matches!(cause, LossCause::Bridge(_) | LossCause::Signal(9)), "{cause:?}");
        assert_eq!((running, restarting), (Some(task), true));
        controller.down(1).await;
        controller.up().await;
        controller.up().await;
        assert_ne!(controller.forker.get().await.unwrap().pid(), server);
        assert_eq!(controller.execute(0, "1").await.repr(), "1");
    });
}

#[test]
fn the_end_of_the_controller_is_the_end_of_the_engines() {
    Controller::run(2, |mut controller| async move {
        let source = "import subprocess; [os.getpid(), subprocess.Popen(['sleep', '1000']).pid]";
        controller.execute(0, "import os").await;
        let ended = controller.execute(0, source).await;
        let pids: Vec<u32> =
            ended.repr().trim_matches(['[', ']']).split(", ").map(|pid| pid.parse().unwrap()).collect();
        controller.leave();
        let served = (&mut controller.host).await.unwrap();
        assert!(matches!(served, Err(HostError::ControllerGone)), "{served:?}");
        controller.forker.stop().await;
        gone(&pids).await;
    });
}

#[test]
fn a_shutdown_is_an_orderly_end() {
    Controller::run(1, |mut controller| async move {
        controller.say(ControllerToHost::Shutdown, Vec::new());
        assert!((&mut controller.host).await.unwrap().is_ok());
    });
}

#[test]
fn what_never_starts_is_given_up_and_may_be_asked_for_again() {
    Controller::run(1, |mut controller| async move {
        // Each life ends before it does any work.
        let mut gone = None;
        let mut pid = controller.infos[0].pid;
        while gone.is_none() {
            kill(pid);
            let (cause, running, restarting) = controller.down(0).await;
            assert_eq!((cause, running, restarting), (LossCause::Signal(9), None, true));
            let next = controller
                .find(|said| match &said.header {
                    HostToController::EngineUp { info, .. } => Some(Ok(info.pid)),
                    HostToController::EngineDown { cause, restarting: false, .. } => Some(Err(cause.clone())),
                    _ => None,
                })
                .await;
            match next {
                Ok(next) => pid = next,
                Err(cause) => gone = Some(cause),
            }
        }
        assert!(
            matches!(&gone, Some(LossCause::NotStarted(reason)) if reason.contains("signal 9")),
            "{gone:?}"
        );
        let task = controller.submit(&[0], "1")[0];
        assert!(matches!(controller.done(task).await.outcome, Outcome::Lost(loss) if !loss.started));
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0)] }, Vec::new());
        controller.up().await;
        assert_eq!(controller.execute(0, "1").await.repr(), "1");
    });
}

#[test]
fn a_query_to_an_engine_that_dies_is_answered() {
    Controller::run(1, |mut controller| async move {
        controller.begin(0, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)").await;
        let query = TaskId(500);
        controller.say(
            ControllerToHost::Query { query, engine: EngineId(0), ask: antiphon_protocol::Ask::Who },
            vec![],
        );
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0)] }, Vec::new());
        let ok = controller
            .find(|said| match said.header {
                HostToController::Replied { query: of, ok } if of == query => Some(ok),
                _ => None,
            })
            .await;
        // Answered before the stop took effect, or failed with the engine.
        let _ = ok;
        controller.down(0).await;
        controller.up().await;
    });
}
