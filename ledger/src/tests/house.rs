//! One of each house record that came with version 3.

use super::TIME;
use crate::entry::{Act, Entry, EntryRef, HouseRecord, Kind};
use crate::id::{Digest, ShardId, SubjectReference};

const ID: [u8; 16] = [0xe1; 16];
const ONE: SubjectReference = SubjectReference([0x0a; 16]);
const OTHER: SubjectReference = SubjectReference([0x1a; 16]);

fn cause() -> String {
    "support.ticket".to_owned()
}

fn erasures() -> [(Kind, HouseRecord); 5] {
    [
        (
            Kind::ErasureRequested,
            HouseRecord::ErasureRequested {
                id: ID,
                subjects: vec![ONE, OTHER],
                recipients: vec!["dhl".to_owned(), "alipay".to_owned()],
                entries: 41,
                reason: "eu-gdpr.a17".to_owned(),
                ticket: "dsr-7".to_owned(),
                mark: true,
            },
        ),
        (
            Kind::ErasureWaiting,
            HouseRecord::ErasureWaiting {
                id: ID,
                matters: vec!["tax-2025".to_owned()],
            },
        ),
        (Kind::ErasureStarted, HouseRecord::ErasureStarted { id: ID }),
        (
            Kind::ErasureDone,
            HouseRecord::ErasureDone {
                id: ID,
                generation: 3,
                commitment: Digest([0x77; 32]),
                persons: 2,
                started: EntryRef {
                    shard: ShardId([0x0d; 16]),
                    sequence: 9,
                },
            },
        ),
        (
            Kind::ErasureWithdrawn,
            HouseRecord::ErasureWithdrawn { id: ID },
        ),
    ]
}

fn others() -> [(Kind, HouseRecord); 7] {
    [
        (
            Kind::HoldPlaced,
            HouseRecord::HoldPlaced {
                matter: "tax-2025".to_owned(),
                subjects: vec![ONE],
                until_ns: Some(TIME + 1),
            },
        ),
        (
            Kind::HoldLifted,
            HouseRecord::HoldLifted {
                matter: "tax-2025".to_owned(),
                subjects: Vec::new(),
            },
        ),
        (
            Kind::SuppressionApplied,
            HouseRecord::SuppressionApplied {
                subject: ONE,
                day: 20_000,
            },
        ),
        (
            Kind::IdentityJoined,
            HouseRecord::IdentityJoined {
                a: ONE,
                b: OTHER,
                cause: cause(),
            },
        ),
        (
            Kind::IdentityParted,
            HouseRecord::IdentityParted {
                a: ONE,
                b: OTHER,
                cause: cause(),
            },
        ),
        (
            Kind::IdentifierReleased,
            HouseRecord::IdentifierReleased {
                subject: ONE,
                scheme: "account".to_owned(),
                from_ns: TIME,
                cause: cause(),
            },
        ),
        (
            Kind::RootEscrowed,
            HouseRecord::RootEscrowed {
                generation: 3,
                threshold: 3,
                shares: 5,
            },
        ),
    ]
}

pub(crate) fn entries() -> Vec<Entry> {
    let entry = |(kind, record)| {
        let mut entry = Entry::new(kind, TIME);
        if matches!(kind, Kind::SuppressionApplied | Kind::IdentifierReleased) {
            entry.subject = Some(ONE);
        }
        entry.act = Act::House(record);
        entry
    };
    erasures().into_iter().chain(others()).map(entry).collect()
}
