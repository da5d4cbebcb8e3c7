//! Findings over all persons: by code, policy and time. A row says where the
//! finding stands; what it says is read from the entry or the re-judgement.

use bincode::{Decode, Encode};
use custody_ledger::entry::{Entry, EntryRef, HouseRecord, Judgement, Outcome};
use custody_ledger::id::{EventTag, ShardId, SubjectReference};
use custody_policy::FindingCode;

use super::ReadModelError;
use super::key::{self, Place};

/// Which finding, in the order of answers over all persons.
///
/// Codes and ids of policies hold no NUL, so that no text's key is the
/// beginning of another's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKey {
    /// The code, such as `consent_missing`.
    pub code: String,
    /// The policy version judged by; empty where none applied.
    pub policy: String,
    /// The entry that it is about, by its event time.
    pub place: Place,
    /// The re-judgement that holds it: its number in the house shard. `None`
    /// where the entry itself does.
    pub rejudged: Option<u64>,
    /// Its number among the findings of that judgement.
    pub index: u16,
}

/// Place, re-judgement and index: what follows the two texts.
const TAIL_BYTES: usize = 8 + 16 + 8 + 8 + 2;

impl FindingKey {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut key = prefix(&self.code, Some(&self.policy));
        key.extend_from_slice(&key::ordered(self.place.event_time_ns));
        key.extend_from_slice(self.place.shard.as_bytes());
        key.extend_from_slice(&self.place.sequence.to_be_bytes());
        let rejudged = self
            .rejudged
            .map_or(0, |sequence| sequence.saturating_add(1));
        key.extend_from_slice(&rejudged.to_be_bytes());
        key.extend_from_slice(&self.index.to_be_bytes());
        key
    }

    pub(super) fn decode(key: &[u8]) -> Option<Self> {
        let (texts, mut tail) = key.split_at_checked(key.len().checked_sub(TAIL_BYTES)?)?;
        let texts = std::str::from_utf8(texts).ok()?.strip_suffix('\0')?;
        let (code, policy) = texts.split_once('\0')?;
        let tail = &mut tail;
        Some(Self {
            code: code.to_owned(),
            policy: policy.to_owned(),
            place: Place {
                event_time_ns: key::time_of(key::take(tail)?),
                shard: ShardId(key::take(tail)?),
                sequence: u64::from_be_bytes(key::take(tail)?),
            },
            rejudged: u64::from_be_bytes(key::take(tail)?).checked_sub(1),
            index: u16::from_be_bytes(key::take(tail)?),
        })
    }
}

/// From where findings are read.
#[derive(Clone, Copy, Debug)]
pub enum FindingsFrom<'a> {
    /// From the first of all.
    Start,
    /// From the first that comes after this one.
    After(&'a FindingKey),
    /// From the first of this code and policy that happened then or later.
    Time(&'a str, &'a str, i64),
    /// From the first of the next policy of this code, or of the next code.
    NextPolicy(&'a str, &'a str),
    /// From the first of the next code.
    NextCode(&'a str),
}

impl FindingsFrom<'_> {
    pub(super) fn key(self) -> Vec<u8> {
        match self {
            Self::Start => Vec::new(),
            Self::After(last) => {
                let mut key = last.encode();
                key.push(0);
                key
            }
            Self::Time(code, policy, time_ns) => {
                let mut key = prefix(code, Some(policy));
                key.extend_from_slice(&key::ordered(time_ns));
                key
            }
            Self::NextPolicy(code, policy) => {
                let mut key = prefix(code, Some(policy));
                // The byte after the NUL that ends the policy's id.
                key.pop();
                key.push(1);
                key
            }
            Self::NextCode(code) => {
                let mut key = prefix(code, None);
                key.pop();
                key.push(1);
                key
            }
        }
    }
}

fn prefix(code: &str, policy: Option<&str>) -> Vec<u8> {
    let mut key = Vec::with_capacity(code.len() + policy.map_or(0, str::len) + 2 + TAIL_BYTES);
    key.extend_from_slice(code.as_bytes());
    key.push(0);
    if let Some(policy) = policy {
        key.extend_from_slice(policy.as_bytes());
        key.push(0);
    }
    key
}

/// What the read model holds of a finding beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FindingRow {
    /// When it was found: the recorded time of the entry that holds it,
    /// nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// Whose entry it is about; `None` where nobody's in particular.
    pub subject: Option<SubjectReference>,
    /// The tag of the event that it is about. A re-judgement does not say it.
    pub event_tag: Option<EventTag>,
    /// Whether a waiver suppresses it.
    pub suppressed: bool,
    /// The value of the entry's row where it has no subject and so no row of
    /// its own; else empty.
    pub(super) entry: Vec<u8>,
}

/// A later judgement of an entry, from the house shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejudgement {
    /// The entry that was judged again.
    pub of: EntryRef,
    /// Its own number in the house shard.
    pub sequence: u64,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub recorded_time_ns: i64,
    /// The entry that brought what was not known.
    pub cause: EntryRef,
    /// What the judge said then.
    pub judgement: Judgement,
}

/// The value under a re-judgement's key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct RejudgementRow {
    pub(super) recorded_time_ns: i64,
    pub(super) cause: EntryRef,
    pub(super) judgement: Judgement,
}

/// The policy version that the judge or the clock went by. A duty that was not
/// done names clauses only; their ids begin with the policy's.
pub(crate) fn policy_of_overdue(entry: &Entry, clauses: &[String]) -> String {
    if !entry.judgement.policy.is_empty() {
        return entry.judgement.policy.clone();
    }
    let policy = clauses.first().and_then(|clause| clause.rsplit_once('.'));
    policy.map_or_else(|| entry.policy.clone(), |(policy, _)| policy.to_owned())
}

/// The outcome of a duty that was not done in time, by its code; `None` of
/// other entries.
pub(crate) fn overdue_outcome(entry: &Entry) -> Option<Outcome> {
    match &entry.act {
        custody_ledger::entry::Act::House(record) => overdue_outcome_of(record),
        _ => None,
    }
}

/// As [`overdue_outcome`], of what the house says.
pub(super) fn overdue_outcome_of(record: &HouseRecord) -> Option<Outcome> {
    let HouseRecord::OverdueFound { code, .. } = record else {
        return None;
    };
    let class = FindingCode::from_name(code).map(FindingCode::class);
    Some(match class {
        Some(custody_policy::Outcome::Gap) => Outcome::Gap,
        _ => Outcome::Violation,
    })
}

pub(super) fn decode_finding(
    key: &[u8],
    value: &[u8],
) -> Result<(FindingKey, FindingRow), ReadModelError> {
    let key = FindingKey::decode(key).ok_or(ReadModelError::DamagedRow { rows: "findings" })?;
    Ok((key, super::row::decode("findings", value)?))
}

/// What an entry says that is a finding or replaces some: of the judge at
/// ingest, of a re-judgement, of the clock.
pub(super) fn findings_of<'a>(
    entry: &'a Entry,
    place: Place,
) -> Box<dyn Iterator<Item = (FindingKey, bool)> + 'a> {
    let judged = |judgement: &'a Judgement, place: Place, rejudged: Option<u64>| {
        let findings = judgement.findings.iter().zip(0u16..);
        findings.map(move |(finding, index)| {
            let key = FindingKey {
                code: finding.code.clone(),
                policy: judgement.policy.clone(),
                place,
                rejudged,
                index,
            };
            (key, finding.suppressed)
        })
    };
    match &entry.act {
        custody_ledger::entry::Act::House(HouseRecord::Rejudged {
            shard,
            sequence,
            judgement,
            ..
        }) => {
            let about = Place {
                shard: *shard,
                sequence: *sequence,
                ..place
            };
            Box::new(judged(judgement, about, Some(place.sequence)))
        }
        custody_ledger::entry::Act::House(HouseRecord::OverdueFound { code, clauses, .. }) => {
            let key = FindingKey {
                code: code.clone(),
                policy: policy_of_overdue(entry, clauses),
                place,
                rejudged: None,
                index: 0,
            };
            Box::new(std::iter::once((key, false)))
        }
        _ => Box::new(judged(&entry.judgement, place, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = FindingKey> {
        (
            "[a-z_]{0,4}",
            "[A-Z0-9.-]{0,4}",
            (any::<i64>(), any::<[u8; 16]>(), any::<u64>()),
            prop::option::of(0..5u64),
            any::<u16>(),
        )
            .prop_map(|(code, policy, (time, shard, sequence), rejudged, index)| {
                FindingKey {
                    code,
                    policy,
                    place: Place {
                        event_time_ns: time,
                        shard: ShardId(shard),
                        sequence,
                    },
                    rejudged,
                    index,
                }
            })
    }

    proptest! {
        #[test]
        fn keys_and_back_in_the_order_of_answers(a in key(), b in key()) {
            prop_assert_eq!(FindingKey::decode(&a.encode()), Some(a.clone()));
            prop_assert_eq!(a.cmp(&b), a.encode().cmp(&b.encode()));
        }

        #[test]
        fn reading_starts_where_it_should(a in key(), b in key()) {
            let starts = |from: FindingsFrom<'_>| b.encode() >= from.key();
            prop_assert!(starts(FindingsFrom::Start));
            prop_assert_eq!(starts(FindingsFrom::After(&a)), b > a);
            prop_assert_eq!(starts(FindingsFrom::NextCode(&a.code)), b.code > a.code);
            let (of_a, of_b) = ((&a.code, &a.policy), (&b.code, &b.policy));
            prop_assert_eq!(starts(FindingsFrom::NextPolicy(&a.code, &a.policy)), of_b > of_a);
            let time = a.place.event_time_ns;
            prop_assert_eq!(
                starts(FindingsFrom::Time(&a.code, &a.policy, time)),
                (of_b, b.place.event_time_ns) >= (of_a, time)
            );
        }
    }

    #[test]
    fn shorter_keys_are_none() {
        let key = FindingKey {
            code: "sale".to_owned(),
            policy: "ALB-2025".to_owned(),
            place: Place::first_at(5),
            rejudged: Some(3),
            index: 1,
        };
        let key = key.encode();
        for length in 0..TAIL_BYTES + 2 {
            assert!(FindingKey::decode(&key[..length]).is_none(), "{length}");
        }
        assert!(FindingKey::decode(&key).is_some());
    }
}
