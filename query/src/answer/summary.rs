//! `GetSubject`: everything that the ledger holds about a person, counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use custody_ledger::entry::Kind;
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::flow::Recipient;
use super::moment::{AsOf, timestamp};
use super::scope::{Course, Scope};
use super::{Ask, QueryState, proved, subject};
use crate::read_model::Visible;

impl Ask for v1::GetSubjectRequest {
    type Answer = v1::GetSubjectResponse;
    const METHOD: &'static str = "custody.v1.LineageService/GetSubject";

    fn proof_of(&self) -> Option<&str> {
        self.with_proof.then_some(self.subject.as_str())
    }

    fn add_proof(answer: &mut Self::Answer, proof: v1::ProveCompletenessResponse) {
        proved::name_checkpoint(&mut answer.head, &proof);
        answer.proof = Some(proof);
    }

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// Entries that were taken back are counted in `retracted` and nowhere
    /// else.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut everything = Filter::read(None, &mut faults);
        let as_of = faults.or(as_of)?;
        let scope = Scope::open(state, &self.subject, &visible, as_of)?;

        let mut summary = v1::GetSubjectResponse {
            head: Some(entry::ledger_head(&visible)),
            identifiers: scope.subject.identifiers.clone(),
            references: scope
                .subject
                .references()
                .map(|reference| reference.to_string())
                .collect(),
            ..v1::GetSubjectResponse::default()
        };
        let mut by_kind: HashMap<&'static str, u64> = HashMap::new();
        let mut by_judgement: HashMap<&'static str, u64> = HashMap::new();
        let mut recipients = BTreeSet::new();
        let mut distinct = Distinct::default();
        scope.walk(&mut everything, Course::default(), |seen| {
            if seen.retracted {
                summary.retracted += 1;
                return Ok(true);
            }
            let entry = &seen.row.entry;
            summary.entries += 1;
            let kind = entry.kind().map(Kind::name).unwrap_or_default();
            *by_kind.entry(kind).or_default() += 1;
            *by_judgement.entry(seen.outcome().name()).or_default() += 1;
            // Rows come in order of event time.
            if summary.entries == 1 {
                summary.first_event_time = timestamp(entry.event_time_ns);
            }
            summary.last_event_time = timestamp(entry.event_time_ns);
            recipients.extend(entry.recipient().map(Recipient::of));
            distinct.countries.add(&entry.location);
            distinct.countries.add(&seen.flow.destination);
            distinct.controllers.add(&entry.controller);
            distinct.services.add(&entry.service);
            entry
                .categories
                .iter()
                .for_each(|term| distinct.categories.add(term));
            entry
                .purposes
                .iter()
                .for_each(|term| distinct.purposes.add(term));
            Ok(true)
        })?;
        let owned = |counts: HashMap<&'static str, u64>| {
            counts
                .into_iter()
                .map(|(name, count)| (name.to_owned(), count))
                .collect()
        };
        let consultations = by_kind.get(Kind::Consultation.name());
        summary.consultations = consultations.copied().unwrap_or_default();
        summary.entries_by_kind = owned(by_kind);
        summary.entries_by_judgement = owned(by_judgement);
        summary.recipients = recipients.len() as u64;
        summary.countries = distinct.countries.sorted();
        summary.controllers = distinct.controllers.sorted();
        summary.services = distinct.services.sorted();
        summary.categories = distinct.categories.sorted();
        summary.purposes = distinct.purposes.sorted();
        Ok(summary)
    }
}

#[derive(Default)]
struct Distinct {
    countries: Said,
    controllers: Said,
    services: Said,
    categories: Said,
    purposes: Said,
}

/// Distinct texts; what was not said is none.
#[derive(Default)]
struct Said(BTreeSet<String>);

impl Said {
    fn add(&mut self, text: &str) {
        if !text.is_empty() && !self.0.contains(text) {
            self.0.insert(text.to_owned());
        }
    }

    fn sorted(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}
