//! What a person does, in order of time: one episode after the other, until the
//! person's budget of events is spent.

mod app;
mod scene;

mod account;
mod browsing;
mod marketing;
mod order;
mod oversight;
mod rights;

use std::collections::VecDeque;

use crate::dice::{Dice, Purpose};
use crate::draft::{Draft, Link};
use crate::person::Person;
use crate::policy::Service;
use crate::profile::Profile;
use scene::Scene;

/// From so few events on, somebody who leaves closes the account.
const FAREWELL_EVENTS: u32 = 6;

/// What the episodes of a person know of earlier ones.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Whether there was a first episode.
    arrived: bool,
    /// Whether the person will close the account at the end.
    leaves: bool,
    /// Whether the account is closed.
    left: bool,
    /// Whether marketing is agreed to at the moment.
    agreed: bool,
    /// The collection at sign-up or at the first visit.
    account: Option<Link>,
    /// The last collection of browsing data.
    browsing: Option<Link>,
    /// The last order.
    order: Option<Link>,
    /// The last event that somebody could find to be wrong.
    last: Option<Link>,
    /// How many events there were.
    serial: u32,
    /// How many episodes there were.
    episodes: u32,
}

/// A person on the way.
pub(crate) struct Journey {
    pub(crate) person: Person,
    memory: Memory,
    /// Events still to come.
    remaining: u32,
    /// When the next episode begins.
    next_ms: i64,
    /// When the journey ends at the latest.
    depart_ms: i64,
    /// The rest of the episode.
    queue: VecDeque<Box<Draft>>,
}

/// One thing that a person may go through.
type Episode = fn(&mut Scene<'_>);

/// What members and customers do, with weights.
const MEMBER: &[(Episode, u32)] = &[
    (browsing::browse, 300),
    (order::order, 230),
    (marketing::campaign, 110),
    (marketing::change_of_mind, 50),
    (browsing::research, 30),
    (order::customer_service, 70),
    (order::conversation, 60),
    (order::review, 25),
    (order::credit, 15),
    (account::verification, 40),
    (account::rectification, 25),
    (oversight::transfer, 60),
    (oversight::notice, 15),
    (oversight::consultation, 12),
    (oversight::law_enforcement, 4),
    (oversight::retraction, 10),
    (rights::request, 30),
    (rights::restriction, 8),
    (rights::partial_erasure, 8),
    (rights::guardian, 2),
];

/// What customers of the cloud do.
const CUSTOMER: &[(Episode, u32)] = &[
    (browsing::service_usage, 330),
    (order::subscription, 180),
    (browsing::browse, 100),
    (marketing::campaign, 70),
    (marketing::change_of_mind, 40),
    (order::customer_service, 90),
    (account::verification, 50),
    (account::rectification, 25),
    (oversight::on_behalf_of_a_customer, 60),
    (oversight::transfer, 80),
    (oversight::notice, 15),
    (oversight::consultation, 12),
    (oversight::law_enforcement, 4),
    (oversight::retraction, 10),
    (rights::request, 30),
    (rights::restriction, 8),
    (rights::partial_erasure, 8),
];

/// What somebody without an account does.
const VISITOR: &[(Episode, u32)] = &[
    (browsing::browse, 600),
    (marketing::cookies, 200),
    (marketing::change_of_mind, 60),
    (rights::request, 5),
];

impl Journey {
    pub(crate) fn new(
        profile: &Profile,
        index: u32,
        budget: u32,
        arrive_ms: i64,
        depart_ms: i64,
    ) -> Self {
        let person = Person::new(profile, index);
        let mut dice = Dice::new(profile.seed, Purpose::Person, u64::from(index), 1);
        let memory = Memory {
            leaves: !person.is_visitor() && dice.permille(150),
            ..Memory::default()
        };
        Self {
            person,
            memory,
            remaining: budget,
            next_ms: arrive_ms,
            depart_ms,
            queue: VecDeque::new(),
        }
    }

    /// When the next event happens; `None` after the last.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        let next = self
            .queue
            .front()
            .map_or(self.next_ms, |draft| draft.time_ms);
        (self.remaining > 0).then_some(next)
    }

    /// The next event; `None` after the last.
    pub(crate) fn take(&mut self, profile: &Profile) -> Option<Box<Draft>> {
        if self.remaining == 0 {
            return None;
        }
        if self.queue.is_empty() {
            self.plan(profile);
        }
        let draft = self.queue.pop_front()?;
        self.remaining -= 1;
        Some(draft)
    }

    /// Plans one episode, and when the next begins.
    fn plan(&mut self, profile: &Profile) {
        let dice = Dice::new(
            profile.seed,
            Purpose::Journey,
            u64::from(self.person.index),
            u64::from(self.memory.episodes),
        );
        self.memory.episodes += 1;
        let mut scene = Scene {
            person: &self.person,
            memory: &mut self.memory,
            persons: profile.persons,
            dice,
            now_ms: self.next_ms,
            depart_ms: self.depart_ms,
            remaining: self.remaining,
            out: &mut self.queue,
        };
        let episode = scene.choose();
        episode(&mut scene);
        self.next_ms = scene.next_episode_ms();
    }
}

impl Scene<'_> {
    /// What comes next. An episode says at least one thing.
    fn choose(&mut self) -> Episode {
        if !self.memory.arrived {
            self.memory.arrived = true;
            return if self.person.is_visitor() {
                browsing::first_visit
            } else {
                account::sign_up
            };
        }
        if self.memory.left {
            // Somebody still holds something that should be gone.
            return oversight::after_closing;
        }
        if self.memory.leaves && self.remaining <= FAREWELL_EVENTS {
            self.memory.left = true;
            return account::farewell;
        }
        let table = match self.person.service {
            _ if self.person.is_visitor() => VISITOR,
            Service::AlibabaCloud => CUSTOMER,
            _ => MEMBER,
        };
        self.dice.weighted(table).unwrap_or(browsing::browse)
    }
}
