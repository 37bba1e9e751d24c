//! What happens to the cluster, said in few words: equal notices of many engines become one.
//!
//! Owns the session's subscription and what of it was not said yet. Says nothing about engines whose loss an answer has
//! just told.

use crate::{Event as RequestEvent, Reply};
use antiphon_protocol::{EngineId, LossCause, Notice};
use std::{collections::VecDeque, future::pending, time::Duration};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, sleep_until},
};

/// Notices are held until none has come for so long: engines that die together are reported within milliseconds.
const QUIET: Duration = Duration::from_millis(200);

/// But no longer than this, whatever else happens.
const HELD_AT_MOST: Duration = Duration::from_secs(2);

/// For how long after an answer told a loss its notice is no news.
const TOLD_FOR: Duration = Duration::from_secs(2);

/// Something that happened to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Engines are gone.
    Down {
        /// Which.
        engines: Vec<EngineId>,
        /// Why.
        cause: LossCause,
        /// Whether they are started again under their ids.
        restarting: bool,
    },
    /// Engines are back, with empty namespaces.
    Up {
        /// Which.
        engines: Vec<EngineId>,
    },
    /// A host joined with its engines.
    HostUp {
        /// Its name.
        name: String,
        /// Its engines.
        engines: Vec<EngineId>,
    },
    /// A host is gone, and its engines with it.
    HostDown {
        /// Its name.
        name: String,
        /// Its engines.
        engines: Vec<EngineId>,
    },
    /// So many notices came too fast to be heard.
    Missed(u64),
}

/// Hears notices, and says them together.
#[derive(Debug)]
pub(crate) struct Newsroom {
    notices: broadcast::Receiver<Notice>,
    /// Not to be said yet, in order.
    held: Vec<News>,
    since: Instant,
    last: Instant,
    /// To be said now.
    ready: VecDeque<News>,
    /// Losses that answers told, and when.
    told: Vec<(EngineId, LossCause, Instant)>,
    /// When this session last restarted engines, and said so.
    restarted: Option<Instant>,
}

impl Newsroom {
    pub(crate) fn new(notices: broadcast::Receiver<Notice>) -> Newsroom {
        let now = Instant::now();
        Newsroom {
            notices,
            held: Vec::new(),
            since: now,
            last: now,
            ready: VecDeque::new(),
            told: Vec::new(),
            restarted: None,
        }
    }

    /// The next news. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.ready.pop_front() {
                return news;
            }
            let due = (self.last + QUIET).min(self.since + HELD_AT_MOST);
            tokio::select! {
                biased;
                () = sleep_until(due), if !self.held.is_empty() => self.ripen(),
                heard = self.notices.recv() => match heard {
                    Ok(notice) => self.hold(notice),
                    Err(RecvError::Lagged(missed)) => self.add(News::Missed(missed)),
                    Err(RecvError::Closed) if self.held.is_empty() => pending().await,
                    Err(RecvError::Closed) => self.ripen(),
                },
            }
        }
    }

    /// What came so far, without waiting for more of it.
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = News> {
        while let Ok(notice) = self.notices.try_recv() {
            self.hold(notice);
        }
        self.ripen();
        self.ready.drain(..)
    }

    /// An answer that is shown tells of a loss by itself.
    pub(crate) fn on_answer(&mut self, event: &RequestEvent) {
        let RequestEvent::Answer(answer) = event else { return };
        let Reply::Lost(loss) = &answer.reply else { return };
        let now = Instant::now();
        self.told.retain(|(_, _, when)| now < *when + TOLD_FOR);
        self.told.push((answer.engine, loss.cause.clone(), now));
    }

    /// This session restarts engines; it says so by itself.
    pub(crate) fn on_restart(&mut self) {
        self.restarted = Some(Instant::now());
    }

    fn hold(&mut self, notice: Notice) {
        match notice {
            // That they start for the first time, the banner says.
            Notice::EngineUp { restarts: 0, .. } => {}
            Notice::EngineUp { engine, .. } => self.add(News::Up { engines: vec![engine] }),
            Notice::EngineDown { engine, cause, restarting } => {
                self.add(News::Down { engines: vec![engine], cause, restarting });
            }
            Notice::HostUp { name, engines } => self.add(News::HostUp { name, engines }),
            Notice::HostDown { name, engines } => self.add(News::HostDown { name, engines }),
        }
    }

    /// Holds something new, beside its like if there is one.
    fn add(&mut self, news: News) {
        self.last = Instant::now();
        if self.held.is_empty() {
            self.since = self.last;
        }
        for held in &mut self.held {
            match (held, &news) {
                (
                    News::Down { engines, cause, restarting },
                    News::Down { engines: more, cause: same_cause, restarting: same },
                ) if cause == same_cause && restarting == same => return engines.extend(more),
                (News::Up { engines }, News::Up { engines: more }) => return engines.extend(more),
                _ => {}
            }
        }
        self.held.push(news);
    }

    /// What was held is to be said now, but for what is known already.
    fn ripen(&mut self) {
        let now = Instant::now();
        self.told.retain(|(_, _, when)| now < *when + TOLD_FOR);
        let is_ours = self.restarted.is_some_and(|when| now < when + TOLD_FOR);
        let held = std::mem::take(&mut self.held);
        let hosts = held.iter().filter_map(|news| match news {
            News::HostDown { engines, .. } => Some(engines),
            _ => None,
        });
        let with_host: Vec<EngineId> = hosts.flatten().copied().collect();
        for mut news in held {
            match &mut news {
                News::Down { engines, cause, restarting } => {
                    let is_restart = is_ours && *cause == LossCause::Restarted;
                    let is_told = |engine: EngineId| {
                        let told = || self.told.iter().any(|(id, why, _)| *id == engine && why == cause);
                        *restarting && (is_restart || told())
                    };
                    engines.retain(|engine| !with_host.contains(engine) && !is_told(*engine));
                    tidy(engines);
                    if engines.is_empty() {
                        continue;
                    }
                }
                News::Up { engines } => tidy(engines),
                _ => {}
            }
            self.ready.push_back(news);
        }
    }
}

fn tidy(engines: &mut Vec<EngineId>) {
    engines.sort_unstable();
    engines.dedup();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::Answer;
    use antiphon_protocol::{EngineInfo, Loss};
    use tokio::time::timeout;

    fn down(engine: u32, cause: LossCause) -> Notice {
        Notice::EngineDown { engine: EngineId(engine), cause, restarting: true }
    }

    fn up(engine: u32) -> Notice {
        Notice::EngineUp { engine: EngineId(engine), info: EngineInfo::default(), restarts: 1 }
    }

    fn ids(range: std::ops::Range<u32>) -> Vec<EngineId> {
        range.map(EngineId).collect()
    }

    fn lost(engine: u32, cause: LossCause) -> RequestEvent {
        let reply = Reply::Lost(Loss { cause, started: true });
        RequestEvent::Answer(Answer { position: 0, engine: EngineId(engine), reply, elapsed: Duration::ZERO })
    }

    /// All that is said of these notices and answers.
    async fn said(notices: Vec<Notice>, answers: Vec<RequestEvent>) -> Vec<News> {
        let (sender, receiver) = broadcast::channel(1024);
        let mut room = Newsroom::new(receiver);
        for notice in notices {
            sender.send(notice).unwrap();
        }
        // Dropped in the middle, as the shell does, it loses nothing.
        assert!(timeout(QUIET / 2, room.next()).await.is_err());
        answers.iter().for_each(|answer| room.on_answer(answer));
        let mut said = Vec::new();
        while let Ok(news) = timeout(HELD_AT_MOST * 2, room.next()).await {
            said.push(news);
        }
        said
    }

    #[tokio::test(start_paused = true)]
    async fn equal_notices_are_said_together() {
        let killed = LossCause::Signal(9);
        let mut notices: Vec<Notice> = (0..128).rev().map(|id| down(id, killed.clone())).collect();
        notices.push(down(128, LossCause::Exit(3)));
        notices.extend((0..128).map(up));
        let expected = [
            News::Down { engines: ids(0..128), cause: killed, restarting: true },
            News::Down { engines: ids(128..129), cause: LossCause::Exit(3), restarting: true },
            News::Up { engines: ids(0..128) },
        ];
        assert_eq!(said(notices, Vec::new()).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_answer_told_is_not_said_again() {
        let killed = LossCause::Signal(9);
        let notices = (0..4).map(|id| down(id, killed.clone())).chain([up(0)]).collect();
        let answers = vec![lost(0, killed.clone()), lost(1, LossCause::Cancelled), lost(2, killed.clone())];
        let expected = [
            News::Down { engines: vec![EngineId(1), EngineId(3)], cause: killed, restarting: true },
            News::Up { engines: ids(0..1) },
        ];
        assert_eq!(said(notices, answers).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_of_ours_is_said_when_it_is_done() {
        let (sender, receiver) = broadcast::channel(8);
        let mut room = Newsroom::new(receiver);
        room.on_restart();
        sender.send(down(3, LossCause::Restarted)).unwrap();
        sender.send(up(3)).unwrap();
        assert_eq!(room.next().await, News::Up { engines: ids(3..4) });
        tokio::time::sleep(TOLD_FOR).await;
        let theirs = LossCause::Restarted;
        sender.send(down(3, theirs.clone())).unwrap();
        assert_eq!(room.next().await, News::Down { engines: ids(3..4), cause: theirs, restarting: true });
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_stays_away_is_always_said() {
        let cause = LossCause::Exit(1);
        let notice = Notice::EngineDown { engine: EngineId(2), cause: cause.clone(), restarting: false };
        let expected = News::Down { engines: ids(2..3), cause: cause.clone(), restarting: false };
        assert_eq!(said(vec![notice], vec![lost(2, cause)]).await, [expected]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_takes_its_engines_along_in_one_line() {
        let cause = LossCause::HostLost("far".into());
        let mut notices: Vec<Notice> = (0..4).map(|id| down(id, cause.clone())).collect();
        let gone = Notice::HostDown { name: "far".into(), engines: ids(0..4) };
        notices.push(gone);
        assert_eq!(
            said(notices, Vec::new()).await,
            [News::HostDown { name: "far".into(), engines: ids(0..4) }]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_notices_is_said_in_time() {
        let (sender, receiver) = broadcast::channel(1024);
        let mut room = Newsroom::new(receiver);
        let began = Instant::now();
        let feed = async {
            for engine in 0.. {
                sender.send(up(engine)).unwrap();
                tokio::time::sleep(QUIET / 2).await;
            }
        };
        tokio::select! {
            () = feed => panic!("it never ends"),
            news = room.next() => assert!(matches!(news, News::Up { engines } if engines.len() > 5)),
        }
        assert!(began.elapsed() <= HELD_AT_MOST + QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_nothing() {
        let (sender, receiver) = broadcast::channel(8);
        let mut room = Newsroom::new(receiver);
        sender.send(up(3)).unwrap();
        assert_eq!(room.rest().collect::<Vec<_>>(), [News::Up { engines: ids(3..4) }]);
        drop(sender);
        assert!(timeout(HELD_AT_MOST, room.next()).await.is_err());
    }
}
