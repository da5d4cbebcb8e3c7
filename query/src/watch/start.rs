//! How a watcher begins: what it asks for is checked, and the read model must
//! have come as far as the place that it goes on from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::ShardDescriptor;
use custody_ledger::id::ShardId;
use custody_proto::v1;
use prost::Message;
use serde_json::Value;

use super::looker::{Watching, Whom};
use super::place::{Places, TokenMaker};
use super::told::Choice;
use crate::answer::watched::{Faults, Filter, FindingFilter, Subject, check_subject};
use crate::answer::{Ask, QueryError, QueryState, Wanted};
use crate::consultation::{Consult, Whose, json};
use crate::read_model::Visible;

/// How long a stream is silent at most where nothing is said, in seconds.
const HEARTBEAT_S: i32 = 15;

/// The longest that may be asked for, in seconds.
const MAX_HEARTBEAT_S: i32 = 300;

/// What both requests say.
struct Asked<'a> {
    method: &'static str,
    subject: Option<&'a str>,
    filter: Option<&'a v1::EntryFilter>,
    findings: Option<&'a v1::FindingFilter>,
    content: i32,
    view: i32,
    with_clauses: bool,
    from: Option<&'a v1::LedgerHead>,
    resume_token: &'a str,
    heartbeat_s: i32,
    /// The request without what a token is not bound to.
    bound: Vec<u8>,
}

impl Asked<'_> {
    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        self.choice(&mut faults);
        self.heartbeat(&mut faults);
        if let Some(subject) = self.subject {
            check_subject(subject, &mut faults);
        }
        let places = self.places(state, &mut faults)?;
        let mut wanted = Wanted::default();
        for (shard, size) in places.iter().flat_map(|places| &places.sizes) {
            if *size > 0 {
                wanted.size(*shard, *size);
            }
        }
        faults.or(wanted)
    }

    fn begin(&self, state: &QueryState, visible: &Visible) -> Result<Watching, QueryError> {
        let mut faults = Faults::default();
        let choice = self.choice(&mut faults);
        let heartbeat = self.heartbeat(&mut faults);
        let places = self.places(state, &mut faults)?;
        faults.or(())?;
        let whom = match self.subject {
            None => None,
            Some(identifier) => Some(Whom {
                identifier: identifier.to_owned(),
                subject: Subject::find(state, identifier)?,
                as_of: visible.size(&ShardDescriptor::house().id()),
                looked_up: Instant::now(),
            }),
        };
        Ok(Watching {
            blocks: Arc::clone(&state.blocks),
            choice,
            tokens: self.tokens(state),
            places: places.unwrap_or_else(|| now(visible)),
            heights: HashMap::new(),
            whom,
            turn: 0,
            heartbeat,
            state: state.clone(),
        })
    }

    fn tokens(&self, state: &QueryState) -> TokenMaker {
        TokenMaker::new(&state.vault, self.method, &self.bound)
    }

    fn choice(&self, faults: &mut Faults) -> Choice {
        let content = v1::WatchContent::try_from(self.content);
        if content.is_err() {
            faults.push("content", "is nothing that is told of");
        }
        let view = v1::EntryView::try_from(self.view);
        if view.is_err() {
            faults.push("view", "is no view");
        }
        Choice {
            filter: Filter::read(self.filter, faults),
            findings: FindingFilter::read(self.findings, faults),
            tells_entries: content != Ok(v1::WatchContent::WatchFindings),
            tells_findings: content != Ok(v1::WatchContent::WatchEntries),
            full: view == Ok(v1::EntryView::Full),
            with_clauses: self.with_clauses,
        }
    }

    fn heartbeat(&self, faults: &mut Faults) -> Duration {
        let seconds = match self.heartbeat_s {
            0 => HEARTBEAT_S,
            asked @ 1..=MAX_HEARTBEAT_S => asked,
            _ => {
                faults.push("heartbeat_s", "must be from 1 to 300, or 0");
                HEARTBEAT_S
            }
        };
        Duration::from_secs(u64::from(seconds.unsigned_abs()))
    }

    /// From where it goes on; `None`: from now.
    fn places(
        &self,
        state: &QueryState,
        faults: &mut Faults,
    ) -> Result<Option<Places>, QueryError> {
        if !self.resume_token.is_empty() {
            return self.tokens(state).read(self.resume_token).map(Some);
        }
        let Some(from) = self.from else {
            return Ok(None);
        };
        let mut places = Places::default();
        for (index, head) in from.shards.iter().enumerate() {
            match head.shard.parse::<ShardId>() {
                Ok(shard) => places.reach(shard, head.size),
                Err(_) => faults.push(
                    format!("from.shards[{index}].shard"),
                    "must be a shard's id: 32 hexadecimal digits",
                ),
            }
        }
        Ok(Some(places))
    }
}

fn now(visible: &Visible) -> Places {
    let mut places = Places::default();
    for (shard, at) in &visible.shards {
        places.reach(*shard, at.head.size);
    }
    places
}

fn of_person(request: &v1::WatchSubjectRequest) -> Asked<'_> {
    let bound = v1::WatchSubjectRequest {
        from: None,
        resume_token: String::new(),
        heartbeat_s: 0,
        ..request.clone()
    };
    Asked {
        method: v1::WatchSubjectRequest::METHOD,
        subject: Some(&request.subject),
        filter: request.filter.as_ref(),
        findings: request.findings.as_ref(),
        content: request.content,
        view: request.view,
        with_clauses: request.with_clauses,
        from: request.from.as_ref(),
        resume_token: &request.resume_token,
        heartbeat_s: request.heartbeat_s,
        bound: bound.encode_to_vec(),
    }
}

fn of_everybody(request: &v1::WatchRequest) -> Asked<'_> {
    let bound = v1::WatchRequest {
        from: None,
        resume_token: String::new(),
        heartbeat_s: 0,
        ..request.clone()
    };
    Asked {
        method: v1::WatchRequest::METHOD,
        subject: None,
        filter: request.filter.as_ref(),
        findings: request.findings.as_ref(),
        content: request.content,
        view: v1::EntryView::Basic.into(),
        with_clauses: request.with_clauses,
        from: request.from.as_ref(),
        resume_token: &request.resume_token,
        heartbeat_s: request.heartbeat_s,
        bound: bound.encode_to_vec(),
    }
}

impl Ask for v1::WatchSubjectRequest {
    type Answer = Watching;
    const METHOD: &'static str = "custody.v1.LineageService/WatchSubject";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        of_person(self).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Watching, QueryError> {
        of_person(&self).begin(state, &visible)
    }
}

impl Ask for v1::WatchRequest {
    type Answer = Watching;
    const METHOD: &'static str = "custody.v1.OversightService/Watch";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        of_everybody(self).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Watching, QueryError> {
        of_everybody(&self).begin(state, &visible)
    }
}

/// A stream is one consultation, when it begins; how much it will show is not
/// known then. One that goes on is the same.
impl Consult for v1::WatchSubjectRequest {
    fn whose(&self) -> Whose {
        Whose::Person(self.subject.clone())
    }

    fn said(&self) -> Value {
        json(self)
    }

    fn rows(_: &Watching) -> u64 {
        0
    }

    fn head(_: &mut Watching) -> Option<&mut v1::LedgerHead> {
        None
    }
}

impl Consult for v1::WatchRequest {
    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn said(&self) -> Value {
        json(self)
    }

    fn rows(_: &Watching) -> u64 {
        0
    }

    fn head(_: &mut Watching) -> Option<&mut v1::LedgerHead> {
        None
    }
}
