//! What an entry says, as far as rows follow from it: read in place where it
//! can be, else from the whole entry.

use bincode::Encode;
use bincode::enc::Encoder;
use bincode::error::EncodeError;
use custody_ledger::entry::{
    self, Act, ActView, Entry, EntryRef, EntryView, HouseRecord, Outcome, PartyPart, PartyView,
};
use custody_ledger::id::{EventTag, SubjectReference};

use super::ReadModelError;
use super::key::Place;

/// Texts of an entry, wherever they stand.
#[derive(Clone, Copy, Default)]
pub(super) struct Texts<'a> {
    stored: entry::Texts<'a>,
    owned: &'a [String],
}

impl<'a> Texts<'a> {
    pub(super) fn owned(owned: &'a [String]) -> Self {
        Self {
            stored: entry::Texts::default(),
            owned,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let owned = self.owned.iter().map(String::as_str);
        self.stored.iter().chain(owned)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.owned.is_empty()
    }

    /// Each of them once, in order.
    pub(super) fn distinct(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let all = *self;
        let said = all.iter().enumerate();
        said.filter(move |(index, text)| !all.iter().take(*index).any(|earlier| earlier == *text))
            .map(|(_, text)| text)
    }
}

impl std::fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As a list of texts is encoded.
impl Encode for Texts<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let count = self.stored.len() + self.owned.len();
        (count as u64).encode(encoder)?;
        self.iter().try_for_each(|text| text.encode(encoder))
    }
}

/// What an entry says.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) kind_code: u8,
    pub(super) subject: Option<SubjectReference>,
    pub(super) event_tag: Option<EventTag>,
    stored_parents: &'a [[u8; 16]],
    owned_parents: &'a [EventTag],
    pub(super) controller: &'a str,
    pub(super) purposes: Texts<'a>,
    pub(super) categories: Texts<'a>,
    pub(super) legal_basis: &'a str,
    pub(super) location: &'a str,
    /// At ingest.
    pub(super) outcome: Outcome,
    /// `None` too of what only [`Said::house`] says, or nothing here.
    pub(super) act: ActView<'a>,
    pub(super) house: Option<&'a HouseRecord>,
}

impl<'a> Said<'a> {
    /// Reads an entry; `whole` is where it is put that cannot be read in place.
    pub(super) fn read(
        bytes: &'a [u8],
        whole: &'a mut Option<Entry>,
    ) -> Result<Self, ReadModelError> {
        let damaged = |_| ReadModelError::DamagedRow { rows: "events" };
        match EntryView::read(bytes).map_err(damaged)? {
            Some(view) => Ok(Self::of_view(&view)),
            None => Ok(Self::of(
                whole.insert(Entry::decode(bytes).map_err(damaged)?),
            )),
        }
    }

    pub(super) fn of_view(view: &EntryView<'a>) -> Self {
        Self {
            kind_code: view.kind_code,
            subject: view.subject,
            event_tag: view.event_tag,
            stored_parents: view.parent_tags,
            owned_parents: &[],
            controller: view.controller,
            purposes: Texts {
                stored: view.purposes,
                owned: &[],
            },
            categories: Texts {
                stored: view.categories,
                owned: &[],
            },
            legal_basis: view.legal_basis,
            location: view.location,
            outcome: view.outcome,
            act: view.act,
            house: None,
        }
    }

    pub(super) fn of(entry: &'a Entry) -> Self {
        Self {
            kind_code: entry.kind_code,
            subject: entry.subject,
            event_tag: entry.event_tag,
            stored_parents: &[],
            owned_parents: &entry.parent_tags,
            controller: &entry.controller,
            purposes: Texts::owned(&entry.purposes),
            categories: Texts::owned(&entry.categories),
            legal_basis: &entry.legal_basis,
            location: &entry.location,
            outcome: Outcome::from_code(entry.judgement.outcome_code).unwrap_or_default(),
            act: act(&entry.act),
            house: match &entry.act {
                Act::House(record) => Some(record),
                _ => None,
            },
        }
    }

    pub(super) fn parents(&self) -> impl Iterator<Item = EventTag> + use<'a> {
        let stored = self.stored_parents.iter().map(|tag| EventTag(*tag));
        stored.chain(self.owned_parents.iter().copied())
    }

    /// The other end of a disclosure or transfer.
    pub(super) fn recipient(&self) -> Option<PartyView<'a>> {
        match self.act {
            ActView::Disclosure { recipient, .. } => Some(recipient),
            ActView::Transfer { recipient, .. } => recipient,
            _ => None,
        }
    }

    /// The entry that this one found overdue.
    pub(super) fn overdue_of(&self) -> Option<EntryRef> {
        match self.house {
            Some(HouseRecord::OverdueFound { of, .. }) => Some(*of),
            _ => None,
        }
    }
}

fn party(party: &PartyPart) -> PartyView<'_> {
    PartyView {
        id: &party.id,
        category: &party.category,
        country: &party.country,
        person: party.person,
    }
}

fn act(act: &Act) -> ActView<'_> {
    match act {
        Act::Collection { origin, from } => ActView::Collection {
            origin: *origin,
            from: from.as_ref().map(party),
        },
        Act::Use { operation, system } => ActView::Use { operation, system },
        Act::Disclosure {
            recipient,
            means,
            sale,
            safeguard,
        } => ActView::Disclosure {
            recipient: party(recipient),
            means: *means,
            sale: *sale,
            safeguard,
        },
        Act::Transfer {
            recipient,
            from_country,
            to_country,
            safeguard,
        } => ActView::Transfer {
            recipient: recipient.as_ref().map(party),
            from_country,
            to_country,
            safeguard,
        },
        Act::Retraction { of } => ActView::Retraction { of: *of },
        Act::RightsRequest { right } => ActView::RightsRequest { right },
        Act::RightsResponse { outcome } => ActView::RightsResponse { outcome: *outcome },
        Act::Notice { clause } => ActView::Notice { clause },
        Act::None | Act::Breach { .. } | Act::PolicyPublished { .. } | Act::House(_) => {
            ActView::None
        }
    }
}

/// Where an entry stands, without its time.
pub(super) const fn entry_ref(place: &Place) -> EntryRef {
    EntryRef {
        shard: place.shard,
        sequence: place.sequence,
    }
}
