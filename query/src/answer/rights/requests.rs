//! `ListRequests`: what persons asked for, by when it is due, and how it
//! stands.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use bincode::{Decode, Encode};
use custody_ledger::id::SubjectReference;
use custody_policy::country;
use custody_proto::v1;

use super::request::{Claimant, Request, RequestKey, RequestState, requests_of};
use crate::answer::at_least::Wanted;
use crate::answer::entry;
use crate::answer::error::{Faults, QueryError};
use crate::answer::filter::named;
use crate::answer::moment::{self, timestamp};
use crate::answer::page::Page;
use crate::answer::sealed::Opener;
use crate::answer::subject::{self, Subject};
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

/// The last request of a page, and when deadlines were looked at: what fell due
/// while somebody turned the pages is no reason to show it twice or not at all.
#[derive(Clone, Copy, Encode, Decode)]
struct Cursor {
    now_ns: i64,
    key: RequestKey,
}

/// A checked request without its page.
struct RequestFilter {
    states: HashSet<RequestState>,
    jurisdictions: Vec<String>,
    from_ns: i64,
    to_ns: Option<i64>,
}

impl RequestFilter {
    fn read(request: &v1::ListRequestsRequest, faults: &mut Faults) -> Self {
        let from = moment::read(request.from.as_ref(), "from", faults);
        let to = moment::read(request.to.as_ref(), "to", faults);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            faults.push("to", "must not be before `from`");
        }
        Self {
            states: named(
                &request.states,
                "states",
                "is none of `open`, `extended`, `overdue`, `fulfilled`, `partly`, `refused`, \
                 `erased`",
                faults,
                RequestState::from_name,
            ),
            jurisdictions: named(
                &request.jurisdictions,
                "jurisdictions",
                "is no country: ISO 3166-1 alpha-2 or ISO 3166-2, in capitals",
                faults,
                |code| country::is_country(code).then(|| code.to_owned()),
            ),
            from_ns: from.unwrap_or(i64::MIN),
            to_ns: to,
        }
    }

    fn matches(&self, request: &Request, now_ns: i64) -> bool {
        let (time_ns, jurisdiction) = (request.time_ns(), request.jurisdiction());
        time_ns >= self.from_ns
            && self.to_ns.is_none_or(|to| time_ns < to)
            && (self.jurisdictions.is_empty()
                || self.jurisdictions.iter().any(|wanted| {
                    jurisdiction == wanted
                        || country::country_of(jurisdiction) == Some(wanted.as_str())
                }))
            && (self.states.is_empty() || self.states.contains(&request.state(now_ns)))
    }
}

impl Ask for v1::ListRequestsRequest {
    type Answer = v1::ListRequestsResponse;
    const METHOD: &'static str = "custody.v1.RightsService/ListRequests";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        if !self.subject.is_empty() {
            subject::check(&self.subject, &mut faults);
        }
        RequestFilter::read(self, &mut faults);
        let mut wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?.want(&mut wanted);
        faults.or(wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let filter = RequestFilter::read(&self, &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        let head = page.head(state, &visible)?;
        let cursor: Option<Cursor> = page.cursor()?;
        let now_ns = cursor.map_or_else(|| state.now_ns(), |cursor| cursor.now_ns);

        let mut earliest = Earliest::new(cursor.map(|cursor| cursor.key), page.size);
        let mut opener = Opener::default();
        let mut take = |claimants: Vec<Claimant>| {
            let claimants = Rc::new(claimants);
            let wanted = |key: &RequestKey| earliest.takes(key);
            let found = requests_of(state, &head, &claimants, &mut opener, wanted)?;
            for request in found {
                if filter.matches(&request, now_ns) {
                    earliest.add(request, &claimants);
                }
            }
            Ok(())
        };
        if self.subject.is_empty() {
            everybody(state, take)?;
        } else {
            take(claimants_of(Subject::find(state, &self.subject)?))?;
        }

        let more = earliest.rows.len() > page.size;
        let mut last = None;
        let mut requests = Vec::with_capacity(page.size.min(earliest.rows.len()));
        for (key, (request, claimants)) in earliest.rows.into_iter().take(page.size) {
            last = Some(key);
            requests.push(request.show(state, &claimants, &mut opener, now_ns)?);
        }
        let next_page_token = match last {
            Some(key) if more => page.next(&state.tokens, &head, &Cursor { now_ns, key })?,
            _ => String::new(),
        };
        Ok(v1::ListRequestsResponse {
            requests,
            next_page_token,
            head: Some(entry::ledger_head(&head)),
            as_of: timestamp(now_ns),
        })
    }
}

/// The earliest requests after a place: a page of them and one more. Memory
/// follows the page and not the ledger.
struct Earliest {
    after: Option<RequestKey>,
    size: usize,
    rows: BTreeMap<RequestKey, (Request, Rc<Vec<Claimant>>)>,
}

impl Earliest {
    fn new(after: Option<RequestKey>, size: usize) -> Self {
        Self {
            after,
            size,
            rows: BTreeMap::new(),
        }
    }

    fn takes(&self, key: &RequestKey) -> bool {
        let is_full = self.rows.len() > self.size;
        self.after.is_none_or(|after| *key > after)
            && (!is_full
                || self
                    .rows
                    .last_key_value()
                    .is_none_or(|(last, _)| key < last))
    }

    fn add(&mut self, request: Request, claimants: &Rc<Vec<Claimant>>) {
        let key = request.key();
        if self.takes(&key) {
            self.rows.insert(key, (request, Rc::clone(claimants)));
            if self.rows.len() > self.size + 1 {
                self.rows.pop_last();
            }
        }
    }
}

/// Everybody in a linked set.
pub(super) fn claimants_of(subject: Subject) -> Vec<Claimant> {
    let persons = subject.persons.into_iter();
    let claimants = persons.map(|person| Claimant {
        reference: SubjectReference(person.reference()),
        person: Some(person),
    });
    claimants.collect()
}

/// Visits every linked set that has something to do with a request, once.
fn everybody(
    state: &QueryState,
    mut visit: impl FnMut(Vec<Claimant>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let vault = &state.vault;
    let claimant = |reference: [u8; 16]| {
        Ok(Claimant {
            reference: SubjectReference(reference),
            person: vault.person(&reference).map_err(QueryError::Vault)?,
        })
    };
    let mut before = None;
    // Only of those who are linked: few.
    let mut visited: HashSet<[u8; 16]> = HashSet::new();
    for row in state.read_model.rights(None) {
        let (reference, _) = row?;
        if before == Some(reference) || visited.contains(&reference.0) {
            continue;
        }
        before = Some(reference);
        let linked = vault.linked(&reference.0).map_err(QueryError::Vault)?;
        visited.extend(&linked);
        let set = std::iter::once(reference.0).chain(linked);
        visit(set.map(claimant).collect::<Result<_, QueryError>>()?)?;
    }
    Ok(())
}
