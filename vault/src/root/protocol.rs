//! What a key service is asked, and what it answers. The same for a command
//! (standard input and output) and for HTTP (bodies of POST): one JSON object
//! each way. `docs/root-key.md` is the page for whoever writes one.

use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::RootKey;
use crate::error::VaultError;

/// How often a service is asked before that is an error.
const ATTEMPTS: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest answer that is read.
pub(super) const MOST_BYTES: usize = 64 << 10;
/// More generations than that no service has a reason to hold.
const MOST_KEYS: usize = 64;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Request<'a> {
    version: u32,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    keys: Vec<KeptKey>,
}

#[derive(Deserialize)]
struct KeptKey {
    generation: u64,
    key: String,
}

impl Drop for KeptKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Asks a service once; the answer is its bytes.
pub(super) type Ask<'a> =
    dyn Fn(&'static str, &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> + 'a;

pub(super) fn get(ask: &Ask<'_>) -> Result<Vec<RootKey>, VaultError> {
    const DOING: &str = "give the root keys";
    let answer = call(ask, DOING, "get", None, None)?;
    if answer.keys.len() > MOST_KEYS {
        return Err(malformed(DOING));
    }
    let mut keys = Vec::with_capacity(answer.keys.len());
    for kept in &answer.keys {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&kept.key, &mut *key).map_err(|_| malformed(DOING))?;
        keys.push(RootKey::new(kept.generation, *key));
    }
    // Whatever order they came in.
    keys.sort_by_key(|key: &RootKey| std::cmp::Reverse(key.generation()));
    if keys
        .windows(2)
        .any(|pair| pair[0].generation() == pair[1].generation())
    {
        return Err(malformed(DOING));
    }
    Ok(keys)
}

pub(super) fn put(ask: &Ask<'_>, key: &RootKey) -> Result<(), VaultError> {
    let text = Zeroizing::new(hex::encode(key.expose()));
    call(
        ask,
        "keep a root key",
        "put",
        Some(key.generation()),
        Some(&text),
    )?;
    Ok(())
}

pub(super) fn destroy(ask: &Ask<'_>, generation: u64) -> Result<(), VaultError> {
    call(ask, "destroy a root key", "destroy", Some(generation), None)?;
    Ok(())
}

/// Every operation may be done twice, so that every failure may be tried again.
fn call(
    ask: &Ask<'_>,
    doing: &'static str,
    operation: &'static str,
    generation: Option<u64>,
    key: Option<&str>,
) -> Result<Answer, VaultError> {
    let request = Request {
        version: VERSION,
        operation,
        generation,
        key,
    };
    let body = serde_json::to_vec(&request).map_err(|_| malformed(doing))?;
    let body = Zeroizing::new(body);
    let answer = (|| ask(doing, &body))
        .retry(
            ExponentialBuilder::default()
                .with_min_delay(FIRST_PAUSE)
                .with_max_times(ATTEMPTS - 1),
        )
        .call()?;
    // What serde says of a bad answer may quote it: only that it is bad.
    serde_json::from_slice(&answer).map_err(|_| malformed(doing))
}

fn malformed(doing: &'static str) -> VaultError {
    VaultError::RootService {
        doing,
        reason: "its answer is not what docs/root-key.md says".to_owned(),
    }
}

pub(super) fn failed(doing: &'static str, reason: impl ToString) -> VaultError {
    VaultError::RootService {
        doing,
        reason: reason.to_string(),
    }
}
