//! One person, held by who judges an event of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use custody_policy::{Facts, SubjectState};
use parking_lot::MutexGuard;

use super::effect::{self, Applied, Effect, Op, Origin, Review};
use super::table::{Known, NEVER, Part, Slot, SubjectStates, index};
use super::{Reference, StateError};
use crate::normalise::NormalisedEvent;

/// What is known of somebody of whom nothing is.
static NOTHING: LazyLock<SubjectState> = LazyLock::new(SubjectState::default);

/// The locks of one part or of several.
pub(super) enum Guards<'a> {
    One(MutexGuard<'a, Part>),
    Many(Vec<(usize, MutexGuard<'a, Part>)>),
}

impl Guards<'_> {
    pub(super) fn of(&mut self, reference: &Reference) -> Option<&mut Part> {
        match self {
            Self::One(part) => Some(part),
            Self::Many(parts) => parts
                .iter_mut()
                .find(|(held, _)| *held == index(reference))
                .map(|(_, part)| &mut **part),
        }
    }

    pub(super) fn slot(&mut self, reference: &Reference) -> Option<&mut Slot> {
        self.of(reference)?.get_mut(reference)
    }
}

/// A person held: nobody else judges or changes them meanwhile.
pub(crate) struct Session<'a> {
    states: &'a SubjectStates,
    guards: Guards<'a>,
    reference: Reference,
    others: Option<Arc<[Reference]>>,
    /// Gone once something was applied.
    view: Option<Arc<SubjectState>>,
    latest_judged_ns: i64,
    applied: Applied,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        states: &'a SubjectStates,
        mut guards: Guards<'a>,
        reference: Reference,
        others: Option<Arc<[Reference]>>,
    ) -> Self {
        let own = guards.slot(&reference).map(|slot| slot.known.clone());
        let Known {
            state: mut view,
            mut latest_judged_ns,
            ..
        } = own.unwrap_or_default();
        for other in others.iter().flat_map(|others| others.iter()) {
            if let Some(slot) = guards.slot(other) {
                Arc::make_mut(&mut view).merge(&slot.known.state);
                latest_judged_ns = latest_judged_ns.max(slot.known.latest_judged_ns);
            }
        }
        Self {
            states,
            guards,
            reference,
            others,
            view: Some(view),
            latest_judged_ns,
            applied: Applied::default(),
        }
    }

    /// What is known of the person, all linked references taken together,
    /// before the event is applied.
    pub(crate) fn state(&self) -> &SubjectState {
        self.view.as_deref().unwrap_or(&NOTHING)
    }

    /// References of the same person.
    pub(crate) fn others(&self) -> &[Reference] {
        self.others.as_deref().unwrap_or_default()
    }

    /// Those of the others of whom neither the house shard nor `linked` says that
    /// they are the same person: the process ended between the vault and the house
    /// shard. Told once.
    pub(crate) fn unsaid(
        &mut self,
        linked: &[(Reference, Reference)],
    ) -> Result<Vec<Reference>, StateError> {
        let Some(others) = self.others.clone() else {
            return Ok(Vec::new());
        };
        let slot = self.guards.slot(&self.reference);
        if slot.is_none_or(|slot| slot.known.links_are_said) {
            return Ok(Vec::new());
        }
        let mut said = BTreeSet::new();
        let mut unsaid = Vec::new();
        self.reach(self.reference, linked, &mut said)?;
        for other in others.iter() {
            if !said.contains(other) {
                unsaid.push(*other);
                self.reach(*other, linked, &mut said)?;
            }
        }
        for member in std::iter::once(&self.reference).chain(others.iter()) {
            if let Some(slot) = self.guards.slot(member) {
                slot.known.links_are_said = true;
            }
        }
        Ok(unsaid)
    }

    /// Everybody whom links that are said lead to.
    fn reach(
        &self,
        from: Reference,
        linked: &[(Reference, Reference)],
        said: &mut BTreeSet<Reference>,
    ) -> Result<(), StateError> {
        let mut next = vec![from];
        while let Some(member) = next.pop() {
            if !said.insert(member) {
                continue;
            }
            next.extend(self.states.store.links(&member)?);
            for (a, b) in linked {
                next.extend((*a == member).then_some(*b));
                next.extend((*b == member).then_some(*a));
            }
        }
        Ok(())
    }

    /// Whether an event of this time comes after a later one was judged. Known
    /// from the rows of judged entries and not from the state, which would have
    /// to be sealed anew for every event that is judged.
    pub(crate) fn is_late(&self, time_ns: i64) -> bool {
        time_ns < self.latest_judged_ns
    }

    /// Applies an event to the person's own state; the next one sees it.
    pub(crate) fn apply(&mut self, facts: &Facts<'_>, origin: &Origin) {
        if !effect::changes(facts) {
            return;
        }
        // So that the state need not be copied for this pointer's sake.
        self.view = None;
        if let Some(slot) = self.guards.slot(&self.reference) {
            self.applied = effect::apply(&mut slot.known.state, facts, origin);
        }
    }

    /// Lets the person go. What is to be done when the event is durable is
    /// told; the caller must see to it that [`SubjectStates::settle`] gets it.
    pub(crate) fn conclude(
        mut self,
        event: NormalisedEvent,
        origin: Origin,
        judged: bool,
        marked_day: Option<i32>,
    ) -> Effect {
        let time_ns = event.time_ns();
        let at = origin.at;
        let review = self.review(time_ns, &origin);
        if let Some(slot) = self.guards.slot(&self.reference) {
            if judged {
                slot.known.latest_judged_ns = slot.known.latest_judged_ns.max(time_ns);
                slot.judged.push((time_ns, at));
            }
            if self.applied.changed {
                slot.ops.push(Op::new(event, origin));
            }
        }
        let effect = Effect {
            at,
            time_ns,
            subject: Some(self.reference),
            judged,
            changes: self.applied.changed,
            review,
            duties: Vec::new(),
            marked_day,
        };
        if effect.is_the_states()
            && let Some(slot) = self.guards.slot(&self.reference)
        {
            slot.waiting += 1;
        }
        self.leave();
        effect
    }

    /// What was judged without knowing of this event.
    fn review(&mut self, time_ns: i64, origin: &Origin) -> Option<Review> {
        let from_ns = if origin.is_retraction() {
            NEVER
        } else {
            time_ns
        };
        if !self.applied.bears || self.latest_judged_ns <= from_ns {
            return None;
        }
        let mut wait = BTreeMap::new();
        let others = self.others.clone().unwrap_or_default();
        for member in std::iter::once(&self.reference).chain(others.iter()) {
            if let Some(slot) = self.guards.slot(member) {
                for (_, at) in slot.judged.iter().filter(|(time, _)| *time > from_ns) {
                    let last = wait.entry(at.shard).or_insert(at.sequence);
                    *last = at.sequence.max(*last);
                }
            }
        }
        Some(Review {
            cause: origin.at,
            subject: self.reference,
            from_ns,
            wait,
        })
    }

    /// Lets the person go with nothing done.
    pub(crate) fn leave(mut self) {
        let others = self.others.take().unwrap_or_default();
        for member in std::iter::once(&self.reference).chain(others.iter()) {
            if let Some(part) = self.guards.of(member) {
                self.states.rest(part, member);
            }
        }
    }
}
