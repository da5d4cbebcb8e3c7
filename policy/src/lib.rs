//! What the words of an event mean, and what the policies say of it.
//!
//! The [`Vocabulary`] holds the terms that an event may use: those of the W3C
//! Data Privacy Vocabulary 2.3 (`dpv:`, `pd:`, `eu-gdpr:`) and local codes
//! (`custody:`), with what is broader than what. [`country`] knows ISO 3166. A
//! [`Ruleset`] is what events are judged by, and its digest stands in every
//! block; [`judge`] is a pure function of event and ruleset.
//!
//! This crate knows no person, keeps no state and reads no file when it runs:
//! the vocabulary is compiled in. No policy pack is loaded yet, so every
//! verdict is [`Outcome::NotJudged`], which says that and nothing more.
//!
//! ```
//! use custody_policy::{Field, Vocabulary};
//!
//! let vocabulary = Vocabulary::builtin();
//! let email = vocabulary.resolve(Field::Category, "EmailAddress")?;
//! assert_eq!(email.curie(), "pd:EmailAddress");
//!
//! let contact = vocabulary.resolve(Field::Category, "pd:Contact")?;
//! assert!(vocabulary.covers(contact, email));
//! assert!(!vocabulary.covers(email, contact));
//! # Ok::<(), custody_policy::UnknownTerm>(())
//! ```

mod field;
mod term;
mod vocabulary;

pub mod country;
mod place;

pub mod law;

mod judge;
mod ruleset;
mod verdict;
mod waiver;

pub use field::Field;
pub use place::{Group, Member, Place, Region, Specificity};

pub use judge::{Finding, JudgedEvent, Outcome, Verdict, judge};
pub use ruleset::{JUDGE_VERSION, Ruleset};
pub use term::Term;
pub use verdict::FindingCode;
pub use vocabulary::{UnknownTerm, Vocabulary};
pub use waiver::{
    KeyError, LineError, Matter, NoteError, SigningKey, VerifyingKey, Waiver, WaiverError, Waivers,
};
