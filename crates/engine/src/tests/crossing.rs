//! Messages that cross or overtake others on the wire.

use super::controller::Controller;
use antiphon_protocol::{
    ControllerToHost, EngineId, HostToController, Loss, LossCause, Message, Outcome, TaskId,
};
use rustix::process::{Pid, Signal, kill_process};

const CANCELLED: Outcome = Outcome::Lost(Loss { cause: LossCause::Cancelled, started: false });

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

fn is_done(of: &[TaskId]) -> impl Fn(&Message<HostToController>) -> bool {
    |said| matches!(said.header, HostToController::Done { task, .. } if of.contains(&task))
}

fn see_down(controller: &Controller) {
    controller.say(ControllerToHost::DownSeen { engine: EngineId(0) }, Vec::new());
}

/// Ends engine 0; returns the process of its next life.
async fn die(controller: &mut Controller, pid: u32) -> u32 {
    kill(pid);
    controller.down(0).await;
    controller.up().await.pid
}

#[test]
fn a_task_that_crosses_an_end_does_not_meet_the_next_life() {
    Controller::run(1, |mut controller| async move {
        controller.sees_downs = false;
        let pid = controller.infos[0].pid;
        let pid = die(&mut controller, pid).await;
        let first = controller.submit(&[0], "ran = True")[0];
        // A second end, before the first is seen: each has to be.
        die(&mut controller, pid).await;
        see_down(&controller);
        let second = controller.submit(&[0], "ran = True")[0];
        see_down(&controller);
        let ended = controller.execute(0, "'ran' in globals()").await;
        assert_eq!(ended.repr(), "False");
        assert!(!controller.any_heard(is_done(&[first, second])), "the broker counts them as lost by itself");
    });
}

#[test]
fn a_task_that_crosses_the_last_end_is_not_answered_twice() {
    Controller::run(1, |mut controller| async move {
        controller.sees_downs = false;
        let mut pid = controller.infos[0].pid;
        let mut ends = 0;
        loop {
            kill(pid);
            controller.down(0).await;
            ends += 1;
            let next = controller
                .find(|said| match &said.header {
                    HostToController::EngineUp { info, .. } => Some(Some(info.pid)),
                    HostToController::EngineDown { restarting: false, .. } => Some(None),
                    _ => None,
                })
                .await;
            match next {
                Some(next) => pid = next,
                None => break,
            }
        }
        let crossed = controller.submit(&[0], "1")[0];
        // A restart that crosses it was asked of a life that is over.
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0)] }, Vec::new());
        for _ in 0..=ends {
            see_down(&controller);
        }
        let later = controller.submit(&[0], "1")[0];
        let outcome = controller.done(later).await.outcome;
        assert!(matches!(&outcome, Outcome::Lost(Loss { cause: LossCause::NotStarted(_), started: false })));
        assert!(!controller.any_heard(is_done(&[crossed])));
        assert!(!controller.any_heard(|said| matches!(said.header, HostToController::EngineUp { .. })));
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0)] }, Vec::new());
        controller.up().await;
        assert_eq!(controller.execute(0, "1").await.repr(), "1");
    });
}

#[test]
fn a_restart_that_crosses_an_end_spares_the_next_life() {
    Controller::run(1, |mut controller| async move {
        controller.sees_downs = false;
        let pid = controller.infos[0].pid;
        let pid = die(&mut controller, pid).await;
        controller.say(ControllerToHost::Restart { engines: vec![EngineId(0)] }, Vec::new());
        see_down(&controller);
        assert_eq!(controller.execute(0, "import os; os.getpid()").await.repr(), pid.to_string());
    });
}

#[test]
fn an_interrupt_that_overtakes_its_task_cancels_it() {
    Controller::run(2, |mut controller| async move {
        let task = controller.peek();
        controller.interrupt(task, 0);
        let sent = controller.submit(&[0, 1], "ran = True; 1");
        assert_eq!(sent[0], task);
        assert_eq!(controller.done(task).await.outcome, CANCELLED);
        assert_eq!(controller.done(sent[1]).await.repr(), "1");
        assert_eq!(controller.execute(0, "'ran' in globals()").await.repr(), "False");
    });
}

#[test]
fn an_interrupt_that_comes_too_late_is_not_remembered() {
    Controller::run(1, |mut controller| async move {
        let task = controller.submit(&[0], "1")[0];
        controller.done(task).await;
        controller.interrupt(task, 0);
        controller.interrupt(TaskId(task.0 - 1), 0);
        assert_eq!(controller.execute(0, "2").await.repr(), "2");
    });
}

#[test]
fn an_interrupt_that_overtakes_a_task_ends_with_the_life() {
    Controller::run(1, |mut controller| async move {
        controller.sees_downs = false;
        let task = controller.peek();
        controller.interrupt(task, 0);
        // The host has taken the interrupt when it answers a question that came after it.
        controller.ask(0).await;
        let pid = controller.infos[0].pid;
        die(&mut controller, pid).await;
        see_down(&controller);
        assert_eq!(controller.submit(&[0], "3"), [task]);
        assert_eq!(controller.done(task).await.repr(), "3");
    });
}
