//! Who starts as erased does so whichever shard was first.

use custody_policy::SubjectState;

use super::super::Arrival;
use super::{Effect, Said, World};
use crate::state::Reference;

const DAY: i32 = 20_000;

/// An event that says first that the person starts as erased.
fn marks(world: &World, id: &str, said: &Said) -> Effect {
    let person = world.person(&[id]);
    let (event, origin) = said.of(&person);
    let arrival = Arrival::Marked(DAY);
    let mut session = world
        .states
        .enter(person.reference(), arrival, false)
        .unwrap();
    session.apply(&event.facts().unwrap(), &origin);
    session.conclude(event, origin, said.is_judged, Some(DAY))
}

/// The state with the mark and without it.
fn with_mark(world: &World, reference: &Reference, said: &[&Said]) -> SubjectState {
    let person = world.vault.person(reference).unwrap().unwrap();
    let mut state = SubjectState::erased_on(DAY);
    for said in said {
        let (event, origin) = said.of(&person);
        state.apply(&event.facts().unwrap(), origin.provenance());
    }
    state
}

#[test]
fn a_mark_comes_after_an_event_of_another_shard() {
    for settled_first in [false, true] {
        for cache_states in [1, 10] {
            for is_judged_only in [false, true] {
                let world = World::new(cache_states);
                let person = world.person(&["account:1"]);
                let reference = person.reference();
                let other = Said::erasure(2, 0, 10);
                let mut first = Said::erasure(1, 0, 20);
                if is_judged_only {
                    first.kind = "use";
                    first.is_judged = true;
                }
                let of_other = world.apply(&person, &other);
                let mut waiting = Some(of_other);
                if settled_first {
                    world.settle(waiting.take().into_iter().collect());
                    // Somebody else rests in memory now.
                    world.apply(&world.person(&["account:2"]), &Said::erasure(3, 0, 1));
                }
                let marked = marks(&world, "account:1", &first);
                let mut of_both = vec![&other, &first];
                of_both.retain(|said| said.kind != "use");
                let expected = with_mark(&world, &reference, &of_both);
                assert_eq!(world.states.now(reference).unwrap().0, expected);
                if let Some(of_other) = waiting {
                    world.settle(vec![of_other]);
                }
                world.settle(vec![marked]);
                assert_eq!(world.states.stored(&reference).unwrap(), expected);
                assert_eq!(world.states.now(reference).unwrap().0, expected);
                assert_eq!(world.states.store.marked(&reference).unwrap(), Some(DAY));
                // The state itself has it, as it has when it is made from nothing.
                let sealed = world.states.store.state(&reference).unwrap().unwrap();
                let plain = person.open_state(world.states.ledger, sealed.as_ref());
                let state = SubjectState::decode(&plain.unwrap()).unwrap();
                assert_eq!(state, expected);
            }
        }
    }
}

/// What came late stays where it came, as it does in a state made from nothing.
#[test]
fn reading_a_state_leaves_its_order() {
    let world = World::new(1);
    let person = world.person(&["account:1"]);
    let late = [Said::consent(1, 0, 30), Said::consent(1, 1, 10)];
    for said in &late {
        let effect = world.apply(&person, said);
        world.settle(vec![effect]);
        // Somebody else rests in memory now, so that the next look is at the store.
        world.apply(&world.person(&["account:2"]), &Said::erasure(3, 0, 1));
    }
    let mut expected = SubjectState::default();
    for said in &late {
        let (event, origin) = said.of(&person);
        expected.apply(&event.facts().unwrap(), origin.provenance());
    }
    assert_eq!(world.states.stored(&person.reference()).unwrap(), expected);
}

#[test]
fn a_mark_that_the_house_shard_alone_has_counts_for_a_state_that_is_there() {
    let world = World::new(1);
    let person = world.person(&["account:1"]);
    let other = Said::erasure(2, 0, 10);
    let effect = world.apply(&person, &other);
    world.settle(vec![effect]);
    let mut batch = world.states.store.batch();
    batch.marked(&person.reference(), DAY);
    batch.commit().unwrap();
    let expected = with_mark(&world, &person.reference(), &[&other]);
    assert_eq!(world.states.stored(&person.reference()).unwrap(), expected);
}
