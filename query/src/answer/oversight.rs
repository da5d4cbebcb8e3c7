//! `ListFindings` and `GetFindingSummary` over all persons, from the findings
//! that the read model keeps by code, policy and time.

use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::entry::EntryRef;
use custody_ledger::id::{ShardId, SubjectReference};
use custody_proto::v1;
use prost::Message;

use super::at_least::Wanted;
use super::entry;
use super::error::{Faults, QueryError};
use super::everybody::Everybody;
use super::filter::Filter;
use super::finding::{self, FindingFilter};
use super::findings::Counts;
use super::judgement::Found;
use super::moment::AsOf;
use super::page::{PAGE_BYTES, Page};
use super::registry::Registry;
use super::scope::Seen;
use super::{Ask, QueryState};
use crate::read_model::{FindingKey, FindingRow, FindingsFrom, NOBODY, Place, Visible};

/// Asks what the judge found over all persons. Three methods have the same
/// request message; this says which is meant.
#[derive(Clone, Debug, Default)]
pub struct OversightFindings(pub v1::OversightListRequest);

/// The last finding of a page.
#[derive(Encode, Decode)]
struct Cursor {
    code: String,
    policy: String,
    event_time_ns: i64,
    shard: ShardId,
    sequence: u64,
    rejudged: Option<u64>,
    index: u16,
}

impl From<FindingKey> for Cursor {
    fn from(key: FindingKey) -> Self {
        Self {
            code: key.code,
            policy: key.policy,
            event_time_ns: key.place.event_time_ns,
            shard: key.place.shard,
            sequence: key.place.sequence,
            rejudged: key.rejudged,
            index: key.index,
        }
    }
}

impl From<Cursor> for FindingKey {
    fn from(cursor: Cursor) -> Self {
        Self {
            code: cursor.code,
            policy: cursor.policy,
            place: Place {
                event_time_ns: cursor.event_time_ns,
                shard: cursor.shard,
                sequence: cursor.sequence,
            },
            rejudged: cursor.rejudged,
            index: cursor.index,
        }
    }
}

impl Ask for OversightFindings {
    type Answer = v1::ListFindingsResponse;
    const METHOD: &'static str = "custody.v1.OversightService/ListFindings";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        Filter::read(self.0.filter.as_ref(), &mut faults);
        FindingFilter::read(self.0.findings.as_ref(), &mut faults);
        AsOf::read(self.0.as_of.as_ref(), &mut faults);
        let mut wanted = Wanted::read(self.0.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, &self.0, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    /// Findings of entries that were taken back are left out.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let request = self.0;
        let mut faults = Faults::default();
        let filter = Filter::read(request.filter.as_ref(), &mut faults);
        let wanted = FindingFilter::read(request.findings.as_ref(), &mut faults);
        let as_of = AsOf::read(request.as_of.as_ref(), &mut faults);
        let page = Page::of::<Self, _>(state, &request, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let after: Option<Cursor> = page.cursor()?;
        let mut everybody = Findings::new(state, &head, as_of, filter, wanted);

        let mut findings = Vec::new();
        let (mut bytes, mut last, mut more) = (0, None, false);
        everybody.walk(
            after.map(FindingKey::from),
            |registry, shown, key, found| {
                if !shown {
                    return Ok(true);
                }
                if findings.len() == page.size || bytes >= PAGE_BYTES {
                    more = true;
                    return Ok(false);
                }
                let row = finding::row(
                    registry,
                    found.seen,
                    found.found,
                    found.subject,
                    request.with_clauses,
                )?;
                bytes += row.encoded_len();
                findings.push(row);
                last = Some(key.clone());
                Ok(true)
            },
        )?;
        let next_page_token = match last {
            Some(key) if more => page.next(&state.tokens, &head, &Cursor::from(key))?,
            _ => String::new(),
        };
        Ok(v1::ListFindingsResponse {
            findings,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
        })
    }
}

impl Ask for v1::OversightFindingSummaryRequest {
    type Answer = v1::GetFindingSummaryResponse;
    const METHOD: &'static str = "custody.v1.OversightService/GetFindingSummary";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        Filter::read(self.filter.as_ref(), &mut faults);
        FindingFilter::read(self.findings.as_ref(), &mut faults);
        AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    /// Findings of entries that were taken back are not counted.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let filter = Filter::read(self.filter.as_ref(), &mut faults);
        let wanted = FindingFilter::read(self.findings.as_ref(), &mut faults);
        let as_of = AsOf::read(self.as_of.as_ref(), &mut faults);
        let wanted = faults.or(wanted)?;
        let mut counts = Counts::default();
        Findings::new(state, &visible, as_of, filter, wanted).walk(None, |_, _, key, about| {
            counts.add(key.place.event_time_ns, about.found);
            Ok(true)
        })?;
        Ok(counts.answer(&visible))
    }
}

/// A finding and what it is about.
struct About<'a> {
    seen: &'a Seen,
    found: &'a Found<'a>,
    subject: Option<SubjectReference>,
}

/// Findings over all persons, up to a head, as of a moment.
struct Findings<'a> {
    state: &'a QueryState,
    everybody: Everybody<'a>,
    as_of: AsOf,
    filter: Filter,
    wanted: FindingFilter,
}

impl<'a> Findings<'a> {
    fn new(
        state: &'a QueryState,
        head: &'a Visible,
        as_of: AsOf,
        filter: Filter,
        wanted: FindingFilter,
    ) -> Self {
        Self {
            state,
            everybody: Everybody::new(state, head, as_of),
            as_of,
            filter,
            wanted,
        }
    }

    /// Visits every finding that matches, in the order of their keys, until
    /// `visit` has had enough and returns `false`. What does not match is
    /// jumped over a code, a policy or a time at once. `visit` hears whether a
    /// list shows the finding.
    fn walk(
        &mut self,
        after: Option<FindingKey>,
        mut visit: impl FnMut(&Registry<'_>, bool, &FindingKey, About<'_>) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let Some(last_ns) = self.filter.last_ns else {
            return Ok(());
        };
        let last_ns = last_ns.min(self.as_of.event_time_ns);
        let model = &self.state.read_model;
        let mut meter = self.state.work.meter();
        let mut rows = match &after {
            Some(after) => model.findings(FindingsFrom::After(after)),
            None => model.findings(FindingsFrom::Start),
        };
        while let Some(row) = rows.next() {
            meter.row()?;
            let (key, row) = row?;
            let (code, policy) = (key.code.as_str(), key.policy.as_str());
            let time_ns = key.place.event_time_ns;
            let jump = if !self.wanted.takes_code(code) {
                Some(FindingsFrom::NextCode(code))
            } else if !self.wanted.takes_policy(policy) || time_ns > last_ns {
                Some(FindingsFrom::NextPolicy(code, policy))
            } else if time_ns < self.filter.from_ns {
                Some(FindingsFrom::Time(code, policy, self.filter.from_ns))
            } else {
                None
            };
            if let Some(jump) = jump {
                rows = model.findings(jump);
                continue;
            }
            let Some(seen) = self.seen(&key, &row)? else {
                continue;
            };
            let findings = seen.findings();
            let is_it =
                |found: &&Found<'_>| (found.rejudged, found.index) == (key.rejudged, key.index);
            let Some(found) = findings.iter().find(is_it) else {
                continue;
            };
            if !self.wanted.matches(&seen, found) {
                continue;
            }
            let about = About {
                seen: &seen,
                found,
                subject: row.subject,
            };
            let shown = self.wanted.shows(found);
            if !visit(&self.everybody.registry, shown, &key, about)? {
                break;
            }
        }
        Ok(())
    }

    /// The entry that a finding is about; `None` where it does not match, was
    /// taken back, or is not below the head.
    fn seen(&mut self, key: &FindingKey, row: &FindingRow) -> Result<Option<Seen>, QueryError> {
        let model = &self.state.read_model;
        if key.place.sequence >= self.everybody.head.size(&key.place.shard)
            || row.recorded_time_ns > self.as_of.recorded_time_ns
            || !self.wanted.takes_recorded(row.recorded_time_ns)
        {
            return Ok(None);
        }
        let event = match &row.subject {
            Some(subject) => match model.event(subject, &key.place)? {
                // A re-judgement that says another time than its entry.
                None if key.rejudged.is_some() => model.find_event(
                    subject,
                    &EntryRef {
                        shard: key.place.shard,
                        sequence: key.place.sequence,
                    },
                )?,
                event => event,
            },
            None => model.entry_of(key, row)?,
        };
        let Some(event) = event else {
            return Ok(None);
        };
        let subject = row.subject.unwrap_or(NOBODY);
        self.everybody.seen(&mut self.filter, &subject, event)
    }
}
