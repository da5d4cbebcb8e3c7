//! Pages (AIP-158): a token says where to go on, for which request and up to
//! which head, so that the pages of one answer add up to one answer.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bincode::{Decode, Encode};
use custody_ledger::id::ShardId;
use custody_proto::v1;

use super::at_least::Wanted;
use super::error::{Faults, QueryError};
use super::{Ask, QueryState};
use crate::read_model::{Visible, VisibleShard, origin};

/// How many rows a page has where none is asked for.
pub const DEFAULT_PAGE_SIZE: usize = 100;

/// How many rows a page has at most.
pub const MAX_PAGE_SIZE: usize = 1000;

/// A page of whole entries ends early where it comes to so many bytes, so that
/// it stays below the 4 MiB that gRPC clients take by default.
pub(crate) const PAGE_BYTES: usize = 3 << 20;

const TOKEN_VERSION: u8 = 1;
const CODE_BYTES: usize = 32;
const DIGEST_BYTES: usize = 16;

/// More than any ledger's heads take; a longer token is none of ours.
const MAX_TOKEN_BYTES: usize = 1 << 20;

/// The key that page tokens are authenticated with. It comes from the vault,
/// so that tokens survive a restart and give away nothing of the request: a
/// plain digest of a request could be guessed back to the identifier in it.
#[derive(Clone)]
pub(crate) struct TokenKey([u8; 32]);

impl TokenKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(blake3::derive_key("custody page token v1", secret))
    }

    fn code(&self, version_and_payload: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, version_and_payload)
    }

    /// The code of a preview that was shown: another key than that of tokens,
    /// so that neither is ever taken for the other.
    pub(crate) fn confirmation(&self, seen: &[u8]) -> blake3::Hash {
        let key = blake3::derive_key("custody erasure preview v1", &self.0);
        blake3::keyed_hash(&key, seen)
    }

    /// What a token is bound to: the method and the request without its page.
    fn request(&self, method: &str, request: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(method.len() as u64).to_le_bytes());
        hasher.update(method.as_bytes());
        hasher.update(request);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..DIGEST_BYTES]);
        digest
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(redacted)")
    }
}

/// What a token says.
#[derive(Encode, Decode)]
struct Token {
    request: [u8; DIGEST_BYTES],
    /// The head of the first page.
    heads: Vec<TokenHead>,
    /// The last row shown, as its method encodes it.
    cursor: Vec<u8>,
}

#[derive(Clone, Encode, Decode)]
struct TokenHead {
    shard: ShardId,
    blocks: u64,
    size: u64,
}

/// The page that a request asks for.
pub(crate) struct Page {
    pub(crate) size: usize,
    request: [u8; DIGEST_BYTES],
    heads: Option<Vec<TokenHead>>,
    cursor: Option<Vec<u8>>,
}

/// A request for a page.
pub(crate) trait Paged: prost::Message + Clone {
    /// Takes out page size and token, and clears what is waited for: what is
    /// left is what a token is bound to.
    fn take_page(&mut self) -> (i32, String);
}

macro_rules! paged {
    ($($request:ty),+ $(,)?) => {
        $(impl Paged for $request {
            fn take_page(&mut self) -> (i32, String) {
                self.at_least = None;
                (
                    std::mem::take(&mut self.page_size),
                    std::mem::take(&mut self.page_token),
                )
            }
        })+
    };
}

paged!(
    v1::ListEventsRequest,
    v1::ListRecipientsRequest,
    v1::ListTransfersRequest,
    v1::ListFindingsRequest,
    v1::OversightListRequest,
    v1::ListRequestsRequest,
);

impl Paged for v1::ListErasuresRequest {
    fn take_page(&mut self) -> (i32, String) {
        (
            std::mem::take(&mut self.page_size),
            std::mem::take(&mut self.page_token),
        )
    }
}

impl Page {
    /// The page that a request asks for. Its token fits the method and the
    /// rest of the request, and no other.
    pub(crate) fn of<Q: Ask, R: Paged>(
        state: &QueryState,
        request: &R,
        faults: &mut Faults,
    ) -> Result<Self, QueryError> {
        let mut bound = request.clone();
        let (size, token) = bound.take_page();
        let bound = bound.encode_to_vec();
        Self::read(&state.tokens, Q::METHOD, &bound, size, &token, faults)
    }

    /// `bound` is the request's encoding without page size, page token and
    /// what it waits for.
    fn read(
        key: &TokenKey,
        method: &str,
        bound: &[u8],
        page_size: i32,
        page_token: &str,
        faults: &mut Faults,
    ) -> Result<Self, QueryError> {
        let size = match usize::try_from(page_size) {
            Ok(0) => DEFAULT_PAGE_SIZE,
            Ok(size) => size.min(MAX_PAGE_SIZE),
            Err(_) => {
                faults.push("page_size", "must not be negative");
                DEFAULT_PAGE_SIZE
            }
        };
        let mut page = Self {
            size,
            request: key.request(method, bound),
            heads: None,
            cursor: None,
        };
        if !page_token.is_empty() {
            let token = open(key, page_token).ok_or(QueryError::PageToken)?;
            if token.request != page.request {
                return Err(QueryError::PageToken);
            }
            page.heads = Some(token.heads);
            page.cursor = Some(token.cursor);
        }
        Ok(page)
    }

    /// The read model must have come as far as it had at the first page.
    pub(crate) fn want(&self, wanted: &mut Wanted) {
        for head in self.heads.iter().flatten() {
            wanted.size(head.shard, head.size);
        }
    }

    /// The last row of the page before.
    pub(crate) fn cursor<T: Decode<()>>(&self) -> Result<Option<T>, QueryError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let config = bincode::config::standard().with_limit::<MAX_TOKEN_BYTES>();
        match bincode::decode_from_slice(cursor, config) {
            Ok((row, read)) if read == cursor.len() => Ok(Some(row)),
            _ => Err(QueryError::PageToken),
        }
    }

    /// The head that all pages rest on: that of the first page.
    pub(crate) fn head(
        &self,
        state: &QueryState,
        visible: &Visible,
    ) -> Result<Visible, QueryError> {
        let Some(heads) = &self.heads else {
            return Ok(visible.clone());
        };
        let mut shards = BTreeMap::new();
        for token in heads {
            let shard = visible
                .shards
                .get(&token.shard)
                .ok_or(QueryError::PageToken)?;
            let mut head = shard.head;
            if head.blocks != token.blocks {
                head = match token.blocks.checked_sub(1) {
                    None => origin(&shard.descriptor, state.ledger.id()),
                    Some(height) => {
                        let block = state.ledger.read_block(token.shard, height)?;
                        block.ok_or(QueryError::PageToken)?.head_after()
                    }
                };
            }
            if head.size != token.size {
                return Err(QueryError::PageToken);
            }
            let descriptor = shard.descriptor.clone();
            shards.insert(token.shard, VisibleShard { descriptor, head });
        }
        let head = Visible::bare(shards, visible.following.clone());
        Ok(state.read_model.with_kept(head))
    }

    /// The token of the next page, which starts after `last`.
    pub(crate) fn next(
        &self,
        key: &TokenKey,
        head: &Visible,
        last: &impl Encode,
    ) -> Result<String, QueryError> {
        let heads = head.shards.iter().map(|(shard, visible)| TokenHead {
            shard: *shard,
            blocks: visible.head.blocks,
            size: visible.head.size,
        });
        let encode = || {
            let config = bincode::config::standard();
            let token = Token {
                request: self.request,
                heads: heads.collect(),
                cursor: bincode::encode_to_vec(last, config)?,
            };
            bincode::encode_to_vec(token, config)
        };
        // Memory is the only thing that can fail here, and it would not return.
        let payload = encode().map_err(|_| QueryError::Interrupted)?;
        let mut bytes = vec![TOKEN_VERSION];
        bytes.extend_from_slice(&payload);
        let code = key.code(&bytes);
        bytes.extend_from_slice(code.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Opens a token; `None` where it is damaged or not of this key.
fn open(key: &TokenKey, token: &str) -> Option<Token> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, code) = bytes.split_last_chunk::<CODE_BYTES>()?;
    // Compares in constant time.
    if key.code(signed) != blake3::Hash::from_bytes(*code) {
        return None;
    }
    let (&version, payload) = signed.split_first()?;
    if version != TOKEN_VERSION {
        return None;
    }
    let config = bincode::config::standard().with_limit::<MAX_TOKEN_BYTES>();
    let (token, read) = bincode::decode_from_slice(payload, config).ok()?;
    (read == payload.len()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(
        key: &TokenKey,
        method: &str,
        bound: &[u8],
        size: i32,
        token: &str,
    ) -> Result<Page, QueryError> {
        let mut faults = Faults::default();
        let page = Page::read(key, method, bound, size, token, &mut faults)?;
        faults.or(page)
    }

    #[test]
    fn sizes_are_as_aip_158_says() {
        let key = TokenKey::new(b"secret");
        for (asked, given) in [
            (0, 100),
            (1, 1),
            (1000, 1000),
            (1001, 1000),
            (i32::MAX, 1000),
        ] {
            assert_eq!(page(&key, "m", b"", asked, "").unwrap().size, given);
        }
        assert!(matches!(
            page(&key, "m", b"", -1, ""),
            Err(QueryError::Invalid(_))
        ));
    }

    #[test]
    fn a_token_fits_its_request_and_no_other() {
        let key = TokenKey::new(b"secret");
        let first = page(&key, "m", b"request", 10, "").unwrap();
        let token = first.next(&key, &Visible::default(), &7u64).unwrap();
        // Another size is allowed.
        let second = page(&key, "m", b"request", 20, &token).unwrap();
        assert_eq!(second.cursor::<u64>().unwrap(), Some(7));

        let other_key = TokenKey::new(b"other");
        for (key, method, bound) in [
            (&key, "n", &b"request"[..]),
            (&key, "m", b"other"),
            (&other_key, "m", b"request"),
        ] {
            assert!(matches!(
                page(key, method, bound, 10, &token),
                Err(QueryError::PageToken)
            ));
        }
        // A byte moved from the method to the request is another request.
        let moved = page(&key, "mr", b"equest", 10, &token);
        assert!(matches!(moved, Err(QueryError::PageToken)));
    }

    #[test]
    fn every_changed_or_shortened_token_is_refused() {
        let key = TokenKey::new(b"secret");
        let first = page(&key, "m", b"request", 10, "").unwrap();
        let token = first.next(&key, &Visible::default(), &7u64).unwrap();
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&key, &changed).is_none(), "byte {index}");
            assert!(open(&key, &token[..index]).is_none(), "length {index}");
        }
        assert!(open(&key, &token).is_some());
    }
}
