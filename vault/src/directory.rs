//! Which identifier is whose.
//!
//! A unique identifier has one row: its person, or its persons over time
//! ([`history`]). A shared one has one row for each person that it was seen
//! with, and one more for the person who is known by shared identifiers only,
//! if there is one of whom it is the primary one.

mod history;
mod links;
mod marks;

use std::collections::BTreeSet;

use zeroize::Zeroizing;

pub(crate) use history::History;
pub(crate) use links::{Relation, delete_relation, linked_set, put_relation, relation, relations};
pub use marks::{EraseMark, MAX_SCOPE_BYTES};
pub(crate) use marks::{marked_day, put_mark};

use crate::derive::{Name, Names};
use crate::error::VaultError;
use crate::identifier::{Class, Identifier};
use crate::store::{Batch, Space, StoreError, View};

pub(crate) const CLASS_UNIQUE: u8 = 1;
const CLASS_SHARED: u8 = 2;
const IDENTIFIER_STEP: usize = 64;

fn damaged(space: Space) -> StoreError {
    StoreError::Damaged {
        space: space.name(),
    }
}

fn class_byte(class: Class) -> u8 {
    match class {
        Class::Unique => CLASS_UNIQUE,
        Class::Shared => CLASS_SHARED,
    }
}

fn encode_name(kind: u8, name: &Name) -> [u8; 17] {
    let mut row = [kind; 17];
    row[1..].copy_from_slice(name);
    row
}

fn decode_name(row: &[u8], kind: u8, space: Space) -> Result<Name, StoreError> {
    match row.split_first() {
        Some((&found, name)) if found == kind => name.try_into().map_err(|_| damaged(space)),
        _ => Err(damaged(space)),
    }
}

/// Whose the identifier is and was: of a unique one, its persons; of a shared
/// one, the person who is known by shared ones only.
pub(crate) fn history(
    view: &View<'_>,
    identifier: &Name,
    class: Class,
) -> Result<Option<History>, StoreError> {
    view.get(Space::Directory, identifier)?
        .map(|row| History::decode(&row, class))
        .transpose()
}

pub(crate) fn put_history(
    batch: &mut Batch<'_>,
    identifier: &Name,
    history: &History,
) -> Result<(), StoreError> {
    batch.put(Space::Directory, identifier, &history.encode())
}

/// Whether a shared identifier points at this person already.
pub(crate) fn points_at(
    names: &Names,
    view: &View<'_>,
    identifier: &Identifier<'_>,
    reference: &Name,
) -> Result<bool, StoreError> {
    view.contains(
        Space::Pointers,
        &names.pointer_row(&identifier.digest, reference),
    )
}

pub(crate) fn put_pointer(
    names: &Names,
    batch: &mut Batch<'_>,
    identifier: &Identifier<'_>,
    reference: &Name,
) -> Result<(), StoreError> {
    let row = names.pointer_row(&identifier.digest, reference);
    batch.put(Space::Pointers, &row, &encode_name(CLASS_SHARED, reference))
}

/// The persons at whom a shared identifier points, in the order of their rows.
pub(crate) fn pointers(
    view: &View<'_>,
    identifier: &Name,
) -> impl Iterator<Item = Result<Name, StoreError>> {
    view.scan(Space::Pointers, identifier)
        .map(|row| decode_name(&row?, CLASS_SHARED, Space::Pointers))
}

/// Writes an identifier down as one of the person's.
pub(crate) fn put_identifier(
    names: &Names,
    batch: &mut Batch<'_>,
    identifier: &Identifier<'_>,
    reference: &Name,
) -> Result<(), StoreError> {
    let text = identifier.text.as_bytes();
    let size = (3 + text.len()).next_multiple_of(IDENTIFIER_STEP);
    let mut row = Zeroizing::new(vec![0; size]);
    row[0] = class_byte(identifier.class);
    // At most 1024, checked when it was parsed.
    row[1..3].copy_from_slice(&(text.len() as u16).to_le_bytes());
    row[3..3 + text.len()].copy_from_slice(text);
    let name = names.identifier_row(reference, &identifier.digest);
    batch.put(Space::Identifiers, &name, &row)
}

pub(crate) fn delete_history(batch: &mut Batch<'_>, identifier: &Name) {
    batch.delete(Space::Directory, identifier);
}

pub(crate) fn delete_identifier(
    names: &Names,
    batch: &mut Batch<'_>,
    identifier: &Name,
    reference: &Name,
) {
    batch.delete(
        Space::Identifiers,
        &names.identifier_row(reference, identifier),
    );
}

pub(crate) fn delete_pointer(
    names: &Names,
    batch: &mut Batch<'_>,
    identifier: &Name,
    reference: &Name,
) {
    batch.delete(Space::Pointers, &names.pointer_row(identifier, reference));
}

/// A person's identifiers: the unique ones first, then by their bytes.
pub(crate) fn identifiers(
    names: &Names,
    view: &View<'_>,
    reference: &Name,
) -> Result<Vec<(u8, String)>, StoreError> {
    let mut found = Vec::new();
    for row in view.scan(Space::Identifiers, &names.person(reference)) {
        let row = row?;
        let bad = || damaged(Space::Identifiers);
        let class = *row.first().ok_or_else(bad)?;
        let size = row
            .get(1..3)
            .and_then(|size| size.first_chunk())
            .ok_or_else(bad)?;
        let text = row
            .get(3..3 + u16::from_le_bytes(*size) as usize)
            .ok_or_else(bad)?;
        let text = std::str::from_utf8(text).map_err(|_| bad())?;
        found.push((class, text.to_owned()));
    }
    found.sort_unstable();
    Ok(found)
}

/// A look-up hit several persons.
pub(crate) enum Resolved {
    /// Nobody.
    Nobody,
    /// One linked set, the one looked up first.
    Set(Vec<Name>),
    /// That many sets.
    Ambiguous(usize),
}

/// Finds the person of an identifier: at a time, or now. Counts up to `limit`
/// persons.
pub(crate) fn resolve(
    names: &Names,
    view: &View<'_>,
    identifier: &Identifier<'_>,
    at_ns: Option<i64>,
    limit: usize,
) -> Result<Resolved, VaultError> {
    let history = history(view, &identifier.digest, identifier.class)?;
    let owner = history
        .as_ref()
        .and_then(|history| history.owner_at(at_ns.unwrap_or(i64::MAX)));
    let mut sets = Sets {
        names,
        view,
        limit,
        found: Vec::new(),
    };
    let mut first = owner;
    match identifier.class {
        // Nobody's now, whoever had it once.
        Class::Unique if owner.is_none() => return Ok(Resolved::Nobody),
        Class::Unique => {
            let owners = match (&history, at_ns) {
                // Without a time, all whose it ever was are meant.
                (Some(history), None) => history.owners(),
                _ => owner.into_iter().collect(),
            };
            for owner in owners {
                sets.add(&owner)?;
            }
        }
        Class::Shared => {
            for reference in pointers(view, &identifier.digest) {
                let reference = reference?;
                // Without an owner of its own the lowest reference stands
                // first: any fixed rule would do.
                if owner.is_none() {
                    first = Some(first.map_or(reference, |lowest| lowest.min(reference)));
                }
                if !sets.add(&reference)? {
                    break;
                }
            }
        }
    }
    let mut sets = sets.found;
    Ok(match (sets.len(), sets.pop(), first) {
        (0, ..) | (_, None, _) | (_, _, None) => Resolved::Nobody,
        (1, Some(set), Some(first)) => {
            let rest = set.into_iter().filter(|other| *other != first);
            Resolved::Set(std::iter::once(first).chain(rest).collect())
        }
        (count, ..) => Resolved::Ambiguous(count),
    })
}

/// Linked sets that a look-up hit so far.
struct Sets<'a> {
    names: &'a Names,
    view: &'a View<'a>,
    limit: usize,
    found: Vec<BTreeSet<Name>>,
}

impl Sets<'_> {
    /// Whether there is room for more.
    fn add(&mut self, reference: &Name) -> Result<bool, StoreError> {
        if self.found.iter().any(|set| set.contains(reference)) {
            return Ok(true);
        }
        if self.found.len() == self.limit {
            return Ok(false);
        }
        self.found
            .push(linked_set(self.names, self.view, reference)?);
        Ok(true)
    }
}
