//! A person's requests: which answers belong to which, by when each is due, and
//! how it stands.
//!
//! A request is known by its id, which is sealed: requests and answers of one
//! person are opened and matched by it, over the whole linked set, since a
//! request may have been made under one reference and answered under another.
//! The same duty is followed at ingest, so that a request that is overdue here
//! is one that a finding says is overdue there.

use std::collections::HashMap;

use bincode::{Decode, Encode};
use custody_ledger::entry::{Act, EntryRef};
use custody_ledger::id::{ShardId, SubjectReference};
use custody_policy::law::{Deadline, response_deadline};
use custody_proto::event::{event, rights_response::Outcome};
use custody_proto::v1;
use custody_vault::Person;

use crate::answer::QueryState;
use crate::answer::error::QueryError;
use crate::answer::judgement::overdue_of;
use crate::answer::moment::timestamp;
use crate::answer::sealed::Opener;
use crate::read_model::{EventRow, Visible};

/// Where a request stands in a list: the earliest deadline first, those
/// without one last; then by event time, shard and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(super) struct RequestKey {
    has_no_deadline: bool,
    due_ns: i64,
    time_ns: i64,
    shard: ShardId,
    sequence: u64,
}

impl RequestKey {
    fn new(row: &EventRow, extended: bool) -> Self {
        let due = deadline(row, extended);
        Self {
            has_no_deadline: due.is_none(),
            due_ns: due.map_or(0, |due| due.due_ns),
            time_ns: row.place.event_time_ns,
            shard: row.place.shard,
            sequence: row.place.sequence,
        }
    }
}

fn deadline(row: &EventRow, extended: bool) -> Option<Deadline> {
    let (jurisdiction, received_ns) = (&row.entry.jurisdiction, row.entry.event_time_ns);
    response_deadline(jurisdiction, received_ns, extended)
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RequestState {
    Open,
    Extended,
    Overdue,
    Fulfilled,
    Partly,
    Refused,
    Erased,
}

impl RequestState {
    pub(super) const ALL: [Self; 7] = [
        Self::Open,
        Self::Extended,
        Self::Overdue,
        Self::Fulfilled,
        Self::Partly,
        Self::Refused,
        Self::Erased,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Extended => "extended",
            Self::Overdue => "overdue",
            Self::Fulfilled => "fulfilled",
            Self::Partly => "partly",
            Self::Refused => "refused",
            Self::Erased => "erased",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it still has to be answered.
    pub(super) const fn is_unanswered(self) -> bool {
        matches!(self, Self::Open | Self::Extended | Self::Overdue)
    }
}

/// Somebody under one reference; without a key where the person was erased.
pub(super) struct Claimant {
    pub(super) reference: SubjectReference,
    pub(super) person: Option<Person>,
}

/// One request, and what came of it.
pub(super) struct Request {
    claimant: usize,
    /// The entry that made it: the earliest, where it was said more than once.
    row: EventRow,
    /// `None`: not opened yet.
    id: Option<String>,
    /// In order of place.
    answers: Vec<EventRow>,
    extended: bool,
    erased: bool,
    finding: Option<v1::EntryPosition>,
}

/// The requests of one linked set that may be `wanted`, in no particular order.
///
/// `wanted` is asked with every place in a list that a request may turn out to
/// have. Opening is what costs, so that nothing is opened where nothing is
/// wanted.
pub(super) fn requests_of(
    state: &QueryState,
    head: &Visible,
    claimants: &[Claimant],
    opener: &mut Opener,
    wanted: impl Fn(&RequestKey) -> bool,
) -> Result<Vec<Request>, QueryError> {
    let mut said = Said::read(state, head, claimants)?;
    let may_be_extended = said.answers.iter().any(|(_, row)| is_extension(row));
    let may_be_wanted = |(_, row): &(usize, EventRow)| {
        wanted(&RequestKey::new(row, false))
            || (may_be_extended && wanted(&RequestKey::new(row, true)))
    };
    if !said.requests.iter().any(may_be_wanted) {
        return Ok(Vec::new());
    }
    said.requests.sort_by_key(|(_, row)| row.place);
    said.answers.sort_by_key(|(_, row)| row.place);
    let overdue = std::mem::take(&mut said.overdue);
    let mut requests = said.matched(state, claimants, opener)?;
    for (request, entries) in &mut requests {
        request.finding = entries.iter().find_map(|at| overdue.get(at)).cloned();
    }
    Ok(requests.into_iter().map(|(request, _)| request).collect())
}

/// What was said about requests, and by which claimant.
#[derive(Default)]
struct Said {
    requests: Vec<(usize, EventRow)>,
    answers: Vec<(usize, EventRow)>,
    overdue: HashMap<EntryRef, v1::EntryPosition>,
}

impl Said {
    /// What was taken back was never said.
    fn read(
        state: &QueryState,
        head: &Visible,
        claimants: &[Claimant],
    ) -> Result<Self, QueryError> {
        let model = &state.read_model;
        let mut said = Self::default();
        for (index, claimant) in claimants.iter().enumerate() {
            let reference = &claimant.reference;
            let retracted = model.retracted(reference, head, i64::MAX)?;
            for place in model.rights(Some(reference)) {
                let (_, place) = place?;
                if place.sequence >= head.size(&place.shard) {
                    continue;
                }
                let Some(row) = model.event(reference, &place)? else {
                    continue;
                };
                let tag = row.entry.event_tag;
                if tag.is_some_and(|tag| retracted.contains(&tag)) {
                    continue;
                }
                match &row.entry.act {
                    Act::RightsRequest { .. } => said.requests.push((index, row)),
                    Act::RightsResponse { .. } => said.answers.push((index, row)),
                    _ => {
                        if let Some(of) = overdue_of(&row.entry) {
                            said.overdue.entry(of).or_insert_with(|| position(&row));
                        }
                    }
                }
            }
        }
        Ok(said)
    }

    /// The requests with their answers, and the entries that made each.
    fn matched(
        self,
        state: &QueryState,
        claimants: &[Claimant],
        opener: &mut Opener,
    ) -> Result<Vec<(Request, Vec<EntryRef>)>, QueryError> {
        // One request alone that nobody answered needs no id to be told apart.
        let is_alone = self.requests.len() == 1 && self.answers.is_empty();
        let mut requests: Vec<(Request, Vec<EntryRef>)> = Vec::new();
        for (claimant, row) in self.requests {
            let at = entry_ref(&row);
            let person = claimants[claimant].person.as_ref();
            let id = match person {
                Some(person) if !is_alone => Some(request_id(state, person, &row, opener)?),
                _ => None,
            };
            let same = |(request, _): &&mut (Request, Vec<EntryRef>)| {
                id.as_ref().is_some_and(|id| {
                    !id.is_empty() && request.id.as_ref().is_some_and(|known| known == id)
                })
            };
            match requests.iter_mut().find(same) {
                Some((_, entries)) => entries.push(at),
                None => requests.push((
                    Request {
                        claimant,
                        row,
                        id,
                        answers: Vec::new(),
                        extended: false,
                        erased: person.is_none(),
                        finding: None,
                    },
                    vec![at],
                )),
            }
        }
        for (claimant, row) in self.answers {
            let Some(person) = &claimants[claimant].person else {
                continue;
            };
            let id = request_id(state, person, &row, opener)?;
            let of = |(request, _): &&mut (Request, Vec<EntryRef>)| {
                !id.is_empty() && request.id.as_ref() == Some(&id)
            };
            if let Some((request, _)) = requests.iter_mut().find(of) {
                request.extended |= is_extension(&row);
                request.answers.push(row);
            }
        }
        Ok(requests)
    }
}

impl Request {
    pub(super) fn key(&self) -> RequestKey {
        RequestKey::new(&self.row, self.extended)
    }

    pub(super) fn jurisdiction(&self) -> &str {
        &self.row.entry.jurisdiction
    }

    pub(super) fn time_ns(&self) -> i64 {
        self.row.entry.event_time_ns
    }

    /// When it was first answered; to say that it takes longer is no answer.
    fn answered_ns(&self) -> Option<i64> {
        let answers = self.answers.iter().filter(|row| !is_extension(row));
        answers.map(|row| row.entry.event_time_ns).min()
    }

    fn due_ns(&self) -> Option<i64> {
        deadline(&self.row, self.extended).map(|due| due.due_ns)
    }

    /// How it stands. Of several answers the last one says.
    pub(super) fn state(&self, now_ns: i64) -> RequestState {
        if self.erased {
            return RequestState::Erased;
        }
        let mut outcomes = self.answers.iter().rev().map(outcome);
        match outcomes.find(|outcome| *outcome != Some(Outcome::Extended)) {
            Some(Some(Outcome::Partly)) => RequestState::Partly,
            Some(Some(Outcome::Refused)) => RequestState::Refused,
            Some(_) => RequestState::Fulfilled,
            None if self.due_ns().is_some_and(|due| due <= now_ns) => RequestState::Overdue,
            None if self.extended => RequestState::Extended,
            None => RequestState::Open,
        }
    }

    /// As an answer shows it.
    pub(super) fn show(
        self,
        state: &QueryState,
        claimants: &[Claimant],
        opener: &mut Opener,
        now_ns: i64,
    ) -> Result<v1::RightsRequestRow, QueryError> {
        let claimant = &claimants[self.claimant];
        let request_id = match (&self.id, &claimant.person) {
            (Some(id), _) => id.clone(),
            (None, Some(person)) => request_id(state, person, &self.row, opener)?,
            (None, None) => String::new(),
        };
        let due = deadline(&self.row, self.extended);
        let plain_ns = deadline(&self.row, false).map(|due| due.due_ns);
        let (answered_ns, stands) = (self.answered_ns(), self.state(now_ns));
        let is_late = match (stands, due) {
            (RequestState::Erased, _) => self.finding.is_some(),
            (_, Some(due)) => answered_ns.unwrap_or(now_ns) >= due.due_ns,
            (_, None) => false,
        };
        let right = match &self.row.entry.act {
            Act::RightsRequest { right } => right.clone(),
            _ => String::new(),
        };
        Ok(v1::RightsRequestRow {
            right,
            request_id,
            jurisdiction: self.row.entry.jurisdiction.clone(),
            requested_at: timestamp(self.row.entry.event_time_ns),
            due_at: due.and_then(|due| timestamp(due.due_ns)),
            state: stands.name().to_owned(),
            entry: Some(position(&self.row)),
            reference: claimant.reference.to_string(),
            service: self.row.entry.service.clone(),
            controller: self.row.entry.controller.clone(),
            source: due.map(|due| due.source.to_owned()).unwrap_or_default(),
            extended: self.extended && due.map(|due| due.due_ns) != plain_ns,
            answered_at: answered_ns.and_then(timestamp),
            answers: self.answers.iter().map(position).collect(),
            late: is_late,
            finding: self.finding,
        })
    }
}

fn outcome(row: &EventRow) -> Option<Outcome> {
    match &row.entry.act {
        Act::RightsResponse { outcome } => Outcome::try_from(i32::from(*outcome)).ok(),
        _ => None,
    }
}

fn is_extension(row: &EventRow) -> bool {
    outcome(row) == Some(Outcome::Extended)
}

fn entry_ref(row: &EventRow) -> EntryRef {
    EntryRef {
        shard: row.place.shard,
        sequence: row.place.sequence,
    }
}

fn position(row: &EventRow) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: row.place.shard.to_string(),
        sequence: row.place.sequence,
        offset: row.entry.offset,
    }
}

/// The id that a request or an answer names; empty where it names none.
fn request_id(
    state: &QueryState,
    person: &Person,
    row: &EventRow,
    opener: &mut Opener,
) -> Result<String, QueryError> {
    let sealed = opener.open_row(state, person, row)?;
    let act = sealed.and_then(|sealed| sealed.data?.act);
    Ok(match act {
        Some(event::Act::RightsRequest(request)) => request.request_id,
        Some(event::Act::RightsResponse(response)) => response.request_id,
        _ => String::new(),
    })
}
