//! The root key in shares, for people to keep: any `threshold` of them give it
//! back, fewer say nothing (Shamir, "How to Share a Secret", 1979).
//!
//! ```text
//! custody-root-share-1 | vault id 16 | generation 8 | threshold 1 | number 1
//!                      | check 8 | share 32 | checksum 6            in hex
//! ```
//!
//! `check` is a digest of the key: shares of two rounds do not fit together,
//! and that is found before a wrong key is used.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use vsss_rs::Gf256;
use zeroize::{Zeroize, Zeroizing};

use super::{RootKey, RootStore};
use crate::derive;
use crate::error::VaultError;
use crate::key::{Key, SeededRandom};

const PREFIX: &str = "custody-root-share-1";
const SHARE_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 6;
const BODY_BYTES: usize = 16 + 8 + 1 + 1 + CHECK_BYTES + SHARE_BYTES;
const GROUP: usize = 8;

/// Why shares are not made, read or put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EscrowError {
    /// Not so many shares, or not such a threshold.
    #[error("{threshold} of {shares} shares cannot be: from 2 of 2 to 255 of 255")]
    Numbers {
        /// How many are needed.
        threshold: u8,
        /// How many there are.
        shares: u8,
    },
    /// The text is not that of a share, or was not copied right.
    #[error("this is no share of a root key, or it was not copied right")]
    Unreadable,
    /// Of another vault, generation or round.
    #[error("the shares are not of one round: of another vault, key or escrow")]
    Mixed,
    /// Too few.
    #[error("{have} different shares, {need} are needed")]
    TooFew {
        /// How many were given.
        have: usize,
        /// How many are needed.
        need: u8,
    },
}

/// One share of a root key. Its text is secret; it does not print itself.
#[derive(Clone)]
pub struct Share {
    vault_id: [u8; 16],
    generation: u64,
    threshold: u8,
    number: u8,
    check: [u8; CHECK_BYTES],
    share: Key,
}

impl Share {
    /// Of which key.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many shares give the key back.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// Which of the shares, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// What its keeper writes down: one line of letters, digits and spaces.
    pub fn text(&self) -> Zeroizing<String> {
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES + CHECKSUM_BYTES));
        body.extend_from_slice(&self.vault_id);
        body.extend_from_slice(&self.generation.to_be_bytes());
        body.extend_from_slice(&[self.threshold, self.number]);
        body.extend_from_slice(&self.check);
        body.extend_from_slice(self.share.bytes());
        let checksum = derive::share_checksum(&body);
        body.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        // Never grows: no copy is left behind.
        let digits = 2 * body.len();
        let mut text = Zeroizing::new(String::with_capacity(
            PREFIX.len() + digits + digits.div_ceil(GROUP),
        ));
        text.push_str(PREFIX);
        for (at, byte) in body.iter().enumerate() {
            if at % (GROUP / 2) == 0 {
                text.push(' ');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// Puts the key together again.
    ///
    /// # Errors
    /// [`EscrowError::TooFew`], [`EscrowError::Mixed`].
    pub fn recover(shares: &[Self]) -> Result<RootKey, EscrowError> {
        let Some(first) = shares.first() else {
            return Err(EscrowError::TooFew { have: 0, need: 2 });
        };
        let mut parts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for share in shares {
            let same = share.vault_id == first.vault_id
                && share.generation == first.generation
                && share.threshold == first.threshold
                && share.check == first.check;
            if !same {
                return Err(EscrowError::Mixed);
            }
            if parts.iter().all(|part| part[0] != share.number) {
                let mut part = Zeroizing::new(Vec::with_capacity(1 + SHARE_BYTES));
                part.push(share.number);
                part.extend_from_slice(share.share.bytes());
                parts.push(part);
            }
        }
        let need = first.threshold;
        if parts.len() < usize::from(need) {
            let have = parts.len();
            return Err(EscrowError::TooFew { have, need });
        }
        let mut plain: Vec<Vec<u8>> = parts
            .iter()
            .take(usize::from(need))
            .map(|part| part.to_vec())
            .collect();
        let secret = Gf256::combine_bytes(&plain).map(Zeroizing::new);
        plain.iter_mut().for_each(Zeroize::zeroize);
        let key = secret
            .ok()
            .and_then(|secret| Key::from_slice(&secret))
            .ok_or(EscrowError::Mixed)?;
        if !bool::from(check(&key, &first.vault_id).ct_eq(&first.check)) {
            return Err(EscrowError::Mixed);
        }
        Ok(RootKey::new(first.generation, *key.bytes()))
    }

    /// Puts the key together again, and into a store that holds none: what
    /// opens the vault from now on.
    ///
    /// # Errors
    /// [`VaultError::Escrow`]; [`VaultError::RootService`] where the store
    /// holds a key; what the store says.
    pub fn recover_into(shares: &[Self], store: &dyn RootStore) -> Result<RootKey, VaultError> {
        let key = Self::recover(shares)?;
        if !store.get()?.is_empty() {
            return Err(VaultError::RootService {
                doing: "keep the recovered root key",
                reason: "it holds a root key already: move that away first".to_owned(),
            });
        }
        store.put(&key)?;
        Ok(key)
    }
}

impl FromStr for Share {
    type Err = EscrowError;

    /// Reads [`Share::text`]; white space, dashes and capitals do not matter.
    fn from_str(text: &str) -> Result<Self, EscrowError> {
        let bad = || EscrowError::Unreadable;
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let kept: Zeroizing<String> = Zeroizing::new(kept.collect());
        let prefix: String = PREFIX.chars().filter(|c| *c != '-').collect();
        let digits = kept
            .get(..prefix.len())
            .filter(|start| start.eq_ignore_ascii_case(&prefix))
            .and_then(|start| kept.get(start.len()..))
            .ok_or_else(bad)?;
        if digits.len() != 2 * (BODY_BYTES + CHECKSUM_BYTES) {
            return Err(bad());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES + CHECKSUM_BYTES));
        for pair in digits.as_bytes().chunks_exact(2) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(bad());
            };
            body.push((high << 4 | low) as u8);
        }
        let (body, checksum) = body.split_at(BODY_BYTES);
        if derive::share_checksum(body)[..CHECKSUM_BYTES] != *checksum {
            return Err(bad());
        }
        let (vault_id, rest) = body.split_first_chunk().ok_or_else(bad)?;
        let (generation, rest) = rest.split_first_chunk().ok_or_else(bad)?;
        let (&[threshold, number], rest) = rest.split_first_chunk().ok_or_else(bad)?;
        let (check, share) = rest.split_first_chunk().ok_or_else(bad)?;
        if threshold < 2 || number == 0 {
            return Err(bad());
        }
        Ok(Self {
            vault_id: *vault_id,
            generation: u64::from_be_bytes(*generation),
            threshold,
            number,
            check: *check,
            share: Key::from_slice(share).ok_or_else(bad)?,
        })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("generation", &self.generation)
            .field("threshold", &self.threshold)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Cuts a root key into `shares` shares of which `threshold` give it back.
pub(crate) fn split(
    key: &RootKey,
    vault_id: &[u8; 16],
    threshold: u8,
    shares: u8,
) -> Result<Vec<Share>, VaultError> {
    let numbers = EscrowError::Numbers { threshold, shares };
    if threshold < 2 || threshold > shares {
        return Err(numbers.into());
    }
    let parts = Gf256::split_bytes(
        threshold.into(),
        shares.into(),
        key.expose(),
        SeededRandom::new()?,
    )
    .map_err(|_| numbers)?;
    let check = check(key.key(), vault_id);
    let mut made = Vec::with_capacity(parts.len());
    for part in parts.into_iter().map(Zeroizing::new) {
        let (&number, share) = part.split_first().ok_or(numbers)?;
        made.push(Share {
            vault_id: *vault_id,
            generation: key.generation(),
            threshold,
            number,
            check,
            share: Key::from_slice(share).ok_or(numbers)?,
        });
    }
    Ok(made)
}

fn check(key: &Key, vault_id: &[u8; 16]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&derive::escrow_check(key, vault_id)[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(threshold: u8, count: u8) -> Vec<Share> {
        split(&RootKey::new(7, [9; 32]), &[1; 16], threshold, count).unwrap()
    }

    #[test]
    fn any_threshold_of_them_is_enough_and_fewer_are_not() {
        let shares = shares(3, 5);
        assert_eq!(shares.len(), 5);
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    let some = [shares[a].clone(), shares[b].clone(), shares[c].clone()];
                    let result = Share::recover(&some);
                    if a != b && b != c && a != c {
                        let key = result.unwrap();
                        assert_eq!((key.generation(), key.expose()), (7, &[9; 32]));
                    } else {
                        let error = result.unwrap_err();
                        assert!(matches!(error, EscrowError::TooFew { need: 3, .. }));
                    }
                }
            }
        }
        assert!(Share::recover(&[]).is_err());
    }

    #[test]
    fn shares_of_two_rounds_do_not_fit() {
        let (one, two) = (shares(2, 3), shares(2, 3));
        let mixed = [one[0].clone(), two[1].clone()];
        assert_eq!(Share::recover(&mixed).unwrap_err(), EscrowError::Mixed);
    }

    #[test]
    fn a_share_is_read_as_people_copy_it() {
        let shares = shares(2, 2);
        let text = shares[0].text();
        let copied = text.to_uppercase().replace(' ', "\n ");
        let read: Share = copied.parse().unwrap();
        let key = Share::recover(&[read, shares[1].clone()]).unwrap();
        assert_eq!(key.expose(), &[9; 32]);
        for at in 0..text.len() {
            let mut bad = text.to_string().into_bytes();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(bad.parse::<Share>().is_err(), "character {at}");
        }
        assert!(!format!("{:?}", shares[0]).contains(&text[60..]));
    }

    #[test]
    fn numbers_that_cannot_be() {
        let key = RootKey::new(1, [1; 32]);
        for (threshold, count) in [(0, 3), (1, 3), (4, 3)] {
            let error = split(&key, &[1; 16], threshold, count).unwrap_err();
            assert!(matches!(
                error,
                VaultError::Escrow(EscrowError::Numbers { .. })
            ));
        }
        assert_eq!(split(&key, &[1; 16], 255, 255).unwrap().len(), 255);
    }
}
