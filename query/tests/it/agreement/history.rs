//! A long history of many persons, of whom some have most of the events.

use custody_ledger::Judgement;
use custody_query::{Custodian as _, ErasureOrder};

use super::chance::Chance;
use super::people::People;
use super::said::{COUNTRIES, PARTIES, party_id};
use crate::office::Office;
use crate::world::{Draft, Fact, SECOND, START, World};

const EVENTS_A_BLOCK: usize = 40;

pub(super) struct History {
    pub(super) world: World,
    pub(super) people: People,
    pub(super) chance: Chance,
    /// Events so far, without what the house shard says.
    pub(super) events: usize,
    /// Whether nobody turns out to be somebody else for now.
    pub(super) nobody_is_linked: bool,
    registered: usize,
}

impl History {
    pub(super) fn new(seed: u64, persons: usize) -> Self {
        Self {
            world: World::spacious(),
            people: People::new(persons),
            chance: Chance::of(seed, 0),
            events: 0,
            nobody_is_linked: false,
            registered: 0,
        }
    }

    /// Seconds after [`START`] that have gone by.
    pub(super) fn now(&self) -> i64 {
        (self.world.now_ns - START) / SECOND
    }

    /// A block of a shard and what the house shard has to say after it, which
    /// the read model takes in or leaves for the next time. Sometimes it is
    /// dropped and opened again, as it was.
    pub(super) fn go_on(&mut self) {
        let shard = self.chance.below(2);
        let mut whom = Vec::new();
        let drafts: Vec<Draft> = (0..1 + self.chance.below(2 * EVENTS_A_BLOCK))
            .map(|_| {
                let number = self.chance.skewed(self.people.all.len());
                whom.push(number);
                self.draft(number)
            })
            .collect();
        let before = self.world.facts.len();
        self.world.commit(shard, &drafts);
        for (number, fact) in whom.into_iter().zip(before..) {
            let reference = self.world.facts[fact].entry.subject.unwrap();
            self.people.name(number, reference);
        }
        self.events += drafts.len();
        self.house();
        if self.chance.percent(2) {
            self.world.drop_model();
            self.world.open();
        }
        if self.chance.percent(70) {
            self.world.catch_up();
        }
    }

    fn house(&mut self) {
        if self.registered < 2 * PARTIES && self.chance.percent(20) {
            // Once by name alone, and then by what was not said before.
            let number = self.registered % PARTIES;
            let (id, again) = (party_id(number), self.registered >= PARTIES);
            let country = self.chance.one(&COUNTRIES);
            let name = format!("{id} {}", if again { "GmbH" } else { "Ltd" });
            let category = self.chance.one(&["", "custody:logistics"]);
            let country = if again || !number.is_multiple_of(3) {
                country
            } else {
                ""
            };
            self.world.register_as(id, &name, category, country);
            self.registered += 1;
        }
        if self.chance.percent(20) {
            let number = self.chance.skewed(self.people.all.len());
            if self.people.all[number].reference.is_some() {
                let (id, at) = (self.people.all[number].account.clone(), self.now());
                self.world.consult(&id, at);
            }
        }
        if self.chance.percent(70) {
            let count = 1 + self.chance.below(4);
            let again: Vec<(Fact, Judgement)> = (0..count)
                .filter_map(|_| {
                    let of = self.sent()?;
                    Some((of, self.judgement()))
                })
                .collect();
            if !again.is_empty() {
                let again = again.iter().map(|(of, judgement)| (of, judgement.clone()));
                self.world.rejudge_all(again.collect());
            }
        }
        if self.chance.percent(15)
            && let Some(of) = self.sent()
        {
            let subject = of.entry.subject.filter(|_| self.chance.percent(80));
            let due = self.now() - self.chance.seconds(20);
            self.world.overdue(&of, subject, due);
        }
        if self.chance.percent(4) && !self.nobody_is_linked {
            self.unlink();
        }
    }

    /// The operator parts two who were linked.
    fn unlink(&mut self) {
        let number = self.chance.skewed(self.people.all.len());
        if let Some(other) = self.people.neighbour(number) {
            let [a, b] = [number, other].map(|it| self.people.all[it].reference.unwrap().0);
            self.world.vault.unlink(&a, &b).unwrap();
            self.people.part(number, other);
        }
    }

    /// Something that a service sent: lately, or at any time.
    fn sent(&mut self) -> Option<Fact> {
        let facts = &self.world.facts;
        let lately = facts.len().saturating_sub(200);
        let from = if self.chance.percent(50) { lately } else { 0 };
        let at = from + self.chance.below(facts.len() - from);
        let fact = &facts[at];
        fact.entry.offset.is_some().then(|| fact.clone())
    }

    /// Erases persons with everybody who is linked with them.
    pub(super) fn erase(&mut self, numbers: &[usize]) {
        let office = Office::new(self.world.ledger.clone(), self.world.vault.clone());
        let house = custody_ledger::ShardDescriptor::house().id();
        let before = self.world.ledger.head(house).unwrap().blocks;
        for number in numbers {
            let human = &self.people.all[*number];
            if human.erased || human.reference.is_none() {
                continue;
            }
            let set = self.people.set(*number);
            let subjects = set.iter().filter_map(|it| self.people.all[*it].reference);
            let order = ErasureOrder {
                subjects: subjects.map(|it| it.0).collect(),
                recipients: vec!["dhl".to_owned()],
                entries: 1,
                reason: "request".to_owned(),
                ..ErasureOrder::default()
            };
            assert_eq!(office.erase(order).unwrap().state, "done");
            self.people.erase(&set);
        }
        self.world.remember_house(before);
        self.world.catch_up();
    }
}
