//! What the law says beside the policies: adequacy decisions, mechanisms for
//! transfers, deadlines.
//!
//! Dated data files (`law/*.toml`), compiled in, each row with its source. They
//! are a reading of public law for a machine and no legal advice; who relies on
//! a row reads its source.

mod adequacy;
mod calendar;
mod deadline;
mod mechanism;
mod moment;

pub use adequacy::{Adequacy, adequate};
pub use deadline::{Deadline, breach_deadline, response_deadline};
pub use mechanism::{Mechanism, mechanism};
pub(crate) use moment::{Moment, Span};

/// BLAKE3 over the data files: a part of what a verdict depends on.
pub fn digest() -> [u8; 32] {
    let mut digest = blake3::Hasher::new();
    digest.update(b"custody law v1");
    for file in [
        crate::place::GROUP_FILE,
        adequacy::FILE,
        mechanism::FILE,
        deadline::FILE,
    ] {
        digest.update(&(file.len() as u64).to_le_bytes());
        digest.update(file.as_bytes());
    }
    digest.finalize().into()
}

/// What is wrong with a data file. Such a file does not pass the tests, so that
/// nobody meets this who does not change one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LawError {
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    #[error("unknown {what} {text:?}")]
    Unknown { what: &'static str, text: String },
    #[error("no source for {of}")]
    NoSource { of: String },
    #[error("{what} ends before it begins")]
    Backwards { what: &'static str },
    #[error("neither a period nor a reason why there is none, or both, for {of}")]
    Period { of: String },
    #[error("{what} is said twice")]
    Twice { what: String },
    #[error("too many different memberships")]
    TooMany,
}

impl LawError {
    pub(crate) fn unknown(what: &'static str, text: &str) -> Self {
        Self::Unknown {
            what,
            text: text.to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// A time for tests, in nanoseconds since 1970 UTC.
    pub(crate) fn at(text: &str) -> i64 {
        let time: jiff::Timestamp = text.parse().unwrap();
        i64::try_from(time.as_nanosecond()).unwrap()
    }

    #[test]
    fn the_digest_is_of_the_files() {
        assert_eq!(super::digest(), super::digest());
        assert_ne!(super::digest(), [0; 32]);
    }
}
