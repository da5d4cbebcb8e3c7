//! From profile to messages: all journeys merged by time.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::vec;

use crate::budget::budgets;
use crate::dice::{Dice, Purpose, mix};
use crate::draft::Draft;
use crate::house;
use crate::journey::Journey;
use crate::malformed::Fault;
use crate::message::Message;
use crate::person::Person;
use crate::profile::{Profile, ProfileError};

/// How many messages wait to be sent again.
const REPEATABLE: usize = 64;

/// What a place in the stream holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Event,
    Duplicate,
    Malformed,
}

/// Messages of a profile, in the order of their event times.
///
/// Memory holds the persons who have arrived and not yet left, and four bytes
/// for everybody else.
pub struct Generator {
    profile: Profile,
    slots: Slots,
    /// The next place in the stream.
    position: u64,
    stream: Stream,
    /// When the last event happened.
    now_ms: i64,
    /// Messages that may be sent again.
    sent: VecDeque<Message>,
}

/// Decides what each place in the stream holds.
#[derive(Clone, Copy)]
struct Slots {
    seed: u64,
    /// Of 2^32.
    malformed: u64,
    /// Of 2^32, malformed ones included.
    duplicates: u64,
}

/// All events of all persons, in order.
pub(crate) struct Stream {
    profile: Profile,
    budgets: Vec<u32>,
    /// The person to arrive next.
    arriving: u32,
    active: BinaryHeap<Waiting>,
    house: std::iter::Peekable<vec::IntoIter<Draft>>,
}

/// A journey and when it goes on. The greatest is the earliest, as a heap
/// wants it.
struct Waiting {
    next_ms: i64,
    journey: Box<Journey>,
}

impl Generator {
    /// Prepares a profile.
    ///
    /// # Errors
    /// [`ProfileError`] where the profile is not valid.
    pub fn new(profile: Profile) -> Result<Self, ProfileError> {
        profile.validate()?;
        Ok(Self {
            slots: Slots::new(&profile),
            position: 0,
            now_ms: profile.start_ms(),
            stream: Stream::for_profile(&profile),
            sent: VecDeque::with_capacity(REPEATABLE),
            profile,
        })
    }

    fn event(&mut self, dice: &mut Dice) -> Option<Message> {
        let (draft, _) = self.stream.next()?;
        self.now_ms = draft.time_ms;
        let message = Message::write(&draft, &self.profile.encodings, dice);
        if self.slots.repeats() && (self.sent.is_empty() || dice.permille(50)) {
            if self.sent.len() == REPEATABLE {
                self.sent.pop_front();
            }
            self.sent.push_back(message.clone());
        }
        Some(message)
    }

    fn duplicate(&mut self, dice: &mut Dice) -> Option<Message> {
        let count = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        let mut message = self.sent.get(dice.below(count) as usize)?.clone();
        message.time_ms = self.now_ms + dice.between(3, 900);
        message.duplicate = true;
        Some(message)
    }

    fn malformed(&mut self, dice: &mut Dice) -> Option<Message> {
        let fault = dice.pick(&Fault::ALL)?;
        let person = Person::new(&self.profile, dice.below(self.profile.persons));
        Some(fault.message(&person, self.now_ms, &self.profile.encodings, dice))
    }
}

impl Iterator for Generator {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        if self.position == self.profile.events {
            return None;
        }
        let mut dice = Dice::new(self.profile.seed, Purpose::Message, self.position, 0);
        let slot = self.slots.at(self.position);
        self.position += 1;
        match slot {
            Slot::Malformed => self.malformed(&mut dice),
            // Before anything was sent there is nothing to send again, and
            // the event that takes its place is missing at the end.
            Slot::Duplicate => self.duplicate(&mut dice).or_else(|| self.event(&mut dice)),
            Slot::Event => self.event(&mut dice).or_else(|| self.duplicate(&mut dice)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.profile.events - self.position).ok();
        (0, left)
    }
}

impl Slots {
    fn new(profile: &Profile) -> Self {
        // A product with a power of two is exact.
        let share = |share: f64| (share * 4_294_967_296.0) as u64;
        let malformed = share(profile.malformed);
        Self {
            seed: mix(profile.seed, 0x5107),
            malformed,
            duplicates: malformed + share(profile.duplicates),
        }
    }

    fn at(&self, position: u64) -> Slot {
        match mix(self.seed, position) >> 32 {
            draw if draw < self.malformed => Slot::Malformed,
            draw if draw < self.duplicates => Slot::Duplicate,
            _ => Slot::Event,
        }
    }

    fn repeats(&self) -> bool {
        self.duplicates > self.malformed
    }
}

impl Stream {
    /// All events of a valid profile.
    pub(crate) fn for_profile(profile: &Profile) -> Self {
        let slots = Slots::new(profile);
        let count = |of: Slot| {
            let all = (0..profile.events).filter(|p| slots.at(*p) == of);
            all.count() as u64
        };
        let mut events = count(Slot::Event);
        if events == 0 {
            // Of a handful, all may be repetitions: of one event then.
            events = count(Slot::Duplicate).min(1);
        }
        let mut house = house::events(profile);
        // Persons come first where there is not room for both.
        let room = events.saturating_sub(u64::from(profile.persons));
        house.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let events = events - house.len() as u64;
        let persons = profile
            .persons
            .min(u32::try_from(events).unwrap_or(u32::MAX));
        Self {
            budgets: budgets(profile.seed, events, persons, profile.skew),
            profile: profile.clone(),
            arriving: 0,
            active: BinaryHeap::new(),
            house: house.into_iter().peekable(),
        }
    }

    /// When a person arrives: one after the other over the first 85 % of the
    /// time, so that only those who are there take up memory.
    fn arrival_ms(&self, index: u32) -> i64 {
        let span = i128::from(self.profile.end_ms() - self.profile.start_ms());
        let passed = span * 85 * i128::from(index) / (100 * self.budgets.len().max(1) as i128);
        self.profile.start_ms() + passed as i64
    }

    /// When a person is gone: who does little does not stay long.
    fn departure_ms(&self, arrival_ms: i64, budget: u32) -> i64 {
        let span = self.profile.end_ms() - self.profile.start_ms();
        let stay = match budget {
            0..=4 => span / 30,
            5..=12 => span / 10,
            13..=40 => span / 3,
            _ => span,
        };
        (arrival_ms + stay).min(self.profile.end_ms())
    }

    /// Lets everybody in who arrives before the next event.
    fn admit(&mut self) {
        while let Some(budget) = self.budgets.get(self.arriving as usize).copied() {
            let arrival_ms = self.arrival_ms(self.arriving);
            if self
                .active
                .peek()
                .is_some_and(|first| first.next_ms < arrival_ms)
            {
                return;
            }
            let departure_ms = self.departure_ms(arrival_ms, budget);
            let journey = Journey::new(
                &self.profile,
                self.arriving,
                budget,
                arrival_ms,
                departure_ms,
            );
            self.arriving += 1;
            self.wait(Box::new(journey));
        }
    }

    fn wait(&mut self, journey: Box<Journey>) {
        if let Some(next_ms) = journey.next_ms() {
            self.active.push(Waiting { next_ms, journey });
        }
    }

    /// The next event, and the number of the person where it is somebody's.
    pub(crate) fn next(&mut self) -> Option<(Box<Draft>, Option<u32>)> {
        loop {
            self.admit();
            let first_ms = self.active.peek().map_or(i64::MAX, |first| first.next_ms);
            if let Some(draft) = self.house.next_if(|draft| draft.time_ms <= first_ms) {
                return Some((Box::new(draft), None));
            }
            let mut journey = self.active.pop()?.journey;
            journey.prepare(&self.profile);
            if journey.next_ms().is_some_and(|next| next > first_ms) {
                self.wait(journey);
                continue;
            }
            let draft = journey.take()?;
            let index = journey.person.index;
            self.wait(journey);
            return Some((draft, Some(index)));
        }
    }
}

impl Waiting {
    fn key(&self) -> (i64, u32) {
        (self.next_ms, self.journey.person.index)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests;
