//! What the house shard says, against plain lists.

use custody_ledger::{Digest, Kind};
use proptest::prelude::*;

use super::*;

fn take(records: &mut Records, sequence: u64, record: HouseRecord) {
    let mut entry = Entry::new(Kind::HoldPlaced, 0);
    entry.act = Act::House(record);
    records.take(sequence, i64::try_from(sequence).unwrap(), &entry);
}

fn said(subjects: &[u8]) -> Vec<SubjectReference> {
    subjects
        .iter()
        .map(|it| SubjectReference([*it; 16]))
        .collect()
}

#[derive(Clone, Debug)]
enum Deed {
    Place(u8, Vec<u8>, Option<i64>),
    Lift(u8, Vec<u8>),
}

fn acts() -> impl Strategy<Value = Vec<Deed>> {
    let subjects = || prop::collection::vec(0u8..4, 0..3);
    let until = prop::option::of(0i64..10);
    let act = prop_oneof![
        (0u8..2, subjects(), until).prop_map(|(m, s, u)| Deed::Place(m, s, u)),
        (0u8..2, subjects()).prop_map(|(m, s)| Deed::Lift(m, s)),
    ];
    prop::collection::vec(act, 0..12)
}

proptest! {
    /// A plain list: of each hold, whom it still holds; everybody is 255.
    #[test]
    fn holds_are_those_of_a_plain_list(acts in acts(), now_ns in 0i64..10, asked in 0u8..5) {
        let mut records = Records::default();
        let mut plain: Vec<(u8, Vec<u8>, Option<i64>)> = Vec::new();
        for (sequence, act) in (0..).zip(acts) {
            match act {
                Deed::Place(matter, subjects, until_ns) => {
                    take(&mut records, sequence, HouseRecord::HoldPlaced {
                        matter: format!("m{matter}"),
                        subjects: said(&subjects),
                        until_ns,
                    });
                    let held = if subjects.is_empty() { vec![255] } else { subjects };
                    plain.push((matter, held, until_ns));
                }
                Deed::Lift(matter, subjects) => {
                    take(&mut records, sequence, HouseRecord::HoldLifted {
                        matter: format!("m{matter}"),
                        subjects: said(&subjects),
                    });
                    for hold in plain.iter_mut().filter(|hold| hold.0 == matter) {
                        hold.1.retain(|held| !subjects.is_empty() && !subjects.contains(held));
                    }
                }
            }
        }
        let holds = |hold: &&(u8, Vec<u8>, Option<i64>)| {
            hold.2.is_none_or(|until_ns| now_ns < until_ns)
                && hold.1.iter().any(|held| *held == 255 || *held == asked)
        };
        let expected: std::collections::BTreeSet<String> =
            plain.iter().filter(holds).map(|hold| format!("m{}", hold.0)).collect();
        let standing = records.standing(&[[asked; 16]], now_ns);
        prop_assert_eq!(standing, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_erasure_is_what_was_said_of_it_last() {
    let mut records = Records::default();
    let id = [9; 16];
    let requested = |subjects: &[u8], recipients: &[&str]| HouseRecord::ErasureRequested {
        id,
        subjects: said(subjects),
        recipients: recipients.iter().map(|it| (*it).to_owned()).collect(),
        entries: 3,
        reason: "r".to_owned(),
        ticket: String::new(),
        mark: true,
    };
    take(&mut records, 0, requested(&[1], &["dhl"]));
    take(
        &mut records,
        1,
        HouseRecord::ErasureWaiting {
            id,
            matters: vec!["m".to_owned()],
        },
    );
    take(&mut records, 2, requested(&[2], &["ups"]));
    // Of an erasure that nobody asked for, nothing.
    take(&mut records, 3, HouseRecord::ErasureStarted { id: [8; 16] });
    let status = records.erasure(ErasureId(id)).unwrap();
    assert_eq!(status.state, ErasureState::Waiting);
    assert_eq!(status.subjects, [[1; 16], [2; 16]]);
    assert_eq!(status.recipients, ["dhl", "ups"]);
    assert_eq!((status.added.len(), status.requested.at.sequence), (1, 0));
    assert!(records.is_gone(&[2; 16]) && !records.is_gone(&[3; 16]));
    assert_eq!(records.open().count(), 1);
    take(&mut records, 4, HouseRecord::ErasureStarted { id });
    take(&mut records, 5, HouseRecord::ErasureStarted { id });
    let shard = ShardDescriptor::house().id();
    let started = EntryRef { shard, sequence: 5 };
    let done = HouseRecord::ErasureDone {
        id,
        generation: 2,
        commitment: Digest([0; 32]),
        persons: 2,
        started,
    };
    take(&mut records, 6, done);
    let status = records.erasure(ErasureId(id)).unwrap();
    assert_eq!(status.started.unwrap().at, started);
    assert_eq!(status.done.unwrap().said.recorded_ns, 6);
    assert_eq!(records.open().count(), 0);
    assert_eq!(records.not_done_by_others(ErasureId(id)), 2);
}

#[test]
fn who_was_not_to_be_erased_after_all_is_missed() {
    let mut records = Records::default();
    for (sequence, id, subjects) in [(0, 1, [1, 2]), (1, 2, [2, 3])] {
        take(
            &mut records,
            sequence,
            HouseRecord::ErasureRequested {
                id: [id; 16],
                subjects: said(&subjects),
                recipients: Vec::new(),
                entries: 0,
                reason: "r".to_owned(),
                ticket: String::new(),
                mark: false,
            },
        );
    }
    take(
        &mut records,
        2,
        HouseRecord::ErasureWithdrawn { id: [1; 16] },
    );
    let gone: Vec<bool> = (1..4).map(|it| records.is_gone(&[it; 16])).collect();
    assert_eq!(gone, [false, true, true]);
}
