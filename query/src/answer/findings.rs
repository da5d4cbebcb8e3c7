//! `ListFindings` and `GetFindingSummary` of one person.
//!
//! Both walk the person's entries as the other answers do: the same filter, the
//! same look at the ledger as it was, the same retractions.

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::id::{ShardId, SubjectReference};
use custody_proto::v1;
use prost::Message;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::Filter;
use super::finding::{self, FindingFilter};
use super::judgement::Found;
use super::moment::{AsOf, timestamp};
use super::page::{PAGE_BYTES, Page};
use super::scope::{Course, Scope, Seen};
use super::{Ask, QueryState, subject};
use crate::read_model::{Place, Visible};

/// The last finding of a page.
#[derive(PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Cursor {
    event_time_ns: i64,
    shard: ShardId,
    sequence: u64,
    rejudged: Option<u64>,
    index: u16,
}

impl Cursor {
    fn of(place: Place, found: &Found<'_>) -> Self {
        Self {
            event_time_ns: place.event_time_ns,
            shard: place.shard,
            sequence: place.sequence,
            rejudged: found.rejudged,
            index: found.index,
        }
    }

    fn place(&self) -> Place {
        Place {
            event_time_ns: self.event_time_ns,
            shard: self.shard,
            sequence: self.sequence,
        }
    }
}

impl Ask for v1::ListFindingsRequest {
    type Answer = v1::ListFindingsResponse;
    const METHOD: &'static str = "custody.v1.LineageService/ListFindings";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        Filter::read(self.filter.as_ref(), &mut faults);
        FindingFilter::read(self.findings.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Findings of entries that were taken back are left out.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let wanted = FindingFilter::read(self.findings.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let scope = Scope::open(state, &self.subject, &head, as_of)?;
        let after: Option<Cursor> = page.cursor()?;
        let course = Course {
            after: after.as_ref().map(Cursor::place),
            // A page may end between two findings of one entry.
            again: true,
            ..Course::default()
        };

        let mut findings = Vec::new();
        let (mut bytes, mut last, mut more) = (0, None, false);
        scope.walk(&mut filter, course, |seen| {
            for found in in_force_or_asked_for(&seen, &wanted) {
                let cursor = Cursor::of(seen.row.place, &found);
                if after.as_ref().is_some_and(|after| cursor <= *after) {
                    continue;
                }
                if findings.len() == page.size || bytes >= PAGE_BYTES {
                    more = true;
                    return Ok(false);
                }
                let whose = SubjectReference(scope.subject.persons[seen.person].reference());
                let registry = &scope.registry;
                let row = finding::row(registry, &seen, &found, Some(whose), self.with_clauses)?;
                bytes += row.encoded_len();
                findings.push(row);
                last = Some(cursor);
            }
            Ok(true)
        })?;
        let next_page_token = match last {
            Some(cursor) if more => page.next(&state.tokens, &head, &cursor)?,
            _ => String::new(),
        };
        Ok(v1::ListFindingsResponse {
            findings,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
        })
    }
}

fn in_force_or_asked_for<'a>(
    seen: &'a Seen,
    wanted: &'a FindingFilter,
) -> impl Iterator<Item = Found<'a>> {
    let findings = if seen.retracted {
        Vec::new()
    } else {
        seen.findings()
    };
    findings
        .into_iter()
        .filter(move |found| wanted.matches(seen, found) && wanted.shows(found))
}

impl Ask for v1::GetFindingSummaryRequest {
    type Answer = v1::GetFindingSummaryResponse;
    const METHOD: &'static str = "custody.v1.LineageService/GetFindingSummary";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        subject::check(&self.subject, &mut faults);
        Filter::read(self.filter.as_ref(), &mut faults);
        FindingFilter::read(self.findings.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// Findings of entries that were taken back are not counted.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let mut filter = Filter::read(self.filter.as_ref(), &mut faults);
        let wanted = FindingFilter::read(self.findings.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let as_of = faults.or(as_of)?;
        let scope = Scope::open(state, &self.subject, &visible, as_of)?;
        let mut counts = Counts::default();
        scope.walk(&mut filter, Course::default(), |seen| {
            if !seen.retracted {
                for found in seen.findings() {
                    if wanted.matches(&seen, &found) {
                        counts.add(seen.row.entry.event_time_ns, &found);
                    }
                }
            }
            Ok(true)
        })?;
        Ok(counts.answer(&visible))
    }
}

/// How much was found of each code under each policy version.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<(String, String), Count>);

#[derive(Default)]
struct Count {
    in_force: u64,
    suppressed: u64,
    superseded: u64,
    /// Of those in force.
    first_and_last_ns: Option<(i64, i64)>,
}

impl Counts {
    pub(crate) fn add(&mut self, event_time_ns: i64, found: &Found<'_>) {
        let key = (found.code.to_owned(), found.policy.clone().into_owned());
        let count = self.0.entry(key).or_default();
        if found.superseded {
            count.superseded += 1;
            return;
        }
        if found.suppressed {
            count.suppressed += 1;
        } else {
            count.in_force += 1;
        }
        let (first, last) = count
            .first_and_last_ns
            .get_or_insert((event_time_ns, event_time_ns));
        *first = (*first).min(event_time_ns);
        *last = (*last).max(event_time_ns);
    }

    pub(crate) fn answer(self, head: &Visible) -> v1::GetFindingSummaryResponse {
        let counts = self.0.into_iter().map(|((code, policy), count)| {
            let (first, last) = count.first_and_last_ns.unzip();
            v1::FindingCount {
                class: finding::class(&code).to_owned(),
                code,
                policy,
                count: count.in_force,
                suppressed: count.suppressed,
                superseded: count.superseded,
                first_time: first.and_then(timestamp),
                last_time: last.and_then(timestamp),
            }
        });
        v1::GetFindingSummaryResponse {
            counts: counts.collect(),
            head: Some(entry::ledger_head(head)),
        }
    }
}
