//! Following tags from event to event: asked of the store tag by tag, until so
//! many were asked for that it is cheaper to have all of a person's at hand.

use custody_ledger::entry::{Entry, EntryView};
use custody_ledger::id::{EventTag, ShardId, SubjectReference};

use super::error::QueryError;
use super::scope::Scope;
use super::work::Meter;
use crate::read_model::{Place, ReadModelError, StoredEvent, Tie, TieRow};

/// So many tags are asked for one by one.
const ASKED: usize = 32;

/// So many ties and so many events of a person are at hand at most; of who has
/// more, tags are asked for one by one.
const AT_HAND: usize = 8_192;

/// By which tags an event and what it came from are known among its person's.
pub(crate) struct Tags {
    pub(crate) own: Option<EventTag>,
    pub(crate) parents: Vec<EventTag>,
}

impl Tags {
    pub(crate) fn of(stored: &StoredEvent) -> Result<Self, QueryError> {
        Ok(match stored.view()? {
            Some(view) => Self {
                own: view.event_tag,
                parents: view.parent_tags.iter().copied().map(EventTag).collect(),
            },
            None => {
                let entry = stored.decode()?.entry;
                Self {
                    own: entry.event_tag,
                    parents: entry.parent_tags,
                }
            }
        })
    }
}

/// What leads from the tags of a scope's persons to their events.
pub(crate) struct Ties {
    persons: Vec<OfPerson>,
}

#[derive(Default)]
struct OfPerson {
    asked: usize,
    at_hand: Option<AtHand>,
}

/// Both in order.
struct AtHand {
    ties: Vec<TieRow>,
    events: Vec<StoredEvent>,
}

impl Ties {
    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        let persons = scope.subject.persons.iter();
        Self {
            persons: persons.map(|_| OfPerson::default()).collect(),
        }
    }

    /// The events that are tied to a tag of a person, as far as they were there.
    pub(crate) fn follow(
        &mut self,
        scope: &Scope<'_>,
        meter: &mut Meter<'_>,
        person: usize,
        (tag, tie): (&EventTag, Tie),
    ) -> Result<Vec<StoredEvent>, QueryError> {
        let model = &scope.state.read_model;
        let reference = SubjectReference(scope.subject.persons[person].reference());
        let of = &mut self.persons[person];
        of.asked += 1;
        if of.asked == ASKED {
            of.at_hand = AtHand::read(scope, &reference)?;
        }
        let mut found = Vec::new();
        match &of.at_hand {
            Some(at_hand) => {
                for place in at_hand.tied(tag, tie) {
                    meter.row()?;
                    if let Some(event) = at_hand.event(&place)
                        && scope.is_there(event.place, event.recorded_time_ns)
                    {
                        found.push(event.clone());
                    }
                }
            }
            None => {
                for place in model.tied(&reference, tag, tie)? {
                    meter.row()?;
                    found.extend(scope.stored_at(person, &place)?);
                }
            }
        }
        Ok(found)
    }
}

impl AtHand {
    /// Everything of a person; `None` where that is much.
    fn read(scope: &Scope<'_>, reference: &SubjectReference) -> Result<Option<Self>, QueryError> {
        let model = &scope.state.read_model;
        // Ties first: what comes meanwhile is above the head, and is an event
        // without a tie and not a tie without its event.
        let Some(ties) = at_most(model.ties(reference))? else {
            return Ok(None);
        };
        let (first, last) = (Place::first_at(i64::MIN), Place::last_at(i64::MAX));
        let events = at_most(model.events(reference, &first, &last))?;
        Ok(events.map(|events| Self { ties, events }))
    }

    fn tied(&self, tag: &EventTag, tie: Tie) -> impl Iterator<Item = Place> {
        let begin = self
            .ties
            .partition_point(|it| (it.tag, it.tie) < (*tag, tie));
        let same = self.ties[begin..].iter();
        let (tag, tie) = (*tag, tie);
        same.take_while(move |it| (it.tag, it.tie) == (tag, tie))
            .map(|it| it.place)
    }

    fn event(&self, place: &Place) -> Option<&StoredEvent> {
        let at = self.events.binary_search_by_key(place, |it| it.place);
        self.events.get(at.ok()?)
    }
}

/// Where an entry stands, by the block that holds it.
pub(crate) fn place_of(
    scope: &Scope<'_>,
    shard: ShardId,
    sequence: u64,
) -> Result<Option<Place>, QueryError> {
    if sequence >= scope.head.size(&shard) {
        return Ok(None);
    }
    let ledger = &scope.state.ledger;
    let Some(height) = ledger.find_block(shard, sequence)? else {
        return Ok(None);
    };
    let Some(block) = ledger.read_block(shard, height)? else {
        return Ok(None);
    };
    for stored in block.stored_entries() {
        let (number, stored) = stored?;
        if number == sequence {
            let event_time_ns = match EntryView::read(stored)? {
                Some(view) => view.event_time_ns,
                None => Entry::decode(stored)?.event_time_ns,
            };
            return Ok(Some(Place {
                event_time_ns,
                shard,
                sequence,
            }));
        }
    }
    Ok(None)
}

fn at_most<T>(
    rows: impl Iterator<Item = Result<T, ReadModelError>>,
) -> Result<Option<Vec<T>>, QueryError> {
    let some: Vec<T> = rows.take(AT_HAND + 1).collect::<Result<_, _>>()?;
    Ok((some.len() <= AT_HAND).then_some(some))
}
