//! Every key and every name that is computed from another key, in one place,
//! so that no two uses can share a domain by accident.
//!
//! Key derivation is BLAKE3's `derive_key` mode with one context string a
//! purpose; names are BLAKE3's keyed mode under a key of their own, cut to 16
//! bytes: the chance that any two of 10^9 share one is below 2^-68.
//! Source: the BLAKE3 paper, sections 2.3 and 7.8.

use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

use crate::key::Key;

// From the root key.
const ROOT_COMMITMENT: &str = "custody 2026 vault: root key commitment v1";
const ESCROW_CHECK: &str = "custody 2026 vault: root key escrow check v1";
const SHARE_CHECKSUM: &str = "custody 2026 vault: root key share checksum v1";
const DIRECTORY_NAMES: &str = "custody 2026 vault: identifier digests v1";
const PERSON_NAMES: &str = "custody 2026 vault: person row names v1";
const IDENTIFIER_NAMES: &str = "custody 2026 vault: identifier row names v1";
const POINTER_NAMES: &str = "custody 2026 vault: pointer row names v1";
const LINK_NAMES: &str = "custody 2026 vault: link row names v1";
const LIST_NAMES: &str = "custody 2026 vault: identifier list digests v1";

// From a person's data key.
const REFERENCE: &str = "custody 2026 person: subject reference v1";
const TAG_KEY: &str = "custody 2026 person: event tags v1";
const ENTRY_ROOT: &str = "custody 2026 person: entry keys v1";
const STATE_ROOT: &str = "custody 2026 person: subject state keys v1";

// From an entry key.
const ENTRY_COMMITMENT: &str = "custody 2026 entry: key commitment v1";

/// 16 random-looking bytes that stand for something.
pub(crate) type Name = [u8; 16];

/// Joins two names into the key of a row: found by the first half.
pub(crate) fn join(first: &Name, second: &Name) -> [u8; 32] {
    let mut row = [0; 32];
    row[..16].copy_from_slice(first);
    row[16..].copy_from_slice(second);
    row
}

fn cut(hash: &blake3::Hash) -> Name {
    let mut name = [0; 16];
    name.copy_from_slice(&hash.as_bytes()[..16]);
    name
}

fn subkey(context: &str, key: &Key) -> Key {
    Key::new(blake3::derive_key(context, key.bytes()))
}

/// What a vault stores about its root key, so that a wrong one is refused.
pub(crate) fn root_commitment(root: &Key, vault_id: &[u8; 16]) -> [u8; 32] {
    *blake3::Hasher::new_derive_key(ROOT_COMMITMENT)
        .update(root.bytes())
        .update(vault_id)
        .finalize()
        .as_bytes()
}

/// What the shares of a root key say about it, so that a wrong set is refused.
pub(crate) fn escrow_check(root: &Key, vault_id: &[u8; 16]) -> [u8; 32] {
    *blake3::Hasher::new_derive_key(ESCROW_CHECK)
        .update(root.bytes())
        .update(vault_id)
        .finalize()
        .as_bytes()
}

/// Finds what was not copied right.
pub(crate) fn share_checksum(body: &[u8]) -> [u8; 32] {
    blake3::derive_key(SHARE_CHECKSUM, body)
}

/// The key under which the values of one key space are sealed.
pub(crate) fn space_key(root: &Key, space: &str) -> Key {
    subkey(&format!("custody 2026 vault: values of {space} v1"), root)
}

/// One key a row: random nonces are then drawn for the few versions of one
/// row, never for the billions of rows of one key space, and a value that was
/// moved to another row does not open.
pub(crate) fn row_key(space: &Key, row: &[u8]) -> Key {
    Key::new(*blake3::keyed_hash(space.bytes(), row).as_bytes())
}

/// The names of rows. All are keyed from the root: whoever reads the raw store
/// without it learns how many rows there are and which belong together, and
/// can link none to an identifier or to a reference in the ledger.
pub(crate) struct Names {
    directory: Key,
    person: Key,
    identifier: Key,
    pointer: Key,
    link: Key,
    list: Key,
}

impl Names {
    pub(crate) fn new(root: &Key) -> Self {
        Self {
            directory: subkey(DIRECTORY_NAMES, root),
            person: subkey(PERSON_NAMES, root),
            identifier: subkey(IDENTIFIER_NAMES, root),
            pointer: subkey(POINTER_NAMES, root),
            link: subkey(LINK_NAMES, root),
            list: subkey(LIST_NAMES, root),
        }
    }

    /// Digest of an identifier, byte for byte.
    pub(crate) fn identifier(&self, text: &str) -> Name {
        cut(&blake3::keyed_hash(self.directory.bytes(), text.as_bytes()))
    }

    /// Row of a person, by reference. Not the reference itself: that one is
    /// public in the ledger, and a journal of the store holds this row beside
    /// that of the identifier.
    pub(crate) fn person(&self, reference: &Name) -> Name {
        cut(&blake3::keyed_hash(self.person.bytes(), reference))
    }

    /// Row of one identifier of one person.
    pub(crate) fn identifier_row(&self, reference: &Name, identifier: &Name) -> [u8; 32] {
        let pair = join(reference, identifier);
        let second = cut(&blake3::keyed_hash(self.identifier.bytes(), &pair));
        join(&self.person(reference), &second)
    }

    /// Row of one person to whom a shared identifier points.
    pub(crate) fn pointer_row(&self, identifier: &Name, reference: &Name) -> [u8; 32] {
        let pair = join(identifier, reference);
        let second = cut(&blake3::keyed_hash(self.pointer.bytes(), &pair));
        join(identifier, &second)
    }

    /// Row of the link from one person to another; a link has one each way.
    pub(crate) fn link_row(&self, from: &Name, to: &Name) -> [u8; 32] {
        let second = cut(&blake3::keyed_hash(self.link.bytes(), &join(from, to)));
        join(&self.person(from), &second)
    }

    /// Digest of a whole list of identifiers: lengths are mixed in, so that no
    /// two lists have the same bytes.
    pub(crate) fn list(&self, identifiers: &[&str]) -> Name {
        const SHORT: usize = 256;
        let size = identifiers.iter().map(|text| 8 + text.len()).sum::<usize>();
        if size <= SHORT {
            let mut bytes = [0; SHORT];
            let mut end = 0;
            for text in identifiers {
                bytes[end..end + 8].copy_from_slice(&(text.len() as u64).to_le_bytes());
                bytes[end + 8..end + 8 + text.len()].copy_from_slice(text.as_bytes());
                end += 8 + text.len();
            }
            return cut(&blake3::keyed_hash(self.list.bytes(), &bytes[..end]));
        }
        let mut hasher = blake3::Hasher::new_keyed(self.list.bytes());
        for text in identifiers {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        cut(&hasher.finalize())
    }
}

/// The reference of the person who has this data key.
pub(crate) fn reference(data_key: &Key) -> Name {
    let mut name = [0; 16];
    name.copy_from_slice(&subkey(REFERENCE, data_key).bytes()[..16]);
    name
}

pub(crate) fn tag_key(data_key: &Key) -> Key {
    subkey(TAG_KEY, data_key)
}

pub(crate) fn entry_root(data_key: &Key) -> Key {
    subkey(ENTRY_ROOT, data_key)
}

/// Apart from the entries' root: a key that an export hands out opens an entry
/// and never a state.
pub(crate) fn state_root(data_key: &Key) -> Key {
    subkey(STATE_ROOT, data_key)
}

/// Stands for an event within one person. The length of `source` keeps
/// `("ab", "c")` and `("a", "bc")` apart.
pub(crate) fn tag(key: &Key, source: &str, id: &str) -> Name {
    let hash = blake3::Hasher::new_keyed(key.bytes())
        .update(&(source.len() as u64).to_le_bytes())
        .update(source.as_bytes())
        .update(id.as_bytes())
        .finalize();
    cut(&hash)
}

/// The key of one sealed entry. 56 bytes of input: one compression.
pub(crate) fn entry_key(
    entry_root: &Key,
    ledger: &[u8; 16],
    shard: &[u8; 16],
    sequence: u64,
    salt: &[u8; 16],
) -> Key {
    let mut input = [0; 56];
    input[..16].copy_from_slice(ledger);
    input[16..32].copy_from_slice(shard);
    input[32..40].copy_from_slice(&sequence.to_le_bytes());
    input[40..].copy_from_slice(salt);
    Key::new(*blake3::keyed_hash(entry_root.bytes(), &input).as_bytes())
}

/// What a sealed entry says about its key. The key is the *message* of a hash
/// whose own key is public and fixed, so that finding two entry keys with one
/// commitment is finding a collision of BLAKE3.
pub(crate) fn entry_commitment(entry_key: &Key) -> [u8; 32] {
    static CONTEXT: LazyLock<ContextKey> =
        LazyLock::new(|| hash_derive_key_context(ENTRY_COMMITMENT));
    *blake3::Hasher::new_from_context_key(&CONTEXT)
        .update(entry_key.bytes())
        .finalize()
        .as_bytes()
}
