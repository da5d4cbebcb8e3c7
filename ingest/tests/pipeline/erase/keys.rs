//! A place for root keys that does not always answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use custody_ingest::erase::{EraseError, ErasureState, ErasureStatus, FaultPoints};
use custody_ingest::pipeline::{DeadLetters, PipelineOptions};
use custody_vault::{FileRootStore, RootKey, RootStore, Vault, VaultError, VaultOptions};

use super::world::{comes_to, history, is_in, kinds, options, order, person, settled};
use crate::house::{House, Letters, START_NS, USE, said};

/// Fails so many times to put a key, or to destroy one.
struct Flaky {
    keys: FileRootStore,
    puts: Arc<AtomicUsize>,
    destroys: Arc<AtomicUsize>,
}

fn fails(left: &AtomicUsize) -> Result<(), VaultError> {
    let one_less = |left: usize| left.checked_sub(1);
    match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
        Err(_) => Ok(()),
        Ok(_) => Err(VaultError::RootService {
            doing: "answer",
            reason: "a test".to_owned(),
        }),
    }
}

impl RootStore for Flaky {
    fn kind(&self) -> &'static str {
        "flaky"
    }

    fn place(&self) -> String {
        self.keys.place()
    }

    fn get(&self) -> Result<Vec<RootKey>, VaultError> {
        self.keys.get()
    }

    fn put(&self, key: &RootKey) -> Result<(), VaultError> {
        fails(&self.puts)?;
        self.keys.put(key)
    }

    fn destroy(&self, generation: u64) -> Result<(), VaultError> {
        fails(&self.destroys)?;
        self.keys.destroy(generation)
    }
}

fn open(data: &Path, puts: &Arc<AtomicUsize>, destroys: &Arc<AtomicUsize>) -> House {
    open_with(data, puts, destroys, options(data, FaultPoints::default()))
}

fn open_with(
    data: &Path,
    puts: &Arc<AtomicUsize>,
    destroys: &Arc<AtomicUsize>,
    options: PipelineOptions,
) -> House {
    let roots = Box::new(Flaky {
        keys: FileRootStore::new(data.join("root.key")),
        puts: Arc::clone(puts),
        destroys: Arc::clone(destroys),
    });
    let vault = Vault::open_with(&data.join("vault"), roots, VaultOptions::default()).unwrap();
    let letters = Arc::new(Letters::default()) as Arc<dyn DeadLetters>;
    House::over(vault, data, START_NS, options, letters, || ()).unwrap()
}

#[test]
fn it_is_done_when_the_old_key_is_gone_and_tried_until_then() {
    for (puts, destroys) in [(2, 0), (0, 2), (1, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let (fail_puts, fail_destroys) = (Arc::default(), Arc::default());
        let house = open(data, &fail_puts, &fail_destroys);
        house.send(0, &history("a", &["account:1"]));
        house.send(0, &history("b", &["account:2"]));
        house.reviewed();
        let (gone, stays) = (person(&house, "account:1"), person(&house, "account:2"));
        fail_puts.store(puts, Ordering::SeqCst);
        fail_destroys.store(destroys, Ordering::SeqCst);
        let failed = house.pipeline.registrar().erase(order(&[gone]));
        assert!(matches!(failed, Err(EraseError::Vault(_))), "{failed:?}");
        assert!(!kinds(&house).contains(&"erasure_done"));
        // Until there is another key the person is as before, and everybody goes on.
        let more = said("more", "use", "2024-05-05T12:00:00Z", &["account:1"], USE);
        house.send(1, &[more]);
        let done = comes_to(&house, ErasureState::Done).done.unwrap();
        assert_eq!((done.persons, done.generation), (1, 2));
        // However often it was tried.
        let began = kinds(&house);
        let began = began.iter().filter(|kind| **kind == "erasure_started");
        assert_eq!(began.count(), 1);
        assert_eq!(fail_puts.load(Ordering::SeqCst), 0);
        assert_eq!(fail_destroys.load(Ordering::SeqCst), 0);
        let kept = FileRootStore::new(data.join("root.key")).get().unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].generation(), 2);
        assert!(house.vault.person(&gone).unwrap().is_none());
        let rows = settled(house, data);
        assert!(!is_in(&rows, &gone));
        assert!(is_in(&rows, &stays));
    }
}

#[test]
fn while_the_place_of_the_keys_is_gone_one_is_tried_and_not_all() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (puts, destroys) = (Arc::default(), Arc::default());
    let patient = || {
        let mut options = options(data, FaultPoints::default());
        options.erase.retry = Duration::from_secs(3_600);
        options
    };
    let house = open_with(data, &puts, &destroys, patient());
    let ids = ["account:1", "account:2", "account:3"];
    for id in ids {
        house.send(0, &history(id, &[id]));
    }
    puts.store(100, Ordering::SeqCst);
    for id in ids {
        let order = order(&[person(&house, id)]);
        house.pipeline.registrar().erase(order).unwrap_err();
    }
    house.close();
    let before = puts.load(Ordering::SeqCst);
    let house = open_with(data, &puts, &destroys, patient());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(before - puts.load(Ordering::SeqCst), 1);
    house.close();
    puts.store(0, Ordering::SeqCst);
    let house = open_with(data, &puts, &destroys, patient());
    let erasures = house.pipeline.registrar().erasures();
    let is_done = |one: &ErasureStatus| one.state == ErasureState::Done;
    assert!(erasures.iter().all(is_done), "{erasures:?}");
    settled(house, data);
}
