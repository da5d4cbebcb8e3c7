//! Who is to be told of an erasure (GDPR Art. 19), and who claims to have
//! erased its copy already.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::entry::{Entry, Kind, PartyPart};
use custody_policy::{Field, Vocabulary};
use custody_proto::v1;

use crate::answer::error::QueryError;
use crate::answer::moment::timestamp;
use crate::answer::registry::Registry;

/// That a service says to have erased. What it says destroys nothing here.
struct Claim {
    time_ns: i64,
    /// Empty: everything.
    scope: Vec<String>,
}

#[derive(Default)]
struct Received {
    party: PartyPart,
    count: u64,
    last_ns: i64,
    categories: BTreeSet<String>,
}

#[derive(Default)]
struct Did {
    count: u64,
    last_ns: i64,
    categories: BTreeSet<String>,
}

/// Recipients, services and claims, gathered from entries in any order.
#[derive(Default)]
pub(super) struct Told {
    recipients: BTreeMap<String, Received>,
    pub(super) to_persons: u64,
    services: BTreeMap<String, Did>,
    /// By the service or the controller that claims.
    claims: BTreeMap<String, Vec<Claim>>,
}

impl Told {
    /// Takes in an entry that was not taken back.
    pub(super) fn take(&mut self, entry: &Entry) {
        let time_ns = entry.event_time_ns;
        match entry.kind() {
            Some(Kind::Erasure) => {
                for who in BTreeSet::from([&entry.service, &entry.controller]) {
                    if !who.is_empty() {
                        self.claims.entry(who.clone()).or_default().push(Claim {
                            time_ns,
                            scope: entry.categories.clone(),
                        });
                    }
                }
            }
            Some(Kind::Collection | Kind::Use | Kind::Disclosure | Kind::Transfer)
                if !entry.service.is_empty() =>
            {
                let did = self.services.entry(entry.service.clone()).or_default();
                did.count += 1;
                did.last_ns = did.last_ns.max(time_ns);
                did.categories.extend(entry.categories.iter().cloned());
            }
            _ => {}
        }
        let Some(party) = entry.recipient() else {
            return;
        };
        if party.person || party.id.is_empty() {
            self.to_persons += 1;
            return;
        }
        let received = self.recipients.entry(party.id.clone()).or_default();
        if received.count == 0 || time_ns >= received.last_ns {
            received.party = party.clone();
            received.last_ns = time_ns;
        }
        received.count += 1;
        received.categories.extend(entry.categories.iter().cloned());
    }

    pub(super) fn recipient_ids(&self) -> Vec<String> {
        self.recipients.keys().cloned().collect()
    }

    /// When somebody last claimed to have erased, how much, and whether nothing
    /// is left after it.
    fn claim(
        &self,
        who: &str,
        last_ns: i64,
        categories: &BTreeSet<String>,
    ) -> Option<(&Claim, bool)> {
        let claims = self.claims.get(who)?;
        let is_done = |claim: &&Claim| claim.time_ns >= last_ns && covers(&claim.scope, categories);
        match claims.iter().filter(is_done).max_by_key(|it| it.time_ns) {
            Some(done) => Some((done, true)),
            None => {
                let last = claims.iter().max_by_key(|it| it.time_ns)?;
                Some((last, false))
            }
        }
    }

    pub(super) fn recipients(
        &self,
        registry: &Registry<'_>,
    ) -> Result<Vec<v1::RecipientToTell>, QueryError> {
        let rows = self.recipients.iter().map(|(id, received)| {
            let claim = self.claim(id, received.last_ns, &received.categories);
            Ok(v1::RecipientToTell {
                recipient: Some(registry.counterparty(&received.party)?),
                count: received.count,
                last_disclosure: timestamp(received.last_ns),
                categories: received.categories.iter().cloned().collect(),
                erased_at: claim.and_then(|(claim, _)| timestamp(claim.time_ns)),
                done: claim.is_some_and(|(_, done)| done),
            })
        });
        rows.collect()
    }

    /// Services that did something, and those that only claim.
    pub(super) fn services(&self) -> Vec<v1::ServiceClaim> {
        let nothing = Did {
            last_ns: i64::MIN,
            ..Did::default()
        };
        let is_recipient = |name: &&String| self.recipients.contains_key(*name);
        let claimants = self.claims.keys().filter(|name| !is_recipient(name));
        let names: BTreeSet<&String> = self.services.keys().chain(claimants).collect();
        let rows = names.into_iter().map(|name| {
            let did = self.services.get(name).unwrap_or(&nothing);
            let claim = self.claim(name, did.last_ns, &did.categories);
            v1::ServiceClaim {
                service: name.clone(),
                count: did.count,
                last_time: (did.count > 0).then(|| timestamp(did.last_ns)).flatten(),
                erased_at: claim.and_then(|(claim, _)| timestamp(claim.time_ns)),
                scope: claim.map_or_else(Vec::new, |(claim, _)| claim.scope.clone()),
                done: claim.is_some_and(|(_, done)| done),
            }
        });
        rows.collect()
    }
}

/// Whether a scope covers all of these categories; an empty one covers all
/// there are.
fn covers(scope: &[String], categories: &BTreeSet<String>) -> bool {
    let vocabulary = Vocabulary::builtin();
    let term = |text: &String| vocabulary.resolve(Field::Category, text).ok();
    let covered = |category: &String| {
        scope.iter().any(|broad| {
            broad == category
                || term(broad)
                    .zip(term(category))
                    .is_some_and(|(broad, narrow)| vocabulary.covers(broad, narrow))
        })
    };
    scope.is_empty() || categories.iter().all(covered)
}
