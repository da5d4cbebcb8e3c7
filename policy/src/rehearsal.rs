//! Judging without a ledger: a person's events in order, as somebody who
//! writes a pack or tests a service wants to try them.

use custody_proto::cloudevent::{DecodeError, Envelope};
use custody_proto::event::{Event, event::Act};

use crate::facts::Facts;
use crate::judge::{Explanation, Settings, explain, judge};
use crate::rules::Ruleset;
use crate::state::{Provenance, SubjectState, Tag};
use crate::verdict::{EntryRef, Verdict};
use crate::vocabulary::UnknownTerm;
use crate::waiver::Waivers;

/// A CloudEvent that was read, with the data of one event.
#[derive(Clone)]
pub struct Said {
    /// The kind, such as `disclosure`.
    pub kind: String,
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `time`, nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// The data.
    pub event: Event,
}

/// A text that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum SaidError {
    /// It is no CloudEvent with an event in it.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// Its type is not `custody.<kind>.v1`.
    #[error("type: not custody.<kind>.v1")]
    Type,
    /// Its time is outside of what 64 bits of nanoseconds hold.
    #[error("time: outside 1677 to 2262")]
    Time,
    /// One of its terms is in no vocabulary.
    #[error("{0}")]
    Term(#[from] UnknownTerm),
}

impl Said {
    /// Reads a CloudEvent in structured mode.
    ///
    /// # Errors
    /// [`SaidError`] with what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, SaidError> {
        let envelope = Envelope::read(std::iter::empty(), Some(json))?;
        let kind = envelope
            .event_type
            .strip_prefix("custody.")
            .and_then(|rest| rest.strip_suffix(".v1"))
            .ok_or(SaidError::Type)?
            .to_owned();
        let said = Self {
            kind,
            source: envelope.source.clone().into_owned(),
            id: envelope.id.clone().into_owned(),
            time_ns: envelope.time.unix_nanos().ok_or(SaidError::Time)?,
            event: envelope.data()?,
        };
        said.facts()?;
        Ok(said)
    }

    /// The event as the judge sees it.
    ///
    /// # Errors
    /// [`UnknownTerm`] where a term is in no vocabulary.
    pub fn facts(&self) -> Result<Facts<'_>, UnknownTerm> {
        Facts::new(&self.kind, self.time_ns, &self.event)
    }
}

/// One person's events, judged in the order in which they are said.
#[derive(Clone, Debug)]
pub struct Rehearsal<'r> {
    rules: &'r Ruleset,
    waivers: Option<&'r Waivers>,
    retention_days: Option<u32>,
    state: SubjectState,
    said: u64,
}

impl<'r> Rehearsal<'r> {
    /// A person of whom nothing is known.
    pub fn new(rules: &'r Ruleset) -> Self {
        Self {
            rules,
            waivers: None,
            retention_days: None,
            state: SubjectState::default(),
            said: 0,
        }
    }

    /// Sets how long data may be used after an account was closed, in days.
    #[must_use]
    pub fn with_retention_days(mut self, days: Option<u32>) -> Self {
        self.retention_days = days;
        self
    }

    /// Sets the waivers.
    #[must_use]
    pub fn with_waivers(mut self, waivers: &'r Waivers) -> Self {
        self.waivers = Some(waivers);
        self
    }

    /// Judges an event on what is known by now, without taking it in.
    ///
    /// # Errors
    /// [`UnknownTerm`] where a term is in no vocabulary.
    pub fn judge(&self, said: &Said) -> Result<Verdict, UnknownTerm> {
        let parents = parents(said);
        let facts = said.facts()?;
        Ok(judge(
            self.rules,
            &facts,
            &self.state,
            &self.settings(&parents),
        ))
    }

    /// Judges an event and says why. `policy` names a version to judge by in
    /// place of the one in force; `None` where there is no such version.
    ///
    /// # Errors
    /// [`UnknownTerm`] where a term is in no vocabulary.
    pub fn explain(
        &self,
        said: &Said,
        policy: Option<&str>,
    ) -> Result<Option<Explanation>, UnknownTerm> {
        let parents = parents(said);
        let facts = said.facts()?;
        let settings = self.settings(&parents);
        Ok(explain(self.rules, &facts, &self.state, &settings, policy))
    }

    /// Takes an event in, so that later ones are judged knowing it. Its entry
    /// is numbered from 0 in the order of calls.
    ///
    /// # Errors
    /// [`UnknownTerm`] where a term is in no vocabulary.
    pub fn take(&mut self, said: &Said) -> Result<(), UnknownTerm> {
        let parents = parents(said);
        let (request, retracts) = match &said.event.act {
            Some(Act::RightsRequest(act)) => (Some(tag("", &act.request_id)), None),
            Some(Act::RightsResponse(act)) => (Some(tag("", &act.request_id)), None),
            Some(Act::Retraction(act)) => {
                let of = act.of.as_ref();
                (None, of.map(|of| tag(&of.source, &of.id)))
            }
            _ => (None, None),
        };
        let provenance = Provenance {
            at: EntryRef {
                shard: [0; 16],
                sequence: self.said,
            },
            tag: tag(&said.source, &said.id),
            request,
            retracts,
            parents: &parents,
        };
        self.state.apply(&said.facts()?, provenance);
        self.said += 1;
        Ok(())
    }

    /// What is known of the person.
    pub fn state(&self) -> &SubjectState {
        &self.state
    }

    fn settings<'s>(&'s self, parents: &'s [Tag]) -> Settings<'s> {
        Settings {
            retention_days_after_account_closed: self.retention_days,
            waivers: self.waivers,
            recorded_ns: i64::MAX,
            entry: None,
            parents,
        }
    }
}

fn parents(said: &Said) -> Vec<Tag> {
    said.event
        .derived_from
        .iter()
        .map(|parent| tag(&parent.source, &parent.id))
        .collect()
}

/// A tag without a key: there is no person to protect, and no ledger.
fn tag(source: &str, id: &str) -> Tag {
    let mut digest = blake3::Hasher::new();
    digest.update(&(source.len() as u64).to_le_bytes());
    digest.update(source.as_bytes());
    digest.update(id.as_bytes());
    let mut tag = Tag::default();
    tag.copy_from_slice(&digest.finalize().as_bytes()[..16]);
    tag
}
