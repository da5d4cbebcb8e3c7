//! What an erasure would do: worked out the same way for a preview and, once
//! more, when it is confirmed.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::entry::Kind;
use custody_ledger::id::SubjectReference;
use custody_proto::v1;
use custody_vault::Person;

use super::confirm::Seen;
use super::reach;
use super::request::{Claimant, requests_of};
use super::told::Told;
use super::whom::Whom;
use crate::answer::QueryState;
use crate::answer::entry;
use crate::answer::error::QueryError;
use crate::answer::moment::timestamp;
use crate::answer::registry::Registry;
use crate::answer::sealed::Opener;
use crate::custodian::{Custodian, ErasureOrder};
use crate::read_model::{Place, Visible};

const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// What was asked for beside whom.
pub(super) struct Terms {
    pub(super) reason: String,
    pub(super) ticket: String,
    pub(super) mark: bool,
}

/// What an erasure would do.
pub(super) struct Preview {
    persons: Vec<Person>,
    identifiers: BTreeMap<String, u64>,
    /// By person, in order of reference.
    entries: Vec<(SubjectReference, u64)>,
    /// The same without those that say that somebody looked: looking at the
    /// preview makes one.
    confirmed: Vec<(SubjectReference, u64)>,
    sealed: u64,
    by_kind: BTreeMap<&'static str, (u64, u64)>,
    told: Told,
    holds: Vec<v1::Hold>,
    terms: Terms,
}

impl Preview {
    pub(super) fn of(
        state: &QueryState,
        head: &Visible,
        custodian: &dyn Custodian,
        whom: Whom,
        terms: Terms,
    ) -> Result<Self, QueryError> {
        let mut preview = Self {
            holds: holds_on(custodian.holds()?, &whom.references()),
            persons: Vec::new(),
            identifiers: whom.schemes(),
            entries: Vec::new(),
            confirmed: Vec::new(),
            sealed: 0,
            by_kind: BTreeMap::new(),
            told: Told::default(),
            terms,
        };
        preview.persons = whom.into_persons();
        for index in 0..preview.persons.len() {
            let reference = SubjectReference(preview.persons[index].reference());
            preview.take(state, head, reference)?;
        }
        Ok(preview)
    }

    /// Counts one person's entries.
    fn take(
        &mut self,
        state: &QueryState,
        head: &Visible,
        reference: SubjectReference,
    ) -> Result<(), QueryError> {
        let model = &state.read_model;
        let retracted: BTreeSet<_> = model
            .retracted(&reference, head, i64::MAX)?
            .into_iter()
            .collect();
        let (first, last) = (Place::first_at(i64::MIN), Place::last_at(i64::MAX));
        let (mut entries, mut looks) = (0, 0);
        for row in model.events(&reference, &first, &last) {
            let row = row?.decode()?;
            if row.place.sequence >= head.size(&row.place.shard) {
                continue;
            }
            entries += 1;
            looks += u64::from(row.entry.kind() == Some(Kind::Consultation));
            self.sealed += u64::from(row.has_sealed);
            let kind = row.entry.kind().map(Kind::name).unwrap_or_default();
            let (count, sealed) = self.by_kind.entry(kind).or_default();
            *count += 1;
            *sealed += u64::from(row.has_sealed);
            let tag = row.entry.event_tag;
            // What was taken back never happened, and nobody got anything.
            if tag.is_none_or(|tag| !retracted.contains(&tag)) {
                self.told.take(&row.entry);
            }
        }
        self.entries.push((reference, entries));
        self.confirmed.push((reference, entries - looks));
        Ok(())
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            entries: &self.confirmed,
            holds: &self.holds,
            reason: &self.terms.reason,
            ticket: &self.terms.ticket,
            mark: self.terms.mark,
        }
    }

    /// Whether this is what was seen when the token was made.
    pub(super) fn check(&self, state: &QueryState, token: &str) -> Result<(), QueryError> {
        self.seen().check(state, token)
    }

    /// Number of entries whose sealed part goes, and who is to be told.
    pub(super) fn summary(&self) -> (u64, Vec<String>) {
        (self.sealed, self.told.recipient_ids())
    }

    pub(super) fn into_order(self) -> ErasureOrder {
        ErasureOrder {
            subjects: self.persons.iter().map(Person::reference).collect(),
            recipients: self.told.recipient_ids(),
            entries: self.entries.iter().map(|(_, entries)| entries).sum(),
            reason: self.terms.reason,
            ticket: self.terms.ticket,
            mark: self.terms.mark,
        }
    }

    pub(super) fn show(
        self,
        state: &QueryState,
        head: &Visible,
    ) -> Result<v1::ErasurePreview, QueryError> {
        let registry = Registry::new(state, head, i64::MAX);
        let open_requests = self.open_requests(state, head)?;
        let by_kind = self
            .by_kind
            .iter()
            .map(|(kind, (count, sealed))| v1::KindCount {
                kind: (*kind).to_owned(),
                count: *count,
                sealed: *sealed,
            });
        let identifiers = self
            .identifiers
            .iter()
            .map(|(scheme, count)| v1::SchemeCount {
                scheme: scheme.clone(),
                count: *count,
            });
        let references = self.entries.iter();
        Ok(v1::ErasurePreview {
            confirm: self.seen().token(state),
            persons: self.persons.len() as u64,
            references: references
                .map(|(reference, _)| reference.to_string())
                .collect(),
            entries_by_kind: by_kind.collect(),
            identifiers: identifiers.collect(),
            recipients: self.told.recipients(&registry)?,
            disclosures_to_persons: self.told.to_persons,
            services: self.told.services(),
            open_requests,
            irreversible_from: irreversible_from(state).and_then(timestamp),
            stays: reach::stays(self.terms.mark),
            out_of_reach: reach::out_of_reach(),
            mark: self.terms.mark,
            head: Some(entry::ledger_head(head)),
            holds: self.holds,
        })
    }

    /// Requests of these persons that nobody answered: after the erasure nobody
    /// can tell any more which answer belongs to which.
    fn open_requests(
        &self,
        state: &QueryState,
        head: &Visible,
    ) -> Result<Vec<v1::RightsRequestRow>, QueryError> {
        let now_ns = state.now_ns();
        let mut opener = Opener::default();
        let claimants: Vec<Claimant> = self
            .persons
            .iter()
            .map(|person| Claimant {
                reference: SubjectReference(person.reference()),
                person: Some(person.clone()),
            })
            .collect();
        let mut rows = Vec::new();
        for set in whole_sets(state, claimants)? {
            let mut requests = requests_of(state, head, &set, &mut opener, |_| true)?;
            requests.retain(|request| request.state(now_ns).is_unanswered());
            requests.sort_by_key(|request| request.key());
            for request in requests {
                rows.push(request.show(state, &set, &mut opener, now_ns)?);
            }
        }
        Ok(rows)
    }
}

/// Claimants by linked set: the same id in two sets is two requests.
fn whole_sets(
    state: &QueryState,
    claimants: Vec<Claimant>,
) -> Result<Vec<Vec<Claimant>>, QueryError> {
    let mut sets: Vec<(BTreeSet<[u8; 16]>, Vec<Claimant>)> = Vec::new();
    let mut known: BTreeMap<[u8; 16], usize> = BTreeMap::new();
    for claimant in claimants {
        let reference = claimant.reference.0;
        if let Some(index) = known.get(&reference) {
            sets[*index].1.push(claimant);
            continue;
        }
        let mut set: BTreeSet<[u8; 16]> = state
            .vault
            .linked(&reference)
            .map_err(QueryError::Vault)?
            .into_iter()
            .collect();
        set.insert(reference);
        known.extend(set.iter().map(|other| (*other, sets.len())));
        sets.push((set, vec![claimant]));
    }
    Ok(sets.into_iter().map(|(_, claimants)| claimants).collect())
}

/// Holds that stand against erasing any of these, in order of matter.
pub(super) fn holds_on(holds: Vec<v1::Hold>, references: &BTreeSet<String>) -> Vec<v1::Hold> {
    let is_on = |hold: &v1::Hold| {
        hold.references.is_empty() || hold.references.iter().any(|it| references.contains(it))
    };
    let mut on: Vec<v1::Hold> = holds.into_iter().filter(is_on).collect();
    on.sort_by(|a, b| a.matter.cmp(&b.matter));
    on
}

/// When the last shares of a root key that can undo an erasure are too old to
/// be kept; `None` where no shares were ever made.
fn irreversible_from(state: &QueryState) -> Option<i64> {
    let escrow = state.vault.root().escrow?;
    let age_ns = i64::from(state.erasing.escrow_max_age_days).saturating_mul(DAY_NS);
    Some(escrow.made_ns.saturating_add(age_ns))
}
