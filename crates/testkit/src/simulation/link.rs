//! One direction of a connection: two lanes, order kept within each.

use antiphon_protocol::{ControllerToHost, Lane, Message};
use std::collections::VecDeque;

/// Messages under way.
#[derive(Clone, Debug)]
pub struct Link<H> {
    urgent: VecDeque<Message<H>>,
    ordinary: VecDeque<Message<H>>,
}

impl<H> Default for Link<H> {
    fn default() -> Link<H> {
        Link { urgent: VecDeque::new(), ordinary: VecDeque::new() }
    }
}

impl<H> Link<H> {
    /// Sends.
    pub fn push(&mut self, lane: Lane, message: impl Into<Message<H>>) {
        match lane {
            Lane::Urgent => self.urgent.push_back(message.into()),
            Lane::Ordinary => self.ordinary.push_back(message.into()),
        }
    }

    /// What arrives next: of the two lanes either may be the faster.
    pub fn pop(&mut self, urgent_first: bool) -> Option<Message<H>> {
        if urgent_first {
            self.urgent.pop_front().or_else(|| self.ordinary.pop_front())
        } else {
            self.ordinary.pop_front().or_else(|| self.urgent.pop_front())
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.ordinary.is_empty()
    }

    /// Everything under way.
    pub fn iter(&self) -> impl Iterator<Item = &Message<H>> {
        self.urgent.iter().chain(&self.ordinary)
    }
}

/// The lane in which a controller sends this to a host.
pub fn host_lane(header: &ControllerToHost) -> Lane {
    match header {
        ControllerToHost::Interrupt { .. }
        | ControllerToHost::Query { .. }
        | ControllerToHost::Credit { .. } => Lane::Urgent,
        _ => Lane::Ordinary,
    }
}
