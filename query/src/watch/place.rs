//! How far a watcher has come, and the token that says so.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bincode::{Decode, Encode};
use custody_ledger::id::ShardId;
use custody_vault::Vault;

use crate::answer::QueryError;

const TOKEN_VERSION: u8 = 1;
const CODE_BYTES: usize = 32;
const DIGEST_BYTES: usize = 16;

/// More than any ledger's shards take; a longer token is none of ours.
const MAX_TOKEN_BYTES: usize = 1 << 20;

/// How many entries of each shard were looked at, and how many messages were
/// told of the next one. A shard that is not named was not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) sizes: BTreeMap<ShardId, u64>,
    pub(super) within: BTreeMap<ShardId, u32>,
}

impl Places {
    pub(super) fn size(&self, shard: &ShardId) -> u64 {
        self.sizes.get(shard).copied().unwrap_or_default()
    }

    /// How many messages of the next entry of this shard were told.
    pub(super) fn told(&self, shard: &ShardId) -> u32 {
        self.within.get(shard).copied().unwrap_or_default()
    }

    /// Everything below this entry was looked at.
    pub(super) fn reach(&mut self, shard: ShardId, size: u64) {
        self.sizes.insert(shard, size);
        self.within.remove(&shard);
    }

    /// So many messages of this entry were told.
    pub(super) fn reach_within(&mut self, shard: ShardId, sequence: u64, told: u32) {
        self.sizes.insert(shard, sequence);
        self.within.insert(shard, told);
    }
}

/// What tokens are authenticated with, and the request that they are bound to.
///
/// The key comes from the vault, so that tokens outlive a restart and give away
/// nothing of the request.
pub(super) struct TokenMaker {
    key: [u8; 32],
    request: [u8; DIGEST_BYTES],
}

#[derive(Encode, Decode)]
struct Token {
    request: [u8; DIGEST_BYTES],
    sizes: Vec<(ShardId, u64)>,
    within: Vec<(ShardId, u32)>,
}

impl TokenMaker {
    /// Of a method and a request, without what may differ.
    pub(super) fn new(vault: &Vault, method: &str, request: &[u8]) -> Self {
        let secret = vault.house().tag("custody:query", "resume tokens");
        let key = blake3::derive_key("custody resume token v1", &secret);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&(method.len() as u64).to_le_bytes());
        hasher.update(method.as_bytes());
        hasher.update(request);
        let mut request = [0; DIGEST_BYTES];
        request.copy_from_slice(&hasher.finalize().as_bytes()[..DIGEST_BYTES]);
        Self { key, request }
    }

    /// The token of a place.
    pub(super) fn make(&self, places: &Places) -> Result<String, QueryError> {
        let token = Token {
            request: self.request,
            sizes: places.sizes.iter().map(|(s, n)| (*s, *n)).collect(),
            within: places.within.iter().map(|(s, n)| (*s, *n)).collect(),
        };
        let mut bytes = vec![TOKEN_VERSION];
        let config = bincode::config::standard();
        bincode::encode_into_std_write(token, &mut bytes, config)
            .map_err(|_| QueryError::Interrupted)?;
        let code = blake3::keyed_hash(&self.key, &bytes);
        bytes.extend_from_slice(code.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The place of a token.
    ///
    /// # Errors
    /// [`QueryError::ResumeToken`] where it is damaged or of another request.
    pub(super) fn read(&self, token: &str) -> Result<Places, QueryError> {
        let token = self.open(token).ok_or(QueryError::ResumeToken)?;
        if token.request != self.request {
            return Err(QueryError::ResumeToken);
        }
        Ok(Places {
            sizes: token.sizes.into_iter().collect(),
            within: token.within.into_iter().collect(),
        })
    }

    fn open(&self, token: &str) -> Option<Token> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, code) = bytes.split_last_chunk::<CODE_BYTES>()?;
        // Compares in constant time.
        if blake3::keyed_hash(&self.key, signed) != blake3::Hash::from_bytes(*code) {
            return None;
        }
        let payload = signed.strip_prefix(&[TOKEN_VERSION])?;
        let config = bincode::config::standard().with_limit::<MAX_TOKEN_BYTES>();
        let (token, read) = bincode::decode_from_slice(payload, config).ok()?;
        (read == payload.len()).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_vault::VaultOptions;

    fn vault(dir: &tempfile::TempDir) -> Vault {
        let (vault, key) = (dir.path().join("vault"), dir.path().join("root.key"));
        Vault::open(&vault, &key, VaultOptions::default()).unwrap()
    }

    #[test]
    fn a_token_says_its_place_to_its_request_alone() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(&dir);
        let maker = TokenMaker::new(&vault, "m", b"request");
        let mut places = Places::default();
        places.reach(ShardId([1; 16]), 7);
        places.reach_within(ShardId([2; 16]), 300, 2);
        let token = maker.make(&places).unwrap();
        assert_eq!(maker.read(&token).unwrap(), places);
        for (method, request) in [("n", &b"request"[..]), ("m", b"other"), ("mr", b"equest")] {
            let other = TokenMaker::new(&vault, method, request);
            assert!(matches!(other.read(&token), Err(QueryError::ResumeToken)));
        }
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(maker.read(&changed).is_err(), "byte {index}");
            assert!(maker.read(&token[..index]).is_err(), "length {index}");
        }
    }

    #[test]
    fn a_place_within_an_entry_ends_with_the_entry() {
        let (a, b) = (ShardId([1; 16]), ShardId([2; 16]));
        let mut places = Places::default();
        places.reach_within(a, 4, 1);
        assert_eq!(
            (places.size(&a), places.told(&a), places.told(&b)),
            (4, 1, 0)
        );
        places.reach(b, 9);
        assert_eq!(places.told(&a), 1);
        places.reach(a, 5);
        assert_eq!(
            (places.size(&a), places.told(&a), places.size(&b)),
            (5, 0, 9)
        );
    }
}
