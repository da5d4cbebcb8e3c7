//! Organisations by id, as the house shard registered them.

use std::collections::{HashMap, HashSet};

use custody_ledger::{Act, Entry, HouseRecord, Kind, ShardId};
use custody_proto::event::Party;
use parking_lot::Mutex;

use crate::normalise::NamedParty;

/// The party registry: what each organisation's id stands for. The first word
/// counts; a later one that contradicts it is a finding for the operator, once
/// for each id and field.
#[derive(Default)]
pub(crate) struct Parties {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    parties: HashMap<String, Registered>,
    contradicted: HashSet<(String, &'static str)>,
}

#[derive(Default)]
struct Registered {
    name: String,
    category: String,
    country: String,
}

impl Parties {
    /// Takes in what the house shard has registered.
    pub(crate) fn take(&mut self, record: HouseRecord) {
        self.known.get_mut().take(record);
    }

    /// The house entries that a party named at `offset` of `shard` calls for.
    pub(crate) fn meet(
        &self,
        named: &NamedParty<'_>,
        shard: ShardId,
        offset: i64,
        now_ns: i64,
        house: &mut Vec<Entry>,
    ) {
        let NamedParty { party, category } = *named;
        if party.person || party.id.is_empty() {
            return;
        }
        let mut known = self.known.lock();
        let Known {
            parties,
            contradicted,
        } = &mut *known;
        if !parties.contains_key(party.id.as_str()) {
            parties.insert(party.id.clone(), Registered::default());
            house.push(registered(party, category, now_ns));
        }
        let Some(registered_as) = parties.get_mut(party.id.as_str()) else {
            return;
        };
        let mut filled = false;
        for (field, said, is) in [
            ("name", party.name.as_str(), &mut registered_as.name),
            ("category", category, &mut registered_as.category),
            (
                "country",
                party.country.as_str(),
                &mut registered_as.country,
            ),
        ] {
            if said.is_empty() || said == is {
                continue;
            }
            if is.is_empty() {
                said.clone_into(is);
                filled = true;
            } else if contradicted.insert((party.id.clone(), field)) {
                house.push(contradiction(party, shard, offset, field, now_ns));
            }
        }
        // A party named before without this field is registered again, fuller.
        if filled && !house.iter().any(|entry| registers(entry, &party.id)) {
            let fuller = Party {
                id: party.id.clone(),
                name: registered_as.name.clone(),
                country: registered_as.country.clone(),
                ..Party::default()
            };
            house.push(registered(&fuller, &registered_as.category.clone(), now_ns));
        }
    }
}

impl Known {
    fn take(&mut self, record: HouseRecord) {
        match record {
            HouseRecord::PartyRegistered {
                id,
                name,
                category,
                country,
            } => {
                self.parties.insert(
                    id,
                    Registered {
                        name,
                        category,
                        country,
                    },
                );
            }
            HouseRecord::PartyContradicted { id, field, .. } => {
                for known in ["name", "category", "country"] {
                    if field == known {
                        self.contradicted.insert((id.clone(), known));
                    }
                }
            }
            _ => {}
        }
    }
}

fn registers(entry: &Entry, wanted: &str) -> bool {
    matches!(&entry.act, Act::House(HouseRecord::PartyRegistered { id, .. }) if id == wanted)
}

fn registered(party: &Party, category: &str, now_ns: i64) -> Entry {
    house(
        Kind::PartyRegistered,
        now_ns,
        HouseRecord::PartyRegistered {
            id: party.id.clone(),
            name: party.name.clone(),
            category: category.to_owned(),
            country: party.country.clone(),
        },
    )
}

fn contradiction(party: &Party, shard: ShardId, offset: i64, field: &str, now_ns: i64) -> Entry {
    house(
        Kind::PartyContradicted,
        now_ns,
        HouseRecord::PartyContradicted {
            id: party.id.clone(),
            shard,
            offset,
            field: field.to_owned(),
        },
    )
}

/// An entry of Custody's own.
pub(crate) fn house(kind: Kind, now_ns: i64, record: HouseRecord) -> Entry {
    let mut entry = Entry::new(kind, now_ns);
    entry.act = Act::House(record);
    entry
}
