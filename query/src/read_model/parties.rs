//! Organisations that were asked about, in memory: answers of a thousand rows
//! name a few dozen of them, the same again and again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ReadModelError;
use super::row::PartyRow;
use super::store::Store;

/// So many organisations are remembered at most.
const KNOWN: usize = 10_000;

/// An organisation's registrations, with their numbers in the house shard.
pub(super) type Registrations = Arc<[(u64, PartyRow)]>;

#[derive(Default)]
struct Known {
    /// How often everything was forgotten.
    generation: u64,
    parties: HashMap<String, Registrations>,
}

/// Organisations that were asked about.
#[derive(Default)]
pub(super) struct Parties(Mutex<Known>);

impl Parties {
    /// The registrations of an organisation, in the order of the house shard.
    pub(super) fn of(&self, store: &Store, id: &str) -> Result<Registrations, ReadModelError> {
        let generation = {
            let known = self.0.lock();
            if let Some(registrations) = known.parties.get(id) {
                return Ok(Arc::clone(registrations));
            }
            known.generation
        };
        let registrations: Registrations = store.parties(id)?.into();
        let mut known = self.0.lock();
        // What was read before something was forgotten may lack what came.
        if known.generation == generation {
            if known.parties.len() >= KNOWN {
                known.parties.clear();
            }
            known
                .parties
                .insert(id.to_owned(), Arc::clone(&registrations));
        }
        Ok(registrations)
    }

    /// Called when registrations were written, before anybody may see them.
    pub(super) fn forget(&self) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.parties.clear();
    }
}
