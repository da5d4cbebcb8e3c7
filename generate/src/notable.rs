//! Persons worth showing, found by looking through the profile's own events.

use std::collections::BTreeMap;

use custody_proto::event::event::Act;

use crate::draft::Draft;
use crate::generator::Stream;
use crate::person::Person;
use crate::profile::{Profile, ProfileError};

/// How many events are looked through at most, so that a large profile does
/// not have to be generated twice.
const MAX_EVENTS: u64 = 200_000;

/// Persons worth showing, by primary identifier, each another one.
/// Deterministic; a field is `None` where the profile has no such person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notable {
    /// Buys, clears customs and is marketed to.
    pub buyer: Option<String>,
    /// Withdrew a consent, claimed a right and closed the account.
    pub leaver: Option<String>,
    /// Was disclosed to law enforcement or an authority; else a minor.
    pub unusual: Option<String>,
}

/// What one person was seen to do.
#[derive(Default)]
struct Seen {
    orders: u32,
    customs: u32,
    marketing: u32,
    refusals: u32,
    requests: u32,
    closed: bool,
    authorities: u32,
    minor: bool,
    events: u32,
}

impl Notable {
    /// Looks through the first 200,000 events of a profile.
    ///
    /// # Errors
    /// [`ProfileError`] where the profile is not valid.
    pub fn find(profile: &Profile) -> Result<Self, ProfileError> {
        profile.validate()?;
        let mut stream = Stream::for_profile(profile);
        let mut persons: BTreeMap<u32, Seen> = BTreeMap::new();
        for _ in 0..MAX_EVENTS {
            let Some((draft, person)) = stream.next() else {
                break;
            };
            if let Some(person) = person {
                persons.entry(person).or_default().note(&draft);
            }
        }
        // The first of the best, each person once.
        let mut chosen: Vec<u32> = Vec::new();
        let mut best = |score: &dyn Fn(&Seen) -> u32| {
            let index = persons
                .iter()
                .filter(|(index, _)| !chosen.contains(index))
                .map(|(index, seen)| (score(seen), std::cmp::Reverse(*index)))
                .filter(|(score, _)| *score > 0)
                .max()
                .map(|(_, index)| index.0)?;
            chosen.push(index);
            Some(Person::new(profile, index).primary().to_owned())
        };
        Ok(Self {
            buyer: best(&|s| s.orders.min(9) * s.customs.min(9) * s.marketing.min(9)),
            leaver: best(&|s| match s.closed && s.requests > 1 && s.refusals > 0 {
                true => 1_000_000 + s.events.min(500),
                false if s.refusals > 0 && s.requests > 0 => s.events.min(500),
                false => 0,
            }),
            unusual: best(&|s| {
                s.authorities.min(99) * 1000
                    + u32::from(s.minor) * 100
                    + u32::from(s.minor) * s.events.min(99)
            }),
        })
    }
}

impl Seen {
    fn note(&mut self, draft: &Draft) {
        self.events += 1;
        self.minor |= draft.event.subject.as_ref().is_some_and(|s| s.minor);
        match draft.kind {
            "consent_withdrawn" => self.refusals += 1,
            "rights_request" => self.requests += 1,
            "account_closed" => self.closed = true,
            "collection" if draft.link.source.starts_with("//orders.") => self.orders += 1,
            _ => {}
        }
        if let Some(Act::Disclosure(disclosure)) = &draft.event.act {
            let category = disclosure
                .recipient
                .as_ref()
                .map_or("", |r| r.category.as_str());
            match category {
                "custody:customs_agent" => self.customs += 1,
                "custody:ad_platform" | "custody:ad_partner" | "custody:business_partner" => {
                    self.marketing += 1;
                }
                "custody:law_enforcement" | "custody:government_authority" => {
                    self.authorities += 1;
                }
                _ => {}
            }
        }
    }
}
