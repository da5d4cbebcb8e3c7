//! Which persons are one and the same: a graph of links and no merged set, so
//! that a link can be taken back.
//!
//! A link is two rows, one each way. A link that was taken back stays as two
//! rows that say so: the events that made it come again, and must not make it
//! again.

use std::collections::BTreeSet;

use crate::derive::{Name, Names};
use crate::store::{Batch, Space, StoreError, View};

use super::{damaged, decode_name, encode_name};

const LINKED: u8 = 1;
const PARTED: u8 = 2;

/// What the directory says of two persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Linked directly.
    Linked,
    /// Were linked, and are not to be.
    Parted,
}

impl Relation {
    const fn byte(self) -> u8 {
        match self {
            Self::Linked => LINKED,
            Self::Parted => PARTED,
        }
    }
}

/// Every person with whom this one has a row.
pub(crate) fn relations(
    names: &Names,
    view: &View<'_>,
    reference: &Name,
) -> Result<Vec<(Name, Relation)>, StoreError> {
    view.scan(Space::Links, &names.person(reference))
        .map(|row| {
            let row = row?;
            match row.first() {
                Some(&LINKED) => Ok((decode_name(&row, LINKED, Space::Links)?, Relation::Linked)),
                Some(&PARTED) => Ok((decode_name(&row, PARTED, Space::Links)?, Relation::Parted)),
                _ => Err(damaged(Space::Links)),
            }
        })
        .collect()
}

pub(crate) fn relation(
    names: &Names,
    view: &View<'_>,
    a: &Name,
    b: &Name,
) -> Result<Option<Relation>, StoreError> {
    let row = view.get(Space::Links, &names.link_row(a, b))?;
    match row.as_ref().and_then(|row| row.first()) {
        None if row.is_none() => Ok(None),
        Some(&LINKED) => Ok(Some(Relation::Linked)),
        Some(&PARTED) => Ok(Some(Relation::Parted)),
        _ => Err(damaged(Space::Links)),
    }
}

/// Writes down what two persons are to each other, both ways.
pub(crate) fn put_relation(
    names: &Names,
    batch: &mut Batch<'_>,
    a: &Name,
    b: &Name,
    relation: Relation,
) -> Result<(), StoreError> {
    for (from, to) in [(a, b), (b, a)] {
        let row = encode_name(relation.byte(), to);
        batch.put(Space::Links, &names.link_row(from, to), &row)?;
    }
    Ok(())
}

/// Both rows.
pub(crate) fn delete_relation(names: &Names, batch: &mut Batch<'_>, a: &Name, b: &Name) {
    batch.delete(Space::Links, &names.link_row(a, b));
    batch.delete(Space::Links, &names.link_row(b, a));
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
        for (next, relation) in relations(names, view, &person)? {
            if relation == Relation::Linked && set.insert(next) {
                open.push(next);
            }
        }
    }
    Ok(set)
}
