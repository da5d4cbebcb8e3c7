//! The token that proves that a preview was seen. It is bound to what was
//! asked for and to what was seen, and to nothing that changes by itself, so
//! that it fits until something changes that whoever confirms should look at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custody_ledger::id::SubjectReference;
use custody_proto::v1;

use crate::answer::QueryState;
use crate::answer::error::QueryError;

/// What a token is bound to.
pub(super) struct Seen<'a> {
    /// The persons' references and how many entries each has, in order.
    pub(super) entries: &'a [(SubjectReference, u64)],
    /// In order of matter.
    pub(super) holds: &'a [v1::Hold],
    pub(super) reason: &'a str,
    pub(super) ticket: &'a str,
    pub(super) mark: bool,
}

impl Seen<'_> {
    pub(super) fn token(&self, state: &QueryState) -> String {
        let mut bytes = Vec::new();
        let mut text = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        text(self.reason);
        text(self.ticket);
        text(if self.mark { "mark" } else { "" });
        for hold in self.holds {
            text(&hold.matter);
        }
        // No hold has this name: texts before, references behind.
        text("\0");
        for (reference, entries) in self.entries {
            bytes.extend_from_slice(reference.as_bytes());
            bytes.extend_from_slice(&entries.to_le_bytes());
        }
        let code = state.tokens.confirmation(&bytes);
        URL_SAFE_NO_PAD.encode(code.as_bytes())
    }

    /// Whether a token is the one of what is seen now.
    pub(super) fn check(&self, state: &QueryState, token: &str) -> Result<(), QueryError> {
        if token.is_empty() {
            return Err(QueryError::NotPreviewed);
        }
        // Two codes, so that the comparison takes as long whatever was given.
        let key = |token: &str| state.tokens.confirmation(token.as_bytes());
        if key(token) == key(&self.token(state)) {
            Ok(())
        } else {
            Err(QueryError::PreviewOutdated)
        }
    }
}
