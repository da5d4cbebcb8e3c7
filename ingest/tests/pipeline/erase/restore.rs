//! Backups of before, and keys that are lost and not erased.

use std::path::Path;
use std::sync::Arc;

use custody_ingest::erase::{ErasureState, FaultPoints, register, replay_register};
use custody_ingest::pipeline::DeadLetters;

use super::world::{history, is_in, kinds, open, options, order, person, settled, stores};
use crate::house::{House, Letters, START_NS, shard};

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

#[test]
fn a_register_is_enough_where_nobody_replayed_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = &dir.path().join("data");
    let backup = &dir.path().join("backup");
    std::fs::create_dir(data).unwrap();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    let gone = person(&house, "account:1");
    // It stands against a new order, and not against what was done.
    house.close();
    copy(data, backup);
    let house = open(data);
    house.pipeline.registrar().erase(order(&[gone])).unwrap();
    house.close();
    let register = register::path_beside(&data.join("root.key"));
    let kept = std::fs::read(&register).unwrap();
    std::fs::remove_dir_all(data).unwrap();
    copy(backup, data);
    std::fs::write(&register, &kept).unwrap();
    let house = starts(data).unwrap();
    assert!(house.vault.person(&gone).unwrap().is_none());
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
}
