//! Taking a waiver back: a signed note too, so that it stands in the ledger
//! who did it and why.
//!
//! ```text
//! custody.waiver-revocation/v1
//! id w-2026-017
//! reason The archive has moved
//!
//! — operator.example wSPaTLmoSg…
//! ```

use custody_proof::note::{self, SigningKey, VerifyingKey};

use super::WaiverError;
use super::text::{self, LineError};

const FIRST_LINE: &str = "custody.waiver-revocation/v1";

/// That a waiver is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The waiver's id.
    pub id: String,
    /// Why. One line; no personal data belongs there.
    pub reason: String,
    /// Who signed it; empty before.
    pub signer: String,
}

impl Revocation {
    /// Opens a signed revocation with the keys of those who may sign waivers.
    ///
    /// # Errors
    /// [`WaiverError`], with the line.
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, WaiverError> {
        let opened = note::open(note, keys)?;
        let mut revocation = read(&opened.text)?;
        revocation.signer = opened.signer().to_owned();
        Ok(revocation)
    }

    /// The revocation as a signed note.
    ///
    /// # Errors
    /// Where the id or the reason is none.
    pub fn sign(&self, key: &SigningKey) -> Result<String, WaiverError> {
        let text = format!("{FIRST_LINE}\nid {}\nreason {}\n", self.id, self.reason);
        let again = read(&text)?;
        // What reads otherwise than it was meant must not be signed.
        if again.id != self.id || again.reason != self.reason {
            return Err(WaiverError::Unsayable);
        }
        Ok(note::sign(&text, &[key])?)
    }
}

fn read(text: &str) -> Result<Revocation, WaiverError> {
    let wrong = |line, error| WaiverError::Line { line, error };
    let mut lines = text.split_terminator('\n');
    if lines.next() != Some(FIRST_LINE) {
        return Err(wrong(1, LineError::Shape));
    }
    let mut value = |line: usize, key: &'static str| {
        let said = lines.next().ok_or(WaiverError::Missing { key })?;
        said.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(wrong(line, LineError::Shape))
    };
    let id = value(2, "id")?;
    let reason = value(3, "reason")?;
    if reason.trim().is_empty() {
        return Err(wrong(3, LineError::Shape));
    }
    if lines.next().is_some() {
        return Err(wrong(4, LineError::Shape));
    }
    Ok(Revocation {
        id: text::id(id).map_err(|error| wrong(2, error))?,
        reason: text::reason(reason).map_err(|error| wrong(3, error))?,
        signer: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiver::generate_key;

    fn revocation(reason: &str) -> Revocation {
        Revocation {
            id: "w-1".to_owned(),
            reason: reason.to_owned(),
            signer: String::new(),
        }
    }

    #[test]
    fn it_opens_with_the_signers_key_only() {
        let key = generate_key("operator.example").unwrap();
        let other = generate_key("operator.example").unwrap();
        let note = revocation("It is over").sign(&key).unwrap();
        let opened = Revocation::open(&note, &[key.verifying_key().clone()]).unwrap();
        assert_eq!(
            (opened.id.as_str(), opened.signer.as_str()),
            ("w-1", "operator.example")
        );
        assert!(Revocation::open(&note, &[other.verifying_key().clone()]).is_err());
        let changed = note.replace("w-1", "w-2");
        assert!(Revocation::open(&changed, &[key.verifying_key().clone()]).is_err());
    }

    #[test]
    fn what_a_line_cannot_say_is_not_signed() {
        let key = generate_key("operator.example").unwrap();
        for reason in ["", "two\nlines", "two\nreason lines"] {
            assert!(revocation(reason).sign(&key).is_err(), "{reason:?}");
        }
        let mut bad = revocation("Over");
        bad.id = "W 1".to_owned();
        assert!(bad.sign(&key).is_err());
    }

    #[test]
    fn a_waiver_is_no_revocation() {
        for text in [
            "custody.waiver/v1\nid w-1\nreason x\n",
            "custody.waiver-revocation/v1\nid w-1\n",
            "custody.waiver-revocation/v1\nid w-1\nreason x\nreason y\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
