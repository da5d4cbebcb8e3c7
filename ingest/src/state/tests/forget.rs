//! Nothing of who was erased stays.

use custody_ledger::{EntryRef, ShardId};
use custody_vault::Person;

use super::super::Arrival;
use super::super::store::{JudgedRow, ReviewRow};
use super::World;

#[test]
fn of_who_is_forgotten_nothing_is_left_in_memory_or_on_disk() {
    let world = World::new(10);
    let gone = world.person(&["account:1"]);
    let stays = world.person(&["account:2"]);
    for person in [&gone, &stays] {
        let reference = person.reference();
        // One rests, and is awake once more.
        world
            .states
            .enter(reference, Arrival::Known, false)
            .unwrap()
            .leave();
        let other = reference.map(|byte| !byte);
        let mut batch = world.states.store.batch();
        let at = EntryRef {
            shard: ShardId(reference),
            sequence: 3,
        };
        batch.state(&reference, vec![7; 100]);
        let row = JudgedRow {
            time_ns: 5,
            at,
            height: 1,
        };
        batch.judged(&reference, &row);
        batch.rejudged(at, 1, 1);
        batch.marked(&reference, 3);
        batch.link(&reference, &other);
        batch.review(&ReviewRow {
            cause: at,
            subject: reference,
            from_ns: 1,
        });
        batch.commit().unwrap();
    }
    world
        .states
        .forget(&[gone.reference()], |_| Ok(()))
        .unwrap();
    let known = |person: &Person| {
        let reference = person.reference();
        let store = &world.states.store;
        let at = EntryRef {
            shard: ShardId(reference),
            sequence: 3,
        };
        [
            world.states.idle.get(&reference).is_some(),
            store.state(&reference).unwrap().is_some(),
            store.latest_judged(&reference).unwrap().is_some(),
            store.rejudged(at).unwrap().is_some(),
            store.marked(&reference).unwrap().is_some(),
            !store.links(&reference).unwrap().is_empty(),
            !store
                .links(&reference.map(|byte| !byte))
                .unwrap()
                .is_empty(),
            store
                .reviews()
                .unwrap()
                .iter()
                .any(|row| row.subject == reference),
        ]
    };
    assert_eq!(known(&gone), [false; 8]);
    assert_eq!(known(&stays), [true; 8]);
    assert_eq!(world.at_work(), 0);
}
