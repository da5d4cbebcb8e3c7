//! Who receives data: some two hundred organisations, most of them invented,
//! each with one name, one category and one country for ever.

use std::collections::HashMap;
use std::sync::LazyLock;

use custody_proto::event::Party;

use crate::dice::Dice;
use crate::place::country;

const FILE: &str = include_str!("../data/recipients.csv");

static DIRECTORY: LazyLock<Vec<Organisation>> = LazyLock::new(|| {
    FILE.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split(',');
            Some(Organisation {
                id: fields.next()?,
                name: fields.next()?,
                category: fields.next()?,
                country: fields.next()?,
            })
        })
        .collect()
});

/// One organisation of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// A `custody:` recipient code, without the prefix.
    pub(crate) category: &'static str,
    pub(crate) country: &'static str,
}

static BY_CATEGORY: LazyLock<HashMap<&'static str, Vec<Organisation>>> = LazyLock::new(|| {
    let mut categories: HashMap<_, Vec<_>> = HashMap::new();
    for organisation in all() {
        let of_category = categories.entry(organisation.category).or_default();
        of_category.push(*organisation);
    }
    categories
});

/// Every organisation, ordered by id.
pub(crate) fn all() -> &'static [Organisation] {
    &DIRECTORY
}

/// One of a category, often in the same country. `None` where the directory
/// has none.
pub(crate) fn pick(category: &str, near: &str, dice: &mut Dice) -> Option<Organisation> {
    let of_category = BY_CATEGORY.get(category)?;
    let nearby = || of_category.iter().filter(|o| o.country == country(near));
    let near_count = nearby().count() as u32;
    if near_count > 0 && dice.permille(700) {
        return nearby().nth(dice.below(near_count) as usize).copied();
    }
    dice.pick(of_category).copied()
}

impl Organisation {
    pub(crate) fn party(&self) -> Party {
        Party {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            category: format!("custody:{}", self.category),
            country: self.country.to_owned(),
            person: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use custody_policy::{Field, Vocabulary, country};

    use super::{FILE, all};

    #[test]
    fn every_organisation_is_well_formed_and_known_once() {
        assert_eq!(all().len(), FILE.lines().count() - 1);
        assert!(all().len() >= 200);
        let ids: HashSet<_> = all().iter().map(|o| o.id).collect();
        assert_eq!(ids.len(), all().len());
        for o in all() {
            assert!((1..=64).contains(&o.id.len()), "{o:?}");
            assert!(
                o.id.bytes().all(|b| b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || matches!(b, b'.' | b'_' | b'-')),
                "{o:?}"
            );
            assert!(country::is_country(o.country), "{o:?}");
            let term = format!("custody:{}", o.category);
            assert!(
                Vocabulary::builtin()
                    .resolve(Field::Recipient, &term)
                    .is_ok(),
                "{o:?}"
            );
        }
    }
}
