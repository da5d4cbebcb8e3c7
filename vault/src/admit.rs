//! From the identifiers of an event to its person.

use crate::derive::Name;
use crate::directory::{self, History, Relation};
use crate::error::VaultError;
use crate::identifier::{Class, Identifier};
use crate::person::Person;
use crate::store::View;
use crate::vault::Inner;

/// The person of an event.
#[derive(Debug, Clone)]
pub struct Admission {
    /// To whom the event belongs.
    pub person: Person,
    /// The person was not known before.
    pub is_new: bool,
    /// Pairs of references that this event linked, for the house entries that
    /// say so.
    pub linked: Vec<([u8; 16], [u8; 16])>,
    /// The last day (since 1970-01-01) on which somebody of one of the deciding
    /// identifiers had been erased, with a mark, when this person was made. Told
    /// when the person is new, and again whenever the directory is asked and not
    /// only memory: what is written down because of it may have been lost.
    pub erased_day: Option<i32>,
}

/// A list of identifiers that was admitted: whose it is, and from when on.
#[derive(Clone, Copy)]
pub(crate) struct Admitted {
    pub(crate) reference: Name,
    pub(crate) from_ns: i64,
}

/// An identifier of the event, with what the directory says of it.
struct Known<'a> {
    id: &'a Identifier<'a>,
    /// It decides whose the event is.
    finds: bool,
    history: Option<History>,
    owner: Option<Name>,
}

impl Inner {
    /// The caller holds `changing`.
    pub(crate) fn admit_slowly(
        &self,
        ids: &[Identifier<'_>],
        event_ns: i64,
    ) -> Result<(Admission, i64), VaultError> {
        let names = &self.names;
        let view = self.store.view();
        let mut batch = self.store.batch();
        let known = self.known_of(&view, ids, event_ns)?;

        let owner = known.iter().find_map(|known| known.owner);
        for owner in known.iter().filter_map(|known| known.owner) {
            self.fence.check(&owner)?;
        }
        let person = match owner {
            Some(reference) => self.known(&view, &reference)?,
            None => {
                let mut day = None;
                for known in known.iter().filter(|known| known.finds) {
                    day = day.max(directory::marked_day(&view, &known.id.digest)?);
                }
                self.keyring.create(names, &mut batch, day)?
            }
        };
        let reference = person.reference();

        let mut from_ns = i64::MIN;
        for Known {
            id,
            finds,
            history,
            owner: theirs,
        } in &known
        {
            if *finds {
                let mut history = history.clone();
                if theirs.is_none() {
                    let history = match &mut history {
                        Some(history) => {
                            history.claim(event_ns, reference);
                            history
                        }
                        None => history.insert(History::of(id.class, reference)),
                    };
                    directory::put_history(&mut batch, &id.digest, history)?;
                }
                let settled = history.map_or(i64::MIN, |history| history.settled_from_ns());
                from_ns = from_ns.max(settled);
            }
            let is_written = match id.class {
                Class::Unique => theirs.is_some(),
                Class::Shared => {
                    owner.is_some() && directory::points_at(names, &view, id, &reference)?
                }
            };
            if !is_written {
                directory::put_identifier(names, &mut batch, id, &reference)?;
                if id.class == Class::Shared {
                    directory::put_pointer(names, &mut batch, id, &reference)?;
                }
            }
        }

        let mut linked = Vec::new();
        let mut set = None;
        for other in known.iter().filter_map(|known| known.owner) {
            if other == reference {
                continue;
            }
            let set = match &mut set {
                Some(set) => set,
                None => set.insert(directory::linked_set(names, &view, &reference)?),
            };
            if set.contains(&other) {
                continue;
            }
            // Somebody took this link back: the same events come again, and
            // say nothing new.
            if directory::relation(names, &view, &reference, &other)? == Some(Relation::Parted) {
                continue;
            }
            self.linked
                .add([names.person(&reference), names.person(&other)]);
            directory::put_relation(names, &mut batch, &reference, &other, Relation::Linked)?;
            linked.push((reference, other));
            set.extend(directory::linked_set(names, &view, &other)?);
        }

        drop(view);
        batch.commit()?;
        self.keyring.keep(&person);
        let admission = Admission {
            erased_day: person.erased_day(),
            person,
            is_new: owner.is_none(),
            linked,
        };
        Ok((admission, from_ns))
    }

    fn known_of<'a>(
        &self,
        view: &View<'_>,
        ids: &'a [Identifier<'a>],
        event_ns: i64,
    ) -> Result<Vec<Known<'a>>, VaultError> {
        let unique = ids.iter().any(|id| id.class == Class::Unique);
        let mut known = Vec::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
            let finds = match id.class {
                Class::Unique => true,
                Class::Shared => !unique && position == 0,
            };
            let history = if finds {
                directory::history(view, &id.digest, id.class)?
            } else {
                None
            };
            let owner = history
                .as_ref()
                .and_then(|history| history.owner_at(event_ns));
            known.push(Known {
                id,
                finds,
                history,
                owner,
            });
        }
        Ok(known)
    }
}
