//! Waivers: what the operator has signed to let pass.
//!
//! A waiver turns findings into suppressed ones. It never removes them: they
//! stay in the entry, with the waiver's id beside them. It is a signed note of
//! plain lines, so that who reads it sees what was let pass, until when, why
//! and by whom:
//!
//! ```text
//! custody.waiver/v1
//! id w-2026-017
//! codes storage_elsewhere
//! policies AE-2020
//! services aliexpress
//! jurisdictions EU,UK
//! from 2026-11-01T00:00:00Z
//! until 2027-02-01T00:00:00Z
//! reason Moving the archive from Virginia to Frankfurt, plan of October
//!
//! — operator.example wSPaTLmoSg…
//! ```
//!
//! The keys stand in this order: `id`, `codes`, `policies`, `services`,
//! `recipients`, `purposes`, `categories`, `jurisdictions`, `from`, `until`,
//! `reason`. A list that is absent means any. `id`, `codes`, `from`, `until`
//! and `reason` are needed: no waiver is for everything or for ever.

mod key;
mod revocation;
mod text;

use std::collections::BTreeMap;

use custody_proof::note;

use crate::place::{Member, Place};
use crate::term::Term;
use crate::verdict::FindingCode;
use crate::vocabulary::Vocabulary;

pub use custody_proof::note::{KeyError, NoteError, SigningKey, VerifyingKey};
pub use key::generate_key;
pub use revocation::Revocation;
pub use text::LineError;

/// What the operator has signed to let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Its id: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`.
    pub id: String,
    /// Which findings. Never empty.
    pub codes: Vec<FindingCode>,
    /// Judged by which policy versions; empty for any.
    pub policies: Vec<String>,
    /// In which services; empty for any.
    pub services: Vec<String>,
    /// With which recipients, by party id; empty for any, and for none.
    pub recipients: Vec<String>,
    /// For which purposes; empty for any. Every purpose of the event must be
    /// one of these or narrower.
    pub purposes: Vec<Term>,
    /// With which data; empty for any. As with the purposes.
    pub categories: Vec<Term>,
    /// Of persons where; empty for anywhere.
    pub jurisdictions: Vec<Member>,
    /// From when, in nanoseconds since 1970 UTC.
    pub from_ns: i64,
    /// Until when, not included.
    pub until_ns: i64,
    /// Why. One line; no personal data belongs there.
    pub reason: String,
    /// Who signed it; empty for a draft.
    pub signer: String,
}

/// What is wrong with a waiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaiverError {
    /// It is not signed as it should be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line is wrong. Lines count from 1.
    #[error("line {line}: {error}")]
    Line {
        /// Where.
        line: usize,
        /// What.
        error: LineError,
    },
    /// A line is missing.
    #[error("there is no line `{key}`")]
    Missing {
        /// The key that the line would begin with.
        key: &'static str,
    },
    /// A field holds what its line cannot say, such as a newline.
    #[error("a field holds what its line cannot say")]
    Unsayable,
}

/// What a waiver is asked about: one judged event.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// The policy version judged by; empty where none applied.
    pub policy: &'a str,
    /// What the person used.
    pub service: &'a str,
    /// The recipient's id, where there is one.
    pub recipient: Option<&'a str>,
    /// Why.
    pub purposes: &'a [Term],
    /// Which data.
    pub categories: &'a [Term],
    /// Where the person is.
    pub jurisdiction: Option<Place>,
    /// When it happened, in nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// When it is judged. A revocation counts from then on, also for events
    /// that happened before.
    pub recorded_ns: i64,
}

impl Waiver {
    /// Opens a signed waiver: verifies it with the keys of those who may sign
    /// waivers, and reads it.
    ///
    /// # Errors
    /// [`WaiverError`], with the line.
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, WaiverError> {
        let opened = note::open(note, keys)?;
        let mut waiver = text::read(&opened.text)?;
        waiver.signer = opened.signer().to_owned();
        Ok(waiver)
    }

    /// Reads the lines of a waiver that is not signed yet.
    ///
    /// # Errors
    /// [`WaiverError`], with the line.
    pub fn draft(text: &str) -> Result<Self, WaiverError> {
        text::read(text)
    }

    /// The lines of the waiver, without signature.
    ///
    /// # Errors
    /// Where a field holds what its line cannot say, such as a newline in the
    /// reason or no code at all.
    pub fn to_text(&self) -> Result<String, WaiverError> {
        text::write(self)
    }

    /// The waiver as a signed note.
    ///
    /// # Errors
    /// As [`to_text`](Self::to_text).
    pub fn sign(&self, key: &SigningKey) -> Result<String, WaiverError> {
        Ok(note::sign(&self.to_text()?, &[key])?)
    }

    /// Whether it lets a finding pass. Whether it was revoked, [`Waivers`]
    /// knows.
    pub fn covers(&self, code: FindingCode, matter: &Matter<'_>) -> bool {
        let any_or = |list: &[String], text: &str| {
            list.is_empty() || list.iter().any(|listed| listed == text)
        };
        self.codes.contains(&code)
            && (self.from_ns..self.until_ns).contains(&matter.time_ns)
            && any_or(&self.policies, matter.policy)
            && any_or(&self.services, matter.service)
            && (self.recipients.is_empty()
                || matter
                    .recipient
                    .is_some_and(|recipient| any_or(&self.recipients, recipient)))
            && all_covered(&self.purposes, matter.purposes)
            && all_covered(&self.categories, matter.categories)
            && (self.jurisdictions.is_empty()
                || matter.jurisdiction.is_some_and(|place| {
                    self.jurisdictions
                        .iter()
                        .any(|member| member.contains(place, matter.time_ns))
                }))
    }
}

/// Whether each of the event's terms is one of the waiver's or narrower. One
/// that is not would pass with the others, so that it takes all of them.
fn all_covered(broad: &[Term], narrow: &[Term]) -> bool {
    let vocabulary = Vocabulary::builtin();
    broad.is_empty()
        || (!narrow.is_empty()
            && narrow
                .iter()
                .all(|term| broad.iter().any(|above| vocabulary.covers(*above, *term))))
}

/// The waivers that were given, and since when some are revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waivers {
    given: BTreeMap<String, Waiver>,
    revoked: BTreeMap<String, i64>,
}

impl Waivers {
    /// Adds a waiver. `false` where there is one of that id already: the first
    /// stands, since entries cite it.
    pub fn add(&mut self, waiver: Waiver) -> bool {
        if self.given.contains_key(&waiver.id) {
            return false;
        }
        self.given.insert(waiver.id.clone(), waiver);
        true
    }

    /// Revokes a waiver for what is judged from a time on, in nanoseconds since
    /// 1970 UTC. The earliest revocation counts; one may come before its
    /// waiver.
    pub fn revoke(&mut self, id: &str, from_ns: i64) {
        let since = self.revoked.entry(id.to_owned()).or_insert(from_ns);
        *since = from_ns.min(*since);
    }

    /// The waiver that lets a finding pass, the first by id where several do.
    /// One that has not begun, has expired or is revoked does not.
    pub fn find(&self, code: FindingCode, matter: &Matter<'_>) -> Option<&Waiver> {
        self.given.values().find(|waiver| {
            let revoked = self
                .revoked
                .get(&waiver.id)
                .is_some_and(|since| *since <= matter.recorded_ns);
            !revoked && waiver.covers(code, matter)
        })
    }

    /// Every waiver, by id, and since when it is revoked.
    pub fn iter(&self) -> impl Iterator<Item = (&Waiver, Option<i64>)> {
        self.given
            .values()
            .map(|waiver| (waiver, self.revoked.get(&waiver.id).copied()))
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }
}

#[cfg(test)]
mod tests;
