//! Which identifier is whose.
//!
//! A unique identifier has one row: its person. A shared one has one row for
//! each person that it was seen with, and one more for the person who is known
//! by shared identifiers only, if there is one of whom it is the primary one.
//! A link between two persons is two rows, one each way: a graph and no merged
//! set, so that a link can be taken back.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::derive::{Name, Names};
use crate::error::VaultError;
use crate::identifier::{Class, Identifier};
use crate::store::{Batch, Space, StoreError, View};

const CLASS_UNIQUE: u8 = 1;
const CLASS_SHARED: u8 = 2;
const LINK_VERSION: u8 = 1;
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

/// Whose the identifier is: of a unique one, its person; of a shared one, the
/// person who is known by shared ones only.
pub(crate) fn owner(
    view: &View<'_>,
    identifier: &Identifier<'_>,
) -> Result<Option<Name>, StoreError> {
    view.get(Space::Directory, &identifier.digest)?
        .map(|row| decode_name(&row, class_byte(identifier.class), Space::Directory))
        .transpose()
}

/// Makes `reference` the owner.
pub(crate) fn put_owner(
    batch: &mut Batch<'_>,
    identifier: &Identifier<'_>,
    reference: &Name,
) -> Result<(), StoreError> {
    let row = encode_name(class_byte(identifier.class), reference);
    batch.put(Space::Directory, &identifier.digest, &row)
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

pub(crate) fn put_link(
    names: &Names,
    batch: &mut Batch<'_>,
    a: &Name,
    b: &Name,
) -> Result<(), StoreError> {
    batch.put(
        Space::Links,
        &names.link_row(a, b),
        &encode_name(LINK_VERSION, b),
    )?;
    batch.put(
        Space::Links,
        &names.link_row(b, a),
        &encode_name(LINK_VERSION, a),
    )
}

/// Everybody who can be reached from `reference` by links, itself included.
pub(crate) fn linked_set(
    names: &Names,
    view: &View<'_>,
    reference: &Name,
) -> Result<BTreeSet<Name>, StoreError> {
    let mut set = BTreeSet::from([*reference]);
    let mut open = vec![*reference];
    while let Some(person) = open.pop() {
        for row in view.scan(Space::Links, &names.person(&person)) {
            let next = decode_name(&row?, LINK_VERSION, Space::Links)?;
            if set.insert(next) {
                open.push(next);
            }
        }
    }
    Ok(set)
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

/// Finds the person of an identifier. Counts up to `limit` persons.
pub(crate) fn resolve(
    names: &Names,
    view: &View<'_>,
    identifier: &Identifier<'_>,
    limit: usize,
) -> Result<Resolved, VaultError> {
    let owner = owner(view, identifier)?;
    let mut first = owner;
    let mut sets: Vec<BTreeSet<Name>> = Vec::new();
    match identifier.class {
        Class::Unique => {
            if let Some(owner) = &owner {
                sets.push(linked_set(names, view, owner)?);
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
                if sets.iter().any(|set| set.contains(&reference)) {
                    continue;
                }
                if sets.len() == limit {
                    break;
                }
                sets.push(linked_set(names, view, &reference)?);
            }
        }
    }
    Ok(match (sets.len(), sets.pop(), first) {
        (0, ..) | (_, None, _) | (_, _, None) => Resolved::Nobody,
        (1, Some(set), Some(first)) => {
            let rest = set.into_iter().filter(|other| *other != first);
            Resolved::Set(std::iter::once(first).chain(rest).collect())
        }
        (count, ..) => Resolved::Ambiguous(count),
    })
}
