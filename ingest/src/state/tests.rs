//! The table and the store against a plain list of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custody_ledger::{Digest, EntryRef, EventTag, Head, Ledger, LedgerOptions, ShardId};
use custody_policy::SubjectState;
use custody_vault::{Person, Vault, VaultOptions};
use proptest::prelude::*;

use super::effect::changes;
use super::{Arrival, Effect, Origin, Reference, Settled, SubjectStates};
use crate::normalise::{NormalisedEvent, normalise};
use crate::{DecodeLimits, RawMessage, decode, project};

mod forget;
mod marks;

const NOW_NS: i64 = 1_750_000_000_000_000_000;

struct World {
    dir: tempfile::TempDir,
    ledger: Ledger,
    vault: Vault,
    states: SubjectStates,
}

impl World {
    fn new(cache_states: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(
            &dir.path().join("vault"),
            &dir.path().join("root.key"),
            VaultOptions::default(),
        )
        .unwrap();
        let options = LedgerOptions {
            segment_bytes: 64 << 10,
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open(&dir.path().join("ledger"), options).unwrap();
        let path = dir.path().join("state");
        let states = SubjectStates::open(&path, &ledger, vault.clone(), cache_states).unwrap();
        Self {
            dir,
            ledger,
            vault,
            states,
        }
    }

    fn person(&self, ids: &[&str]) -> Person {
        self.vault.admit(ids).unwrap().person
    }

    /// Judges and applies an event as a shard does, and tells its effect.
    fn apply(&self, person: &Person, said: &Said) -> Effect {
        let (event, origin) = said.of(person);
        let mut session = self
            .states
            .enter(person.reference(), Arrival::Known, false)
            .unwrap();
        session.apply(&event.facts().unwrap(), &origin);
        session.conclude(event, origin, said.is_judged, None)
    }

    fn settle(&self, effects: Vec<Effect>) {
        let shard = effects[0].at.shard;
        let block = Settled::block(head(shard, effects.len() as u64), effects);
        self.states.settle(vec![block], |_, _| Ok(())).unwrap();
    }

    fn stored(&self, person: &Person) -> Known {
        known(&self.states.stored(&person.reference()).unwrap())
    }

    fn now(&self, person: &Person) -> Known {
        known(&self.states.now(person.reference()).unwrap().0)
    }

    fn at_work(&self) -> usize {
        self.states.parts.iter().map(|part| part.lock().len()).sum()
    }
}

fn head(shard: ShardId, size: u64) -> Head {
    Head {
        shard,
        blocks: 1,
        size,
        next_offset: None,
        chain_head: Digest([0; 32]),
        block_digest: Digest([1; 32]),
        recorded_time_ns: NOW_NS,
        epoch: 0,
    }
}

/// What is said, and where it will stand.
#[derive(Clone, Debug)]
struct Said {
    at: EntryRef,
    minute: u8,
    kind: &'static str,
    is_judged: bool,
}

impl Said {
    fn consent(shard: u8, sequence: u64, minute: u8) -> Self {
        Self {
            kind: "consent_given",
            ..Self::erasure(shard, sequence, minute)
        }
    }

    fn erasure(shard: u8, sequence: u64, minute: u8) -> Self {
        Self {
            at: EntryRef {
                shard: ShardId([shard; 16]),
                sequence,
            },
            minute,
            kind: "erasure",
            is_judged: false,
        }
    }

    fn of(&self, person: &Person) -> (NormalisedEvent, Origin) {
        let more = match self.kind {
            "collection" => r#""purposes":["orders"],"collection":{"origin":"subject"}"#,
            "use" => r#""use":{"operation":"dpv:Analyse"}"#,
            "consent_given" => r#""consent":{"scope":["custody:marketing"]}"#,
            _ => r#""erasure":{}"#,
        };
        let payload = format!(
            r#"{{"specversion":"1.0","id":"{}-{}","source":"//model.example","type":"custody.{}.v1",
            "time":"2024-05-01T12:{:02}:00Z","data":{{"subject":{{"ids":["account:1"]}},{more}}}}}"#,
            self.at.shard, self.at.sequence, self.kind, self.minute
        );
        let message = RawMessage {
            topic: Arc::from("events"),
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            headers: Vec::new(),
            payload: Some(payload.into_bytes()),
        };
        let event = normalise(decode(&message, &DecodeLimits::default(), NOW_NS).unwrap()).unwrap();
        let tag = |source: &str, id: &str| EventTag(person.tag(source, id));
        let entry = project(&event, &message, None, &tag);
        let origin = Origin::new(&event, &entry, self.at, person);
        (event, origin)
    }

    /// Applies it plainly.
    fn onto(&self, person: &Person, state: &mut SubjectState) {
        let (event, origin) = self.of(person);
        let facts = event.facts().unwrap();
        if changes(&facts) {
            state.apply(&facts, origin.provenance());
        }
    }
}

/// What a state holds, whatever the order in which it came: shards' events come
/// in any.
type Known = Vec<u8>;

fn known(state: &SubjectState) -> Known {
    let mut bytes = state.encode();
    bytes.sort_unstable();
    bytes
}

fn plain<'a>(person: &Person, said: impl IntoIterator<Item = &'a Said>) -> Known {
    let mut state = SubjectState::default();
    for said in said {
        said.onto(person, &mut state);
    }
    known(&state)
}

#[test]
fn what_is_not_durable_is_known_and_not_stored() {
    let world = World::new(100);
    let person = world.person(&["account:1"]);
    let (a, b) = (Said::erasure(1, 0, 10), Said::erasure(2, 0, 20));
    let first = world.apply(&person, &a);
    let second = world.apply(&person, &b);
    assert_eq!(world.now(&person), plain(&person, [&a, &b]));
    assert_eq!(world.stored(&person), plain(&person, []));
    // The second one's block is durable before the first one's.
    world.settle(vec![second]);
    assert_eq!(world.stored(&person), plain(&person, [&b]));
    assert_eq!(world.now(&person), plain(&person, [&a, &b]));
    assert_eq!(world.at_work(), 1);
    world.settle(vec![first]);
    assert_eq!(world.stored(&person), plain(&person, [&a, &b]));
    assert_eq!(world.at_work(), 0);
    assert_ne!(plain(&person, [&a]), plain(&person, [&a, &b]));
}

#[test]
fn states_that_left_memory_are_read_again() {
    let world = World::new(1);
    let persons: Vec<Person> = (0..40)
        .map(|n| world.person(&[&format!("account:{n}")]))
        .collect();
    let mut expected = Vec::new();
    for round in 0..2_u64 {
        for (person, n) in persons.iter().zip(0_u64..) {
            let said = Said::erasure(1, round * 40 + n, n as u8);
            let effect = world.apply(person, &said);
            world.settle(vec![effect]);
            expected.push((person.clone(), said));
        }
    }
    for person in &persons {
        let said: Vec<&Said> = expected
            .iter()
            .filter(|(of, _)| of.reference() == person.reference())
            .map(|(_, said)| said)
            .collect();
        assert_eq!(said.len(), 2);
        assert_eq!(world.now(person), plain(person, said));
    }
}

/// Four threads, three persons, two of them linked: no update is lost, nobody
/// waits for ever.
#[test]
fn threads_that_meet_one_person_lose_nothing() {
    const EVENTS: u64 = 150;
    let world = World::new(2);
    world.person(&["account:1"]);
    world.person(&["account:2"]);
    let linked = world.vault.admit(&["account:1", "account:2"]).unwrap();
    assert_eq!(linked.linked.len(), 1);
    let reference = linked.person.reference();
    world
        .states
        .enter(reference, Arrival::Known, true)
        .unwrap()
        .leave();
    let persons = [
        world.person(&["account:1"]),
        world.person(&["account:2"]),
        world.person(&["account:3"]),
    ];
    let said = |thread: u64, n: u64| Said::erasure(thread as u8 + 1, n, (n % 60) as u8);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (world, persons) = (&world, &persons);
            scope.spawn(move || {
                let mut effects = Vec::new();
                for n in 0..EVENTS {
                    let person = &persons[((n + thread) % 3) as usize];
                    effects.push(world.apply(person, &said(thread, n)));
                    if effects.len() == 7 {
                        world.settle(std::mem::take(&mut effects));
                    }
                }
                world.settle(effects);
            });
        }
    });
    let mut expected: BTreeMap<Reference, SubjectState> = BTreeMap::new();
    for thread in 0..4 {
        for n in 0..EVENTS {
            let person = &persons[((n + thread) % 3) as usize];
            said(thread, n).onto(person, expected.entry(person.reference()).or_default());
        }
    }
    assert_eq!(world.at_work(), 0);
    for person in &persons {
        assert!(world.stored(person) == known(&expected[&person.reference()]));
    }
    let mut both = expected[&persons[0].reference()].clone();
    both.merge(&expected[&persons[1].reference()]);
    let both = known(&both);
    assert!(world.now(&persons[0]) == both);
    assert!(world.now(&persons[1]) == both);
    assert!(world.now(&persons[2]) == known(&expected[&persons[2].reference()]));
}

#[test]
fn a_store_of_another_ledger_is_made_anew() {
    let world = World::new(10);
    let person = world.person(&["account:1"]);
    let effect = world.apply(&person, &Said::erasure(1, 0, 10));
    world.settle(vec![effect]);
    let World {
        dir,
        ledger,
        vault,
        states,
    } = world;
    // The block that the store rests on is in no ledger.
    drop(states);
    let path = dir.path().join("state");
    let states = SubjectStates::open(&path, &ledger, vault, 10).unwrap();
    assert!(states.store.positions().unwrap().is_empty());
    assert_eq!(
        states.stored(&person.reference()).unwrap(),
        SubjectState::default()
    );
}

#[test]
fn a_state_that_cannot_be_read_stops_nobody_and_is_made_again() {
    let World {
        dir,
        ledger,
        vault,
        mut states,
    } = World::new(10);
    let path = dir.path().join("state");
    let admit = |id: &str| vault.admit(&[id]).unwrap().person;
    let [damaged, old, whole] = ["account:1", "account:2", "account:3"].map(admit);
    let seal = |person: &Person, plain: &[u8]| person.seal_state(ledger.id().0, plain).unwrap();
    for (person, row) in [
        (&damaged, vec![7; 100]),
        // What an earlier encoding wrote.
        (&old, seal(&old, &[1, 0, 0, 0])),
    ] {
        let good = seal(&whole, &SubjectState::default().encode());
        let mut batch = states.store.batch();
        batch.state(&person.reference(), row);
        batch.state(&whole.reference(), good);
        batch.commit().unwrap();
        assert_eq!(
            states.stored(&whole.reference()).unwrap(),
            SubjectState::default()
        );
        assert!(!states.is_lost(&[person.reference(), whole.reference()]));
        assert!(states.now(person.reference()).unwrap().0.is_empty());
        assert!(states.is_lost(&[whole.reference(), person.reference()]));
        assert!(!states.is_lost(&[whole.reference()]));
        for _ in 0..2 {
            drop(states);
            states = SubjectStates::open(&path, &ledger, vault.clone(), 10).unwrap();
            assert!(states.store.state(&person.reference()).unwrap().is_none());
            assert!(!states.is_lost(&[person.reference()]));
        }
    }
}

#[test]
fn a_store_of_an_earlier_format_is_made_again() {
    let World {
        dir,
        ledger,
        vault,
        states,
    } = World::new(10);
    let mut batch = states.store.batch();
    batch.state(&[1; 16], vec![7; 100]);
    batch.commit().unwrap();
    states.store.stamp_as("custody state 1");
    drop(states);
    let open =
        || SubjectStates::open(&dir.path().join("state"), &ledger, vault.clone(), 10).unwrap();
    // One that was cut short is still one from nothing.
    for _ in 0..2 {
        let states = open();
        assert!(states.store.state(&[1; 16]).unwrap().is_none());
        assert!(states.store.is_from_nothing().unwrap());
    }
    let ruleset = Digest([0; 32]);
    open()
        .catch_up(&ledger, ruleset, &|_| false, |_, _| Ok(()))
        .unwrap();
    assert!(!open().store.is_from_nothing().unwrap());
}

#[derive(Clone, Debug)]
enum Step {
    /// A person, a shard, a minute, a kind.
    Event(u8, u8, u8, u8),
    /// The shard's events so far are durable.
    Settle(u8),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_plain_lists(
        steps in prop::collection::vec(
            prop_oneof![
                4 => (0u8..3, 1u8..4, 0u8..60, 0u8..3).prop_map(|(p, s, m, k)| Step::Event(p, s, m, k)),
                1 => (1u8..4).prop_map(Step::Settle),
            ],
            1..60,
        ),
        cache in 1usize..4,
    ) {
        let world = World::new(cache);
        let persons: Vec<Person> =
            (0..3).map(|n| world.person(&[&format!("account:{n}")])).collect();
        let mut applied: Vec<Vec<Said>> = vec![Vec::new(); 3];
        let mut durable: Vec<Vec<Said>> = vec![Vec::new(); 3];
        let mut open: BTreeMap<u8, Vec<(usize, Said, Effect)>> = BTreeMap::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Event(person, shard, minute, kind) => {
                    let person = usize::from(person);
                    let kind = ["erasure", "collection", "use"][usize::from(kind)];
                    let said = Said {
                        kind,
                        is_judged: kind != "erasure",
                        ..Said::erasure(shard, next, minute)
                    };
                    next += 1;
                    let reference = persons[person].reference();
                    let session = world.states.enter(reference, Arrival::Known, false).unwrap();
                    let before = plain(&persons[person], &applied[person]);
                    prop_assert_eq!(known(session.state()), before);
                    let time = said.of(&persons[person]).0.time_ns();
                    let later = applied[person].iter().any(|known| {
                        known.is_judged && known.of(&persons[person]).0.time_ns() > time
                    });
                    prop_assert_eq!(session.is_late(time), later);
                    session.leave();
                    let effect = world.apply(&persons[person], &said);
                    let waits = effect.review.as_ref().map_or(0, |review| review.wait.len());
                    let in_flight = open.values().flatten().filter(|(of, said, _)| {
                        *of == person
                            && said.is_judged
                            && said.of(&persons[person]).0.time_ns() > time
                    });
                    if effect.changes {
                        prop_assert_eq!(effect.review.is_some(), later);
                        let shards: BTreeSet<_> = in_flight.map(|(_, said, _)| said.at.shard).collect();
                        prop_assert_eq!(waits, shards.len());
                    }
                    applied[person].push(said.clone());
                    open.entry(shard).or_default().push((person, said, effect));
                }
                Step::Settle(shard) => {
                    let done = open.remove(&shard).unwrap_or_default();
                    if done.is_empty() {
                        continue;
                    }
                    let mut effects = Vec::new();
                    for (person, said, effect) in done {
                        durable[person].push(said);
                        effects.push(effect);
                    }
                    world.settle(effects);
                }
            }
            for (n, person) in persons.iter().enumerate() {
                prop_assert_eq!(world.now(person), plain(person, &applied[n]));
                prop_assert_eq!(world.stored(person), plain(person, &durable[n]));
            }
        }
        for (n, person) in persons.iter().enumerate() {
            let rows = world.states.store.judged_after(&person.reference(), i64::MIN);
            let rows: Vec<_> = rows.map(|row| row.unwrap().at).collect();
            let judged = durable[n].iter().filter(|said| said.is_judged).count();
            prop_assert_eq!(rows.len(), judged);
        }
    }
}
