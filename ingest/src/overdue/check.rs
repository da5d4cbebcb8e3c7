//! Which duties are overdue at a time.

use custody_ledger::{Act, Entry, HouseRecord, Kind, SubjectReference};
use custody_policy::Ruleset;

use super::deadline::Deadlines;
use super::duty::{Began, DueKey, Duty, DutyKey, Owed, found_key, named};
use crate::metric;
use crate::state::{Batch, StateError, SubjectStates};

const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// The operator's rule: data is gone so long after an account is closed.
const RETENTION_SOURCE: &str = "custody:retention_period";

/// What is looked at, and by which rules.
pub(crate) struct Checker<'a> {
    pub(crate) states: &'a SubjectStates,
    pub(crate) deadlines: &'a dyn Deadlines,
    pub(crate) ruleset: &'a Ruleset,
    /// The operator's period; `None`: data may be kept.
    pub(crate) retention_days: Option<u32>,
}

/// What is to be done about a duty that was looked at.
pub(crate) struct Looked {
    /// The row it was found by, which is to go.
    row: Vec<u8>,
    /// When it is to be looked at again.
    again: Option<Vec<u8>>,
    /// What the house shard is to say.
    pub(crate) entry: Option<Entry>,
}

impl Looked {
    pub(crate) fn settle(&self, batch: &mut Batch<'_>) {
        batch.no_longer_due(&self.row);
        if let Some(again) = &self.again {
            batch.due(again);
        }
    }
}

impl Checker<'_> {
    /// Looks at duties that may have fallen due by `now_ns`, at most `most`
    /// of each kind, those first that were due first.
    pub(crate) fn look(&self, now_ns: i64, most: usize) -> Result<Vec<Looked>, StateError> {
        let mut looked = Vec::new();
        for owed in Owed::ALL {
            let until_ns = match (owed, self.retention_days) {
                (Owed::Erasure, None) | (Owed::Nothing, _) => continue,
                (Owed::Erasure, Some(days)) => now_ns.saturating_sub(period_ns(days)),
                (Owed::Response | Owed::Notice, _) => now_ns,
            };
            let low = DueKey::bound(owed, i64::MIN);
            let high = DueKey::bound(owed, until_ns.saturating_add(1));
            for row in self.states.store().due(&low, &high, most)? {
                looked.push(self.look_at(row, now_ns)?);
            }
        }
        Ok(looked)
    }

    fn look_at(&self, row: Vec<u8>, now_ns: i64) -> Result<Looked, StateError> {
        let due = DueKey::from_bytes(&row).ok_or(StateError::Malformed { place: "due" })?;
        let duty = Duty::load(self.states.store(), &due.key)?;
        let mut looked = Looked {
            row,
            again: None,
            entry: None,
        };
        let Some((began, due_ns, source)) = self.owed(&due, &duty)? else {
            return Ok(looked);
        };
        let done_ns = self.done(&due.key, &duty, began)?;
        if done_ns.is_some_and(|done| done < due_ns) {
            return Ok(looked);
        }
        if due_ns > now_ns {
            let time_ns = match due.key.owed {
                Owed::Erasure => began.time_ns,
                Owed::Response | Owed::Notice | Owed::Nothing => due_ns,
            };
            let key = due.key;
            looked.again = Some(DueKey { key, time_ns }.to_bytes());
            return Ok(looked);
        }
        if !self
            .states
            .store()
            .is_found(&found_key(due.key.owed, began.of))?
        {
            metric::overdue(due.key.owed.finding());
            looked.entry = Some(self.entry(&due.key, began, due_ns, source));
        }
        Ok(looked)
    }

    fn deadline(&self, owed: Owed, began: &Began, extended: bool) -> Option<(i64, &'static str)> {
        let deadline = match owed {
            Owed::Response => self
                .deadlines
                .response(&began.jurisdiction, began.time_ns, extended),
            Owed::Notice => self.deadlines.breach(&began.jurisdiction, began.time_ns),
            Owed::Nothing => None,
            Owed::Erasure => {
                let period = self.retention_days.map_or(i64::MAX, period_ns);
                let due_ns = began.time_ns.saturating_add(period);
                return Some((due_ns, RETENTION_SOURCE));
            }
        };
        deadline.map(|deadline| (deadline.due_ns, deadline.source))
    }

    /// When it was done, if it was. Erasing at no service in particular is
    /// erasing at all of them; what was erased before the account was closed
    /// says nothing of what came in between.
    fn done(&self, key: &DutyKey, duty: &Duty, began: &Began) -> Result<Option<i64>, StateError> {
        if key.owed != Owed::Erasure {
            return Ok(duty.done_ns);
        }
        let everywhere = DutyKey {
            tag: named(""),
            ..*key
        };
        let everywhere = Duty::load(self.states.store(), &everywhere)?.done_ns;
        let done = duty.done_ns.max(everywhere);
        Ok(done.filter(|done| *done >= began.time_ns))
    }

    /// What began the duty, and when it is due by which rule; `None` where it
    /// does not matter any more. What was taken back began nothing. Of requests
    /// and breaches the earliest event counts; an account may be closed, opened
    /// and closed again, and data be kept after the last time.
    fn owed<'a>(
        &self,
        due: &DueKey,
        duty: &'a Duty,
    ) -> Result<Option<(&'a Began, i64, &'static str)>, StateError> {
        let mut standing = Vec::new();
        for began in &duty.began {
            if !self.is_taken_back(&due.key, began)? {
                standing.push(began);
            }
        }
        let extended = duty.extended;
        if due.key.owed != Owed::Erasure {
            let first = standing.first().copied();
            return Ok(first.and_then(|began| {
                self.deadline(due.key.owed, began, extended)
                    .map(|(due_ns, source)| (began, due_ns, source))
            }));
        }
        let this = |began: &&Began| began.time_ns == due.time_ns;
        let Some(began) = standing.iter().copied().rfind(this) else {
            return Ok(None);
        };
        let Some((due_ns, source)) = self.deadline(due.key.owed, began, extended) else {
            return Ok(None);
        };
        let later = |other: &&Began| other.time_ns > began.time_ns && other.time_ns < due_ns;
        if standing.iter().any(later) {
            // Each closing has a row of its own.
            return Ok(None);
        }
        let (state, _) = self.states.now(due.key.subject)?;
        let is_closed = state.account_closed(due_ns).is_some();
        Ok(is_closed.then_some((began, due_ns, source)))
    }

    fn is_taken_back(&self, key: &DutyKey, began: &Began) -> Result<bool, StateError> {
        let taken_back = DutyKey {
            owed: Owed::Nothing,
            subject: key.subject,
            tag: began.tag,
        };
        let taken_back = Duty::load(self.states.store(), &taken_back)?;
        Ok(taken_back.done_ns.is_some())
    }

    fn entry(&self, key: &DutyKey, began: &Began, due_ns: i64, source: &str) -> Entry {
        let mut entry = Entry::new(Kind::OverdueFound, due_ns);
        entry.subject = (key.subject != [0; 16]).then_some(SubjectReference(key.subject));
        entry.service.clone_from(&began.service);
        entry.controller.clone_from(&began.controller);
        entry.jurisdiction.clone_from(&began.jurisdiction);
        entry.policy.clone_from(&began.policy);
        entry.act = Act::House(HouseRecord::OverdueFound {
            code: key.owed.finding().to_owned(),
            of: began.of,
            clauses: super::clause::promised(self.ruleset, key.owed, began),
            due_ns,
            source: source.to_owned(),
        });
        entry
    }
}

fn period_ns(days: u32) -> i64 {
    i64::from(days).saturating_mul(DAY_NS)
}

/// Remembers what the house shard says was found.
pub(crate) fn mark_found(batch: &mut Batch<'_>, record: &HouseRecord) {
    let HouseRecord::OverdueFound { code, of, .. } = record else {
        return;
    };
    if let Some(owed) = Owed::ALL.into_iter().find(|owed| owed.finding() == code) {
        batch.found(&found_key(owed, *of));
    }
}
