//! `GetSubject`: everything that the ledger holds about a person, counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use custody_ledger::entry::{ActView, EntryView, Kind, Outcome};
use custody_proto::v1;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::moment::{AsOf, timestamp};
use super::registry::Registry;
use super::scope::{Course, Scope, Seen};
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
        let mut counted = Counted::default();
        let always = (everything.from_ns, everything.last_ns);
        scope.walk_stored(always, Course::default(), |person, stored| {
            // What has later judgements or is of the house is put together
            // first, what is not is counted as it is read in place.
            if scope.rejudged(stored.place).is_empty()
                && let Some(view) = stored.view()?
            {
                if scope.has_retracted(view.event_tag.as_ref()) {
                    summary.retracted += 1;
                } else {
                    counted.add(&scope.registry, &view)?;
                }
            } else if let Some(seen) = scope.see(&mut everything, person, &stored)? {
                if seen.retracted {
                    summary.retracted += 1;
                } else {
                    counted.add_seen(&seen);
                }
            }
            Ok(true)
        })?;
        counted.tell(&mut summary);
        Ok(summary)
    }
}

/// Entries counted, in the order of their times.
struct Counted {
    entries: u64,
    by_kind: [u64; 1 << u8::BITS],
    by_judgement: [u64; Outcome::ALL.len()],
    span_ns: Option<(i64, i64)>,
    recipients: Recipients,
    countries: Said,
    controllers: Said,
    services: Said,
    categories: Said,
    purposes: Said,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            entries: 0,
            by_kind: [0; 1 << u8::BITS],
            by_judgement: [0; Outcome::ALL.len()],
            span_ns: None,
            recipients: Recipients::default(),
            countries: Said::default(),
            controllers: Said::default(),
            services: Said::default(),
            categories: Said::default(),
            purposes: Said::default(),
        }
    }
}

impl Counted {
    fn count(&mut self, kind_code: u8, outcome: Outcome, event_time_ns: i64) {
        self.entries += 1;
        self.by_kind[usize::from(kind_code)] += 1;
        self.by_judgement[outcome as usize] += 1;
        let (first, _) = self.span_ns.unwrap_or((event_time_ns, event_time_ns));
        self.span_ns = Some((first, event_time_ns));
    }

    fn add(&mut self, registry: &Registry<'_>, view: &EntryView<'_>) -> Result<(), QueryError> {
        self.count(view.kind_code, view.outcome, view.event_time_ns);
        if let Some(party) = view.recipient() {
            self.recipients.add(party.id, party.person, party.category);
        }
        match &view.act {
            ActView::Disclosure { recipient, .. } if recipient.country.is_empty() => {
                let registered = registry.registered(recipient.id)?;
                self.countries.add(&registered.country);
            }
            ActView::Disclosure { recipient, .. } => self.countries.add(recipient.country),
            ActView::Transfer { to_country, .. } => self.countries.add(to_country),
            _ => {}
        }
        self.countries.add(view.location);
        self.controllers.add(view.controller);
        self.services.add(view.service);
        view.categories
            .iter()
            .for_each(|term| self.categories.add(term));
        view.purposes
            .iter()
            .for_each(|term| self.purposes.add(term));
        Ok(())
    }

    /// The same of an entry that was put together.
    fn add_seen(&mut self, seen: &Seen) {
        let entry = &seen.row.entry;
        self.count(entry.kind_code, seen.outcome(), entry.event_time_ns);
        if let Some(party) = entry.recipient() {
            let (id, category) = (&party.id, &party.category);
            self.recipients.add(id, party.person, category);
        }
        self.countries.add(&entry.location);
        self.countries.add(&seen.flow.destination);
        self.controllers.add(&entry.controller);
        self.services.add(&entry.service);
        entry
            .categories
            .iter()
            .for_each(|term| self.categories.add(term));
        entry
            .purposes
            .iter()
            .for_each(|term| self.purposes.add(term));
    }

    fn tell(self, summary: &mut v1::GetSubjectResponse) {
        summary.entries = self.entries;
        let (first, last) = self.span_ns.unzip();
        summary.first_event_time = first.and_then(timestamp);
        summary.last_event_time = last.and_then(timestamp);
        let kinds = (0..=u8::MAX).zip(self.by_kind);
        for (code, count) in kinds.filter(|(_, count)| *count > 0) {
            let kind = Kind::from_code(code).map(Kind::name).unwrap_or_default();
            *summary.entries_by_kind.entry(kind.to_owned()).or_default() += count;
        }
        let judgements = Outcome::ALL.into_iter().zip(self.by_judgement);
        for (outcome, count) in judgements.filter(|(_, count)| *count > 0) {
            let by_judgement = &mut summary.entries_by_judgement;
            by_judgement.insert(outcome.name().to_owned(), count);
        }
        let consultations = summary.entries_by_kind.get(Kind::Consultation.name());
        summary.consultations = consultations.copied().unwrap_or_default();
        summary.recipients = self.recipients.count;
        summary.countries = self.countries.sorted();
        summary.controllers = self.controllers.sorted();
        summary.services = self.services.sorted();
        summary.categories = self.categories.sorted();
        summary.purposes = self.purposes.sorted();
    }
}

/// Distinct recipients, as [`crate::read_model::Recipient`] tells them apart.
#[derive(Default)]
struct Recipients {
    /// By id: whether they are persons, and then of which category.
    by_id: HashMap<String, Vec<(bool, String)>>,
    count: u64,
}

impl Recipients {
    fn add(&mut self, id: &str, person: bool, category: &str) {
        // An organisation is one whatever it is called.
        let category = if person { category } else { "" };
        let known = match self.by_id.get_mut(id) {
            Some(known) => known,
            None => self.by_id.entry(id.to_owned()).or_default(),
        };
        let is_it = |it: &&(bool, String)| it.0 == person && it.1 == category;
        if known.iter().find(is_it).is_none() {
            known.push((person, category.to_owned()));
            self.count += 1;
        }
    }
}

/// Distinct texts; what was not said is none.
#[derive(Default)]
struct Said {
    texts: HashSet<String>,
    /// The one said last: it is often said again.
    last: String,
}

impl Said {
    fn add(&mut self, text: &str) {
        if text.is_empty() || self.last == text {
            return;
        }
        if !self.texts.contains(text) {
            self.texts.insert(text.to_owned());
        }
        self.last.clear();
        self.last.push_str(text);
    }

    fn sorted(self) -> Vec<String> {
        let mut texts: Vec<String> = self.texts.into_iter().collect();
        texts.sort_unstable();
        texts
    }
}
