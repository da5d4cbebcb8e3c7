//! What the words of an event mean, what the policies say of it, and whether
//! the one keeps to the other.
//!
//! - The [`Vocabulary`] holds the terms that an event may use: those of the
//!   W3C Data Privacy Vocabulary 2.3 (`dpv:`, `pd:`, `eu-gdpr:`) and local codes
//!   (`custody:`), with what is broader than what. [`Place`], [`Group`] and
//!   [`country`] know ISO 3166; [`law`] knows adequacy decisions, transfer
//!   mechanisms and deadlines, by date.
//! - A [`Pack`] is one version of a policy. A [`Ruleset`] is packs compiled to
//!   tables; its digest stands in every block.
//! - [`Facts`] are an event as the judge sees it, a [`SubjectState`] what is
//!   known of the person from earlier events, a [`Verdict`] what [`judge`] says.
//!   [`judge`] is a pure function of these.
//!
//! This crate knows no person by name, keeps no files and reads none when it
//! runs: vocabulary, law and the five packs are compiled in.
//!
//! ```
//! use custody_policy::{Facts, Ruleset, Settings, SubjectState, explain};
//! use custody_proto::event::Event;
//!
//! let event: Event = serde_json::from_str(r#"{
//!     "subject": {"ids": ["account:1"], "jurisdiction": "BR", "role": "buyer"},
//!     "service": "alibaba.com", "controller": "alibaba-com-singapore",
//!     "purposes": ["custody:account"], "categories": [{"term": "custody:contact"}],
//!     "legal_basis": "dpv:ContractPerformance", "location": "US",
//!     "collection": {"origin": "subject"}}"#)?;
//! let facts = Facts::new("collection", 1_760_000_000_000_000_000, &event)?;
//! let rules = Ruleset::builtin();
//! let why = explain(rules, &facts, &SubjectState::default(), &Settings::default(), None)
//!     .ok_or("no such policy")?;
//! let verdict = why.verdict.to_stored(rules);
//! // Brazilian data is promised to be kept in Singapore.
//! assert_eq!(verdict.findings[0].code.name(), "storage_elsewhere");
//! assert_eq!(verdict.findings[0].clauses, ["ALB-2025.076"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod field;
mod term;
mod vocabulary;

pub mod country;
mod place;

pub mod law;

mod pack;
mod rules;

mod facts;
mod state;

mod judge;
mod verdict;
mod waiver;

mod cases;
mod rehearsal;

mod coverage;
mod diff;

pub use cases::{Case, CaseError, CaseResult, Expected};
pub use coverage::{Covered, coverage};
pub use diff::{Change, Difference, Topic, diff};
pub use facts::{EventKind, Facts, RecipientFacts, ScopeTerm};
pub use field::Field;
pub use judge::{Explanation, Settings, explain, judge, judge_by};
pub use pack::{
    Clause, ClauseKind, Day, PACK_FORMAT, Pack, PackError, PackErrors, RetentionTrigger, Treatment,
    VersioningRule,
};
pub use place::{Group, Member, Place, Region, Specificity};
pub use rehearsal::{Rehearsal, Said, SaidError};
pub use rules::{JUDGE_VERSION, Policy, Ruleset};
pub use state::{Provenance, RightsRequestState, StateError, SubjectState, Tag};
pub use term::Term;
pub use verdict::{
    ClauseRef, EntryRef, Finding, FindingCode, MAX_DECLARING, MAX_FINDINGS, Outcome, PolicyRef,
    StoredFinding, StoredVerdict, Verdict,
};
pub use vocabulary::{UnknownTerm, Vocabulary};
pub use waiver::{
    KeyError, LineError, Matter, NoteError, Revocation, SigningKey, VerifyingKey, Waiver,
    WaiverError, Waivers, generate_key,
};
