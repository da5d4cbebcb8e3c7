//! What is registered of organisations, as an answer shows it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use custody_ledger::entry::PartyPart;
use custody_proto::v1;

use super::QueryState;
use super::error::QueryError;
use crate::read_model::{Destination, Party, Recipient, Visible};

/// Organisations as they were known up to a head, at a recorded time.
pub(crate) struct Registry<'a> {
    pub(crate) state: &'a QueryState,
    head: &'a Visible,
    recorded_until_ns: i64,
    parties: RefCell<HashMap<String, Rc<Party>>>,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(state: &'a QueryState, head: &'a Visible, recorded_until_ns: i64) -> Self {
        Self {
            state,
            head,
            recorded_until_ns,
            parties: RefCell::default(),
        }
    }

    /// What is registered of an organisation; empty where nothing is.
    pub(crate) fn registered(&self, id: &str) -> Result<Rc<Party>, QueryError> {
        if id.is_empty() {
            return Ok(Rc::default());
        }
        if let Some(party) = self.parties.borrow().get(id) {
            return Ok(Rc::clone(party));
        }
        let party = self
            .state
            .read_model
            .party(id, self.head, self.recorded_until_ns)?;
        let party = Rc::new(party.unwrap_or_default());
        self.parties
            .borrow_mut()
            .insert(id.to_owned(), Rc::clone(&party));
        Ok(party)
    }

    /// The country that data went to, of a kept row.
    pub(crate) fn destination(
        &self,
        recipient: &Recipient,
        destination: Destination,
    ) -> Result<String, QueryError> {
        match destination {
            Destination::Said(country) => Ok(country),
            Destination::Registered => Ok(self.registered(&recipient.id)?.country.clone()),
        }
    }

    /// What an answer shows of a party: the registered name, and category and
    /// country as the event says them or else as they are registered.
    pub(crate) fn counterparty(&self, party: &PartyPart) -> Result<v1::Counterparty, QueryError> {
        let registered = self.registered(&party.id)?;
        let or = |said: &str, registered: &str| {
            if said.is_empty() { registered } else { said }.to_owned()
        };
        Ok(v1::Counterparty {
            id: party.id.clone(),
            name: registered.name.clone(),
            category: or(&party.category, &registered.category),
            country: or(&party.country, &registered.country),
            person: party.person,
        })
    }
}
