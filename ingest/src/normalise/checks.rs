//! What single fields may hold.

use custody_policy::country::is_country;
use custody_proto::Timestamp;

use crate::rejection::{Rejection, RejectionCode};

/// The longest id of a party, a system, a policy and the like, in bytes.
const MAX_ID_BYTES: usize = 64;

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
}

fn either_case(byte: u8) -> bool {
    byte.is_ascii_uppercase() || lower(byte)
}

/// `[a-z0-9._-]{1,64}`
pub(super) fn is_plain_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(lower)
}

/// An id of a service, controller, system or breach; empty says nothing.
pub(super) fn plain_id(id: &str, place: &'static str) -> Result<(), Rejection> {
    if id.is_empty() || is_plain_id(id) {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadId,
        place,
        "not [a-z0-9._-]{1,64}",
    ))
}

/// A name of a policy, a version or a clause; empty says nothing.
pub(super) fn policy_id(id: &str, place: &'static str) -> Result<(), Rejection> {
    if id.is_empty() || (id.len() <= MAX_ID_BYTES && id.bytes().all(either_case)) {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadId,
        place,
        "not [A-Za-z0-9._-]{1,64}",
    ))
}

/// An organisation's id.
pub(super) fn party_id(id: &str, place: impl FnOnce() -> String) -> Result<(), Rejection> {
    if is_plain_id(id) {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadPartyId,
        place(),
        "not [a-z0-9._-]{1,64}",
    ))
}

/// An identifier of a person: `scheme:value`, the scheme `[a-z][a-z0-9_]*`.
pub(super) fn identifier(id: &str, place: impl FnOnce() -> String) -> Result<(), Rejection> {
    let well_formed = id.split_once(':').is_some_and(|(scheme, value)| {
        scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !value.is_empty()
    });
    if well_formed {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadIdentifier,
        place(),
        "not scheme:value with a scheme of [a-z][a-z0-9_]*",
    ))
}

/// A code of ISO 3166-1 alpha-2 or ISO 3166-2; empty says nothing.
pub(super) fn country(code: &str, place: &'static str) -> Result<(), Rejection> {
    if code.is_empty() || is_country(code) {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadCountry,
        place,
        "not a code of ISO 3166-1 alpha-2 or ISO 3166-2, in upper case",
    ))
}

/// A number of this enumeration. JSON says words; protobuf may say anything.
pub(super) fn enumeration<E: TryFrom<i32>>(
    number: i32,
    place: &'static str,
) -> Result<(), Rejection> {
    if E::try_from(number).is_ok() {
        return Ok(());
    }
    Err(Rejection::at(
        RejectionCode::BadEnum,
        place,
        "a number that this enumeration does not have",
    ))
}

/// A moment that can be kept in nanoseconds. JSON says none other; protobuf may.
pub(super) fn moment(
    time: Option<Timestamp>,
    place: &'static str,
) -> Result<Option<i64>, Rejection> {
    time.map(|time| {
        time.unix_nanos()
            .ok_or_else(|| Rejection::at(RejectionCode::BadTime, place, "outside 1677 to 2262"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for id in ["account:1", "email:a@example.com", "x_1:a:b", "device: "] {
            assert!(identifier(id, String::new).is_ok(), "{id}");
        }
        for id in [
            "",
            "account",
            ":1",
            "account:",
            "Account:1",
            "1a:1",
            "_a:1",
            "a b:1",
            "é:1",
        ] {
            assert!(identifier(id, String::new).is_err(), "{id}");
        }
    }

    #[test]
    fn ids() {
        let longest = "a".repeat(64);
        for id in ["", "dhl", "alibaba.com", "a_b-c.9", &longest] {
            assert!(plain_id(id, "").is_ok(), "{id}");
        }
        for id in ["DHL", "a b", "a@b", "é", &format!("{longest}a")] {
            assert!(plain_id(id, "").is_err(), "{id}");
        }
        assert!(policy_id("ALB-2025.081", "").is_ok());
        assert!(policy_id("ALB 2025", "").is_err());
        assert!(party_id("", String::new).is_err());
    }
}
