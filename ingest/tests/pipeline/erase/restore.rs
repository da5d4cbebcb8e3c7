//! Backups of before, and keys that are lost and not erased.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use custody_ingest::erase::{
    EraseError, ErasureState, FaultPoints, Step, register, replay_register,
};
use custody_ingest::pipeline::DeadLetters;

use super::world::{
    comes_to, fails_after, history, is_in, kinds, open, options, order, person, settled, stores,
};
use crate::house::{House, Letters, START_NS, USE, said, shard, totals};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn starts(data: &Path) -> Result<House, String> {
    let letters = Arc::new(Letters::default()) as Arc<dyn DeadLetters>;
    let options = options(data, FaultPoints::default());
    House::start(data, START_NS, options, letters, || ()).map_err(|error| error.to_string())
}

#[test]
fn whoever_was_erased_since_the_backup_is_erased_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = &dir.path().join("data");
    let backup = &dir.path().join("backup");
    std::fs::create_dir(data).unwrap();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["account:2"]));
    let (gone, stays) = (person(&house, "account:1"), person(&house, "account:2"));
    house.close();
    copy(data, backup);
    // It is beside the root key, and in no backup of the data.
    std::fs::remove_file(register::path_beside(&backup.join("root.key"))).unwrap();
    let house = open(data);
    let id = house.pipeline.registrar().erase(order(&[gone])).unwrap().id;
    house.close();

    let register = register::path_beside(&data.join("root.key"));
    let kept = std::fs::read(&register).unwrap();
    std::fs::remove_dir_all(data).unwrap();
    copy(backup, data);
    {
        let (vault, ledger) = stores(data);
        assert!(
            replay_register(&vault, &register).is_err(),
            "it is not there"
        );
        std::fs::write(&register, &kept).unwrap();
        let replayed = replay_register(&vault, &register).unwrap();
        assert_eq!(
            (replayed.erasures, replayed.again, replayed.persons),
            (1, 1, 1)
        );
        let again = replay_register(&vault, &register).unwrap();
        assert_eq!((again.erasures, again.again, again.persons), (1, 0, 0));
        assert!(vault.person(&gone).unwrap().is_none());
        ledger.close().unwrap();
    }
    // The house shard, which is that of the backup, is told.
    let house = starts(data).unwrap();
    let status = house.pipeline.registrar().erasure(id).unwrap();
    assert_eq!(status.state, ErasureState::Done);
    assert_eq!(status.done.unwrap().persons, 1);
    assert_eq!(
        kinds(&house),
        ["erasure_requested", "erasure_started", "erasure_done"]
    );
    assert!(house.vault.person(&stays).unwrap().is_some());
    let rows = settled(house, data);
    assert!(!is_in(&rows, &gone));
}

/// Puts a backup in place of the data, with the register as it is now.
fn restore(data: &Path, backup: &Path) {
    let register = register::path_beside(&data.join("root.key"));
    let kept = std::fs::read(&register).unwrap();
    std::fs::remove_dir_all(data).unwrap();
    copy(backup, data);
    std::fs::write(&register, &kept).unwrap();
}

#[test]
fn a_register_is_enough_where_nobody_replayed_it() {
    for replayed in [false, true] {
        // Whether the backup has the order, and whether it waits for a hold there.
        for (asked, held) in [(false, true), (true, true), (true, false)] {
            let dir = tempfile::tempdir().unwrap();
            let data = &dir.path().join("data");
            let backup = &dir.path().join("backup");
            std::fs::create_dir(data).unwrap();
            let house = House::with(data, START_NS, options(data, fails_after(Step::Requested)));
            house.send(0, &history("a", &["account:1"]));
            let gone = person(&house, "account:1");
            let registrar = house.pipeline.registrar();
            if held {
                registrar.place_hold("case", None, None).unwrap();
            }
            if asked {
                registrar.erase(order(&[gone])).unwrap_err();
            }
            if asked && held {
                comes_to(&house, ErasureState::Waiting);
                house.close();
            } else {
                house.abandon();
            }
            copy(data, backup);
            let house = open(data);
            let registrar = house.pipeline.registrar();
            if held {
                registrar.lift_hold("case", None).unwrap();
            }
            if !asked {
                registrar.erase(order(&[gone])).unwrap();
            }
            let id = comes_to(&house, ErasureState::Done).id;
            house.close();
            restore(data, backup);
            if replayed {
                let (vault, ledger) = stores(data);
                let register = register::path_beside(&data.join("root.key"));
                assert_eq!(replay_register(&vault, &register).unwrap().persons, 1);
                ledger.close().unwrap();
            }
            // A hold stands against a new order, and not against what was done.
            let house = starts(data).unwrap();
            let status = house.pipeline.registrar().erasure(id).unwrap();
            assert_eq!(
                status.state,
                ErasureState::Done,
                "{asked} {held} {replayed}"
            );
            assert!(status.started.is_some());
            assert_eq!(house.pipeline.registrar().holds().len(), usize::from(held));
            assert!(house.vault.person(&gone).unwrap().is_none());
            settled(house, data);
        }
    }
}

#[test]
fn who_came_to_be_known_between_two_tries_is_erased_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let data = &dir.path().join("data");
    let backup = &dir.path().join("backup");
    std::fs::create_dir(data).unwrap();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["member:1"]));
    let (one, other) = (person(&house, "account:1"), person(&house, "member:1"));
    house.close();
    copy(data, backup);
    let fails = Arc::new(AtomicBool::new(true));
    let faults = {
        let fails = Arc::clone(&fails);
        FaultPoints::new(move |step| match step {
            Step::Registered if fails.load(Ordering::SeqCst) => {
                Err(std::io::Error::other("a test"))
            }
            _ => Ok(()),
        })
    };
    let house = House::with(data, START_NS, options(data, faults));
    house.pipeline.registrar().erase(order(&[one])).unwrap_err();
    let both = ["account:1", "member:1"];
    house.send(
        0,
        &[said("link", "use", "2024-05-03T12:00:00Z", &both, USE)],
    );
    fails.store(false, Ordering::SeqCst);
    let done = comes_to(&house, ErasureState::Done);
    assert_eq!(done.done.unwrap().persons, 2);
    let lines = register::read(&register::path_beside(&data.join("root.key"))).unwrap();
    assert_eq!(lines.len(), 2);
    house.close();
    // There nobody knows that they are one.
    restore(data, backup);
    let house = starts(data).unwrap();
    let status = house.pipeline.registrar().erasure(done.id).unwrap();
    assert_eq!(status.state, ErasureState::Done);
    assert_eq!(status.subjects.len(), 2);
    for gone in [&one, &other] {
        assert!(house.vault.person(gone).unwrap().is_none());
    }
    settled(house, data);
}

#[test]
fn a_register_that_is_gone_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = &dir.path().join("data");
    let backup = &dir.path().join("backup");
    std::fs::create_dir(data).unwrap();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["account:2"]));
    let (one, other) = (person(&house, "account:1"), person(&house, "account:2"));
    house.close();
    copy(data, backup);
    let house = open(data);
    house.pipeline.registrar().erase(order(&[one])).unwrap();
    house.close();
    let register = register::path_beside(&data.join("root.key"));
    let before = register::read(&register).unwrap();
    std::fs::remove_file(&register).unwrap();
    let house = open(data);
    assert_eq!(register::read(&register).unwrap(), before);
    // While it runs none is begun: it would name nobody of before.
    let away = data.join("away");
    std::fs::rename(&register, &away).unwrap();
    let failed = house.pipeline.registrar().erase(order(&[other]));
    assert!(matches!(failed, Err(EraseError::Register(_))), "{failed:?}");
    assert!(!register.exists());
    assert!(house.vault.person(&other).unwrap().is_some());
    std::fs::rename(&away, &register).unwrap();
    comes_to(&house, ErasureState::Done);
    house.close();
    restore(data, backup);
    let house = starts(data).unwrap();
    for gone in [&one, &other] {
        assert!(house.vault.person(gone).unwrap().is_none());
    }
    settled(house, data);
}

#[test]
fn a_key_that_nobody_erased_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    house.send(0, &history("b", &["account:2"]));
    let gone = person(&house, "account:1");
    house.pipeline.registrar().erase(order(&[gone])).unwrap();
    house.close();
    // Who was erased is no loss.
    std::fs::remove_dir_all(data.join("state")).unwrap();
    starts(data).unwrap().close();
    for name in ["state", "vault", "duplicates"] {
        std::fs::remove_dir_all(data.join(name)).unwrap();
    }
    std::fs::remove_file(data.join("root.key")).unwrap();
    let refused = starts(data).err().unwrap();
    assert!(
        refused.contains("no key for the entry 6 of shard"),
        "{refused}"
    );
    assert!(refused.contains(&shard(0).id().to_string()), "{refused}");
    // The ledger itself is whole.
    totals(data);
}
