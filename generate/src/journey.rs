//! What a person does, in order of time: one episode after the other, until the
//! person's budget of events is spent.

mod app;
mod scene;

mod account;
mod browsing;
mod marketing;
mod mishap;
mod order;
mod oversight;
mod rights;

use std::collections::VecDeque;

use crate::dice::{Dice, Purpose};
use crate::draft::{Draft, Link};
use crate::person::Person;
use crate::policy::Service;
use crate::profile::Profile;
use crate::spoil;
use scene::Scene;

/// Up to which period, in days after an account was closed, what is labelled
/// `retention_exceeded` exceeds it.
pub const RETENTION_DAYS: u32 = 30;

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
    /// What the person says of marketing.
    marketing: Standing,
    /// What the person says of cookies for advertising.
    cookies: Standing,
    /// Whether the person agreed to be scored.
    scored: bool,
    /// Whether the person agreed to statistics.
    researched: bool,
    /// Whether the person has a new telephone number.
    moved: bool,
    /// Whether a service erased its copy, and there is nothing new since.
    erased: bool,
    /// When the account was opened, milliseconds since 1970 UTC.
    since_ms: i64,
    /// The collection at sign-up or at the first visit.
    account: Option<Link>,
    /// The last collection of browsing data.
    browsing: Option<Link>,
    /// The last order.
    order: Option<Link>,
    /// How many events there were.
    serial: u32,
    /// How many episodes there were.
    episodes: u32,
}

/// What a person says of something that consent may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Was never asked.
    #[default]
    Unasked,
    /// Agreed to what this code means, until then.
    Agreed(&'static str, i64),
    /// Withdrew, opted out or objected.
    Refused,
}

impl Standing {
    fn agrees(self, code: &str, now_ms: i64) -> bool {
        matches!(self, Self::Agreed(to, until_ms) if to == code && now_ms < until_ms)
    }
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
    (account::new_number, 12),
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
    (oversight::on_behalf_of_a_customer, 10),
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

    /// Makes the next event ready. It may turn out to happen later than
    /// [`next_ms`](Self::next_ms) said.
    pub(crate) fn prepare(&mut self, profile: &Profile) {
        if self.remaining > 0 && self.queue.is_empty() {
            self.plan(profile);
        }
    }

    /// The next event, if it was prepared; `None` after the last.
    pub(crate) fn take(&mut self) -> Option<Box<Draft>> {
        let draft = self.queue.pop_front()?;
        self.remaining -= 1;
        Some(draft)
    }

    /// Plans one episode, and when the next begins. An episode that a new
    /// policy version would interrupt begins when that is in force.
    fn plan(&mut self, profile: &Profile) {
        let before = self.memory.clone();
        self.plan_from(profile);
        let service = self.person.service;
        let of = |draft: Option<&Box<Draft>>| draft.map(|d| service.version(d.time_ms));
        let (first, last) = (of(self.queue.front()), of(self.queue.back()));
        if first != last
            && let Some(last) = last
        {
            self.queue.clear();
            self.memory = before;
            self.next_ms = last.in_force_ms();
            self.plan_from(profile);
        }
    }

    fn plan_from(&mut self, profile: &Profile) {
        let dice = Dice::new(
            profile.seed,
            Purpose::Journey,
            u64::from(self.person.index),
            u64::from(self.memory.episodes),
        );
        self.memory.episodes += 1;
        let failing_ppm = profile.failing_ppm();
        let mut scene = Scene {
            person: &self.person,
            memory: &mut self.memory,
            persons: profile.persons,
            dice,
            now_ms: self.next_ms,
            depart_ms: self.depart_ms,
            remaining: self.remaining,
            careless: failing_ppm > 0,
            out: &mut self.queue,
        };
        match scene.mishap(failing_ppm) {
            Some(episode) => episode(&mut scene),
            None => {
                // What is given anew after an erasure is not spoilt.
                let anew = scene.memory.erased;
                let episode = scene.choose();
                episode(&mut scene);
                if !anew {
                    spoil::some(scene.out, &self.person, failing_ppm, &mut scene.dice);
                }
            }
        }
        self.next_ms = scene.next_episode_ms();
    }
}

impl Scene<'_> {
    /// Something that goes wrong over several events, about once in as many
    /// episodes as there are judged events for each that is to fail.
    fn mishap(&mut self, failing_ppm: u32) -> Option<Episode> {
        let happens = self.dice.below(1_000_000) < failing_ppm;
        let busy = self.memory.arrived && !self.memory.left && !self.memory.erased;
        let leaving = self.memory.leaves && self.remaining <= FAREWELL_EVENTS;
        (happens && busy && !leaving && !self.person.minor).then(|| mishap::choose(self))
    }

    /// What comes next. An episode says at least one thing.
    fn choose(&mut self) -> Episode {
        if !self.memory.arrived {
            self.memory.arrived = true;
            self.memory.since_ms = self.now_ms;
            return if self.person.is_visitor() {
                browsing::first_visit
            } else {
                account::sign_up
            };
        }
        if self.memory.left {
            return match self.careless {
                // Somebody still holds something that should be gone.
                true if self.memory.account.is_some() => mishap::after_closing,
                _ => oversight::notice,
            };
        }
        if self.memory.erased {
            return account::given_anew;
        }
        if self.memory.leaves && self.remaining <= FAREWELL_EVENTS {
            self.memory.left = true;
            if self.careless && !self.person.minor && self.dice.permille(250) {
                return mishap::careless_farewell;
            }
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
