//! What stands against erasing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use custody_ingest::erase::{EraseError, ErasureState};

use super::world::{DISCLOSURE, comes_to, history, kinds, open, order, person, settled};
use crate::house::{DAY_NS, START_NS, USE, said};

#[test]
fn an_erasure_waits_for_every_hold_and_goes_on_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["account:2"]));
    let (one, other) = (person(&house, "account:1"), person(&house, "account:2"));
    let registrar = house.pipeline.registrar();
    registrar
        .place_hold("tax-2025", &[one, other], None)
        .unwrap();
    let until_ns = START_NS + DAY_NS;
    registrar
        .place_hold("dispute", &[], Some(until_ns))
        .unwrap();
    registrar.place_hold("other", &[other], None).unwrap();

    let status = registrar.erase(order(&[one])).unwrap();
    assert_eq!(status.state, ErasureState::Waiting);
    assert_eq!(status.matters, ["dispute", "tax-2025"]);
    // Asked again it is the same one.
    assert_eq!(registrar.erase(order(&[one])).unwrap().id, status.id);
    // Meanwhile the person goes on, and is given to somebody else.
    let more = DISCLOSURE.replace("dhl", "ups");
    let late = said(
        "late",
        "disclosure",
        "2024-05-04T12:00:00Z",
        &["account:1"],
        &more,
    );
    // And turns out to be somebody that nobody had thought of.
    let link = said(
        "link",
        "use",
        "2024-05-04T13:00:00Z",
        &["account:1", "member:9"],
        USE,
    );
    let other_event = said("m", "use", "2024-05-04T11:00:00Z", &["member:9"], USE);
    house.send(1, &[late, other_event, link]);
    let linked = person(&house, "member:9");

    // A hold of two persons stays the other's.
    registrar.lift_hold("tax-2025", &[one]).unwrap();
    assert_eq!(registrar.holds().len(), 3);
    assert!(matches!(
        registrar.lift_hold("tax-2025", &[one]),
        Err(EraseError::NoSuchHold { .. })
    ));
    // The one of everybody is left, and it is told that it is the only one.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(comes_to(&house, ErasureState::Waiting).id, status.id);
    house.close();

    // It is found again, and goes on when the time is over.
    let house = open(data);
    assert_eq!(comes_to(&house, ErasureState::Waiting).id, status.id);
    house.now.store(until_ns, Ordering::Relaxed);
    let status = comes_to(&house, ErasureState::Done);
    assert_eq!(status.recipients, ["dhl", "ups"]);
    assert!(status.subjects.contains(&linked));
    assert_eq!(status.done.unwrap().persons, 2);
    assert!(house.vault.person(&one).unwrap().is_none());
    assert!(house.vault.person(&linked).unwrap().is_none());
    assert!(house.vault.person(&other).unwrap().is_some());
    settled(house, data);
}

#[test]
fn what_waits_can_be_withdrawn_and_what_is_done_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    let one = person(&house, "account:1");
    let registrar = house.pipeline.registrar();
    registrar.place_hold("m", &[], None).unwrap();
    let id = registrar.erase(order(&[one])).unwrap().id;
    let status = registrar.withdraw(id).unwrap();
    assert_eq!(status.state, ErasureState::Withdrawn);
    registrar.lift_hold("m", &[]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(house.vault.person(&one).unwrap().is_some());
    assert!(matches!(
        registrar.withdraw(id),
        Err(EraseError::NotWaiting { .. })
    ));
    let status = registrar.erase(order(&[one])).unwrap();
    assert_ne!(status.id, id);
    assert!(registrar.withdraw(status.id).unwrap_err().is_input());
    assert!(
        registrar
            .place_hold("no code", &[], None)
            .unwrap_err()
            .is_input()
    );
    assert!(
        registrar
            .place_hold("late", &[], Some(1))
            .unwrap_err()
            .is_input()
    );
    assert!(
        registrar
            .place_hold("who", &[one], None)
            .unwrap_err()
            .is_input()
    );
    assert_eq!(
        kinds(&house),
        [
            "hold_placed",
            "erasure_requested",
            "erasure_waiting",
            "erasure_withdrawn",
            "hold_lifted",
            "erasure_requested",
            "erasure_started",
            "erasure_done",
        ]
    );
    settled(house, data);
}
