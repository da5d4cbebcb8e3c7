//! A person as the rest of Custody sees one: a reference, and the means to
//! tag, seal and open.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::derive::{self, Name};
use crate::entry::{self, EntryContext, EntryKey, SealError};
use crate::key::{Key, fill_random};

/// A person's keys, ready to use. A clone is one more pointer to the same
/// keys; they are wiped when the last one is gone.
///
/// Everything here is derived from one random data key, which is itself not
/// kept in memory: with the data key gone from the vault, none of it can be
/// computed again.
#[derive(Clone)]
pub struct Person(Arc<Keys>);

struct Keys {
    reference: Name,
    tags: Key,
    entries: Key,
    states: Key,
    /// The day on which somebody of the same identifiers was erased, where a
    /// mark said so when this person was made.
    erased_day: Option<i32>,
}

impl Person {
    pub(crate) fn from_data_key(data_key: &Key) -> Self {
        Self::marked(data_key, None)
    }

    pub(crate) fn marked(data_key: &Key, erased_day: Option<i32>) -> Self {
        Self(Arc::new(Keys {
            reference: derive::reference(data_key),
            tags: derive::tag_key(data_key),
            entries: derive::entry_root(data_key),
            states: derive::state_root(data_key),
            erased_day,
        }))
    }

    pub(crate) fn erased_day(&self) -> Option<i32> {
        self.0.erased_day
    }

    /// Stands for this person in the public part of entries.
    pub fn reference(&self) -> [u8; 16] {
        self.0.reference
    }

    /// Stands for an event of this person in the public part: the same for the
    /// same `source` and `id`, and unlike that of any other person.
    pub fn tag(&self, source: &str, id: &str) -> [u8; 16] {
        derive::tag(&self.0.tags, source, id)
    }

    /// Seals `plain`, at most [`crate::MAX_PLAIN_BYTES`], for one place in the
    /// ledger. Sealing twice gives different bytes, and both open.
    ///
    /// # Errors
    /// [`SealError::TooLarge`]; [`SealError::Randomness`] and
    /// [`SealError::Cipher`] when the system or the cipher fails.
    pub fn seal(&self, context: &EntryContext, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; entry::SALT_BYTES];
        fill_random(&mut salt)?;
        self.seal_salted(context, plain, &salt)
    }

    pub(crate) fn seal_salted(
        &self,
        context: &EntryContext,
        plain: &[u8],
        salt: &[u8; entry::SALT_BYTES],
    ) -> Result<Vec<u8>, SealError> {
        entry::seal(&self.0.entries, context, plain, salt)
    }

    /// Opens what [`Person::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::OtherKey`] when it was sealed by another person or for
    /// another place; [`SealError::Tampered`] when its bytes were changed; the
    /// other cases when it is no sealed entry that this version reads.
    pub fn open(
        &self,
        context: &EntryContext,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.entry_key(context, sealed)?.open(context, sealed)
    }

    /// The key of this one sealed entry: what an export hands out, so that it
    /// opens single entries and never all of a person's.
    ///
    /// # Errors
    /// [`SealError::Truncated`] or [`SealError::UnknownSuite`] when `sealed`
    /// is no sealed entry. Whether the key fits is found on opening.
    pub fn entry_key(&self, context: &EntryContext, sealed: &[u8]) -> Result<EntryKey, SealError> {
        entry::derive_key(&self.0.entries, context, sealed)
    }
}

impl Person {
    /// Seals what is known of this person: a record that is derived from the
    /// ledger `ledger` and written anew again and again, at most
    /// [`crate::MAX_PLAIN_BYTES`]. A salt of 16 fresh random bytes goes into
    /// the key, so that each writing has a key of its own and a record never
    /// meets the key and nonce of the one before it.
    ///
    /// An old record opens as the newest does: whoever can write where it is
    /// kept can bring an old one back. What rests on it must be able to be made
    /// again.
    ///
    /// # Errors
    /// As [`Person::seal`].
    pub fn seal_state(&self, ledger: [u8; 16], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; entry::SALT_BYTES];
        fill_random(&mut salt)?;
        self.seal_state_salted(ledger, plain, &salt)
    }

    pub(crate) fn seal_state_salted(
        &self,
        ledger: [u8; 16],
        plain: &[u8],
        salt: &[u8; entry::SALT_BYTES],
    ) -> Result<Vec<u8>, SealError> {
        entry::seal(&self.0.states, &state_place(ledger), plain, salt)
    }

    /// Opens what [`Person::seal_state`] made for the same ledger.
    ///
    /// # Errors
    /// As [`Person::open`].
    pub fn open_state(
        &self,
        ledger: [u8; 16],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let place = state_place(ledger);
        entry::derive_key(&self.0.states, &place, sealed)?.open(&place, sealed)
    }
}

/// A state has no place in the ledger; its key has a root of its own.
const fn state_place(ledger: [u8; 16]) -> EntryContext {
    EntryContext {
        ledger,
        shard: [0; 16],
        sequence: 0,
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(redacted)")
    }
}
