//! Who is who, by the operator's word and by what was cut short.

use custody_ledger::{Act, Digest, Entry, HouseRecord, Kind, SubjectReference};

use super::world::{history, kinds, open, person, records, settled};
use crate::house::{COLLECTION, ERASURE, START_NS, USE, codes, said, shard};

#[test]
fn joined_persons_are_judged_as_one_and_parted_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    let use_of = |id: &str, hour: u32, who: &str| {
        said(
            id,
            "use",
            &format!("2024-05-01T{hour:02}:00:00Z"),
            &[who],
            USE,
        )
    };
    let erasure = said(
        "x",
        "erasure",
        "2024-05-01T10:00:00Z",
        &["account:1"],
        ERASURE,
    );
    house.send(0, &[erasure, use_of("u-1", 11, "account:2")]);
    let (one, other) = (person(&house, "account:1"), person(&house, "account:2"));
    let registrar = house.pipeline.registrar();
    assert!(registrar.join(one, other, "ticket-1").unwrap());
    assert!(!registrar.join(other, one, "ticket-1").unwrap());
    house.send(0, &[use_of("u-2", 12, "account:2")]);
    assert!(registrar.part(one, other, "ticket-2").unwrap());
    assert!(!registrar.part(one, other, "ticket-2").unwrap());
    house.send(0, &[use_of("u-3", 13, "account:2")]);
    // The same events do not make them one again.
    let both = ["account:1", "account:2"];
    house.send(0, &[said("b", "use", "2024-05-01T14:00:00Z", &both, USE)]);
    let found: Vec<bool> = house.entries(&shard(0))[1..4]
        .iter()
        .map(|(_, entry)| codes(&entry.judgement).contains(&"after_erasure"))
        .collect();
    assert_eq!(found, [false, true, false]);
    assert_eq!(kinds(&house), ["identity_joined", "identity_parted"]);
    assert!(registrar.join(one, [7; 16], "x").unwrap_err().is_input());
    settled(house, data);
}

#[test]
fn a_released_identifier_is_somebody_elses_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(
        0,
        &[said(
            "a",
            "use",
            "2024-05-01T12:00:00Z",
            &["account:1"],
            USE,
        )],
    );
    let one = person(&house, "account:1");
    let registrar = house.pipeline.registrar();
    // 2024-06-01.
    let from_ns = 1_717_200_000_000_000_000;
    assert_eq!(
        registrar.release("account:1", from_ns, "recycled").unwrap(),
        Some(one)
    );
    assert_eq!(
        registrar.release("account:1", from_ns, "recycled").unwrap(),
        None
    );
    house.send(
        0,
        &[
            said("b", "use", "2024-07-01T12:00:00Z", &["account:1"], USE),
            said("c", "use", "2024-05-02T12:00:00Z", &["account:1"], USE),
        ],
    );
    let subjects: Vec<_> = house
        .entries(&shard(0))
        .into_iter()
        .map(|(_, entry)| entry.subject.unwrap().0)
        .collect();
    assert_ne!(subjects[1], one);
    assert_eq!(subjects[2], one);
    let released = records(&house).pop().unwrap();
    assert_eq!(
        released.1,
        HouseRecord::IdentifierReleased {
            subject: SubjectReference(one),
            scheme: "account".to_owned(),
            from_ns,
            cause: "recycled".to_owned(),
        }
    );
    settled(house, data);
}

#[test]
fn what_was_said_before_the_vault_had_it_is_done_on_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["account:2"]));
    let (a, b) = (person(&house, "account:1"), person(&house, "account:2"));
    let say = |house: &crate::house::House, kind, record| {
        let mut entry = Entry::new(kind, START_NS);
        entry.act = Act::House(record);
        house
            .ledger
            .append_house(vec![entry], START_NS, Digest([0; 32]))
            .unwrap();
    };
    let (a_said, b_said) = (SubjectReference(a), SubjectReference(b));
    let cause = "t".to_owned();
    let joined = HouseRecord::IdentityJoined {
        a: a_said,
        b: b_said,
        cause: cause.clone(),
    };
    say(&house, Kind::IdentityJoined, joined);
    house.close();
    let house = open(data);
    assert_eq!(house.vault.linked(&a).unwrap(), [b]);
    let parted = HouseRecord::IdentityParted {
        a: b_said,
        b: a_said,
        cause,
    };
    say(&house, Kind::IdentityParted, parted);
    house.close();
    let house = open(data);
    assert!(house.vault.linked(&a).unwrap().is_empty());
    settled(house, data);
}

#[test]
fn a_link_that_the_vault_alone_has_is_said_when_its_event_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["member:1"]));
    // As by an event whose block was lost with the process.
    let ids = ["account:1", "member:1"];
    let linked = house.vault.admit(&ids).unwrap().linked;
    assert_eq!(linked.len(), 1);
    house.vault.flush().unwrap();
    house.close();
    let house = open(data);
    assert!(kinds(&house).is_empty());
    let link = said(
        "link",
        "collection",
        "2024-05-03T12:00:00Z",
        &ids,
        COLLECTION,
    );
    house.send(1, &[link]);
    let next = said("next", "use", "2024-05-03T13:00:00Z", &ids[1..], USE);
    house.send(1, &[next]);
    let said_now = records(&house);
    assert_eq!(said_now.len(), 1);
    let HouseRecord::IdentityLinked {
        a,
        b,
        shard: of,
        offset,
    } = &said_now[0].1
    else {
        panic!("{said_now:?}");
    };
    let mut pair = [a.0, b.0];
    pair.sort_unstable();
    let mut expected = [linked[0].0, linked[0].1];
    expected.sort_unstable();
    assert_eq!(pair, expected);
    assert_eq!((*of, *offset), (shard(1).id(), 0));
    house.close();
    // Once is enough.
    let house = open(data);
    house.send(1, &[said("more", "use", "2024-05-03T14:00:00Z", &ids, USE)]);
    assert_eq!(records(&house).len(), 1);
    settled(house, data);
}
