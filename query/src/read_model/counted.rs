//! From an entry to the kept rows that it is counted in.

use custody_ledger::entry::{ActView, Kind, PartyView};
use custody_policy::country;

use super::cell::Brought;
use super::kept::{is_abroad, is_processing_kind, put};
use super::key::Place;
use super::said::Said;

/// A table that an entry is counted in, over everybody; of received and abroad
/// there is one a person too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Received,
    Abroad,
    Activities,
    Kinds,
}

impl Counted {
    const fn letter(self) -> u8 {
        match self {
            Self::Received => b'r',
            Self::Abroad => b't',
            Self::Activities => b'a',
            Self::Kinds => b'k',
        }
    }
}

fn put_party(key: &mut Vec<u8>, party: &PartyView<'_>) {
    put(key, party.id);
    key.push(u8::from(party.person));
    put(key, if party.person { party.category } else { "" });
}

fn put_optional_party(key: &mut Vec<u8>, party: Option<&PartyView<'_>>) {
    key.push(u8::from(party.is_some()));
    if let Some(party) = party {
        put_party(key, party);
    }
}

/// `None`: where the recipient is registered.
fn put_country(key: &mut Vec<u8>, country: Option<&str>) {
    key.push(u8::from(country.is_some()));
    if let Some(country) = country {
        put(key, country);
    }
}

/// The purposes that an entry is a row under: none is one too.
fn purposes<'a>(said: &Said<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let none = said.purposes.is_empty().then_some("");
    said.purposes.distinct().chain(none)
}

/// The rows that an entry is counted in, each with what it brings to it. A key
/// is that over everybody; behind its letter stands what makes the row of a
/// person too. `key` is where keys are made.
pub(super) fn rows_of<'a, E>(
    said: &Said<'a>,
    place: Place,
    key: &mut Vec<u8>,
    mut each: impl FnMut(Counted, &[u8], &Brought<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let begin = |key: &mut Vec<u8>, table: Counted| {
        key.clear();
        key.push(table.letter());
    };
    let bare = Brought::bare(place);
    begin(key, Counted::Kinds);
    key.push(said.kind_code);
    each(Counted::Kinds, key, &bare)?;
    if said.subject.is_none() {
        return Ok(());
    }
    let party = said.recipient();
    let (destination, safeguard) = match said.act {
        ActView::Disclosure {
            recipient,
            safeguard,
            ..
        } => {
            let country = recipient.country;
            ((!country.is_empty()).then_some(country), safeguard)
        }
        ActView::Transfer {
            to_country,
            safeguard,
            ..
        } => (Some(to_country), safeguard),
        _ => (Some(""), ""),
    };
    let full = Brought {
        party: party.map_or(("", ""), |it| (it.category, it.country)),
        sale: matches!(said.act, ActView::Disclosure { sale: true, .. }),
        categories: said.categories,
        ..bare
    };
    if let Some(party) = &party {
        let brought = Brought {
            controller: said.controller,
            ..full
        };
        for purpose in purposes(said) {
            begin(key, Counted::Received);
            put_party(key, party);
            put(key, purpose);
            put(key, said.legal_basis);
            put_country(key, destination);
            each(Counted::Received, key, &brought)?;
        }
    }
    let from = match (said.act, destination) {
        (ActView::Transfer { from_country, .. }, _) => Some(from_country),
        (ActView::Disclosure { .. }, None) => {
            country::country_of(said.location).map(|_| said.location)
        }
        (ActView::Disclosure { .. }, Some(to)) => {
            is_abroad(said.location, to).then_some(said.location)
        }
        _ => None,
    };
    if let Some(from) = from {
        let brought = Brought {
            purposes: said.purposes,
            ..full
        };
        begin(key, Counted::Abroad);
        put(key, from);
        put_country(key, destination);
        put_optional_party(key, party.as_ref());
        put(key, safeguard);
        each(Counted::Abroad, key, &brought)?;
    }
    let kind = Kind::from_code(said.kind_code);
    if kind.is_some_and(is_processing_kind) {
        let brought = Brought {
            safeguard,
            party: ("", ""),
            sale: false,
            ..full
        };
        for purpose in purposes(said) {
            begin(key, Counted::Activities);
            put(key, said.controller);
            put(key, purpose);
            put_optional_party(key, party.as_ref());
            put_country(key, destination);
            each(Counted::Activities, key, &brought)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_model::kept::{
        AbroadKey, ActivityKey, Destination, ReceivedKey, Recipient, RowKey,
    };
    use custody_ledger::entry::{Act, Entry, PartyPart};
    use custody_ledger::id::SubjectReference;
    use proptest::prelude::*;

    fn party() -> impl Strategy<Value = PartyPart> {
        ("[a-z]{0,3}", any::<bool>(), "[a-z:]{0,3}", "(DE|FR|)").prop_map(
            |(id, person, category, country)| PartyPart {
                id,
                category,
                country,
                person,
            },
        )
    }

    fn keys(entry: &Entry) -> Vec<(Counted, Vec<u8>)> {
        let mut keys = Vec::new();
        let counted = rows_of::<()>(
            &Said::of(entry),
            Place::first_at(0),
            &mut vec![7],
            |table, key, _| {
                keys.push((table, key.to_vec()));
                Ok(())
            },
        );
        assert_eq!(counted, Ok(()));
        keys
    }

    fn read<K: RowKey>(keys: &[(Counted, Vec<u8>)], table: Counted, letter: u8) -> Vec<K> {
        let mut found = Vec::new();
        for (_, key) in keys.iter().filter(|(of, _)| *of == table) {
            assert_eq!(key[0], letter);
            let mut rest = &key[1..];
            found.push(K::take(&mut rest).unwrap());
            assert!(rest.is_empty());
        }
        found
    }

    fn entry(kind: Kind, act: Act) -> Entry {
        let mut entry = Entry::new(kind, 0);
        entry.subject = Some(SubjectReference([3; 16]));
        entry.act = act;
        entry
    }

    fn said(country: &str) -> Destination {
        Destination::Said(country.to_owned())
    }

    proptest! {
        #[test]
        fn a_disclosure_is_in_the_rows_that_it_makes(
            recipient in party(),
            texts in ["[a-z:]{0,4}", "[a-z:]{0,4}", "[a-z:]{0,4}", "(DE|US|)"],
            purposes in prop::collection::vec("[a-c]", 0..4),
        ) {
            let [basis, controller, safeguard, location] = texts;
            let mut entry = entry(Kind::Disclosure, Act::Disclosure {
                recipient: recipient.clone(),
                means: 1,
                sale: false,
                safeguard: safeguard.clone(),
            });
            entry.legal_basis = basis.clone();
            entry.controller = controller.clone();
            entry.location = location.clone();
            entry.purposes = purposes;
            let keys = keys(&entry);
            let who = Recipient::of(&recipient);
            let destination = match recipient.country.as_str() {
                "" => Destination::Registered,
                country => said(country),
            };
            let purposes: Vec<String> =
                crate::read_model::purposes_of(&entry).map(str::to_owned).collect();
            let received = purposes.iter().map(|purpose| ReceivedKey {
                recipient: who.clone(),
                purpose: purpose.clone(),
                legal_basis: basis.clone(),
                destination: destination.clone(),
            });
            prop_assert_eq!(read::<ReceivedKey>(&keys, Counted::Received, b'r'), received.collect::<Vec<_>>());
            let activities = purposes.iter().map(|purpose| ActivityKey {
                controller: controller.clone(),
                purpose: purpose.clone(),
                recipient: Some(who.clone()),
                destination: destination.clone(),
            });
            prop_assert_eq!(read::<ActivityKey>(&keys, Counted::Activities, b'a'), activities.collect::<Vec<_>>());
            let goes = !location.is_empty() && location != recipient.country;
            let abroad = goes.then_some(AbroadKey {
                from: location,
                destination,
                recipient: Some(who),
                safeguard,
            });
            prop_assert_eq!(read::<AbroadKey>(&keys, Counted::Abroad, b't'), abroad.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(read::<u8>(&keys, Counted::Kinds, b'k'), [Kind::Disclosure.code()]);
        }

        #[test]
        fn a_transfer_is_in_the_rows_that_it_makes(recipient in prop::option::of(party()), to in "(DE|)") {
            let entry = entry(Kind::Transfer, Act::Transfer {
                recipient: recipient.clone(),
                from_country: "US".to_owned(),
                to_country: to.clone(),
                safeguard: "s".to_owned(),
            });
            let keys = keys(&entry);
            let who = recipient.as_ref().map(Recipient::of);
            let abroad = AbroadKey {
                from: "US".to_owned(),
                destination: said(&to),
                recipient: who.clone(),
                safeguard: "s".to_owned(),
            };
            prop_assert_eq!(read::<AbroadKey>(&keys, Counted::Abroad, b't'), [abroad]);
            let received = read::<ReceivedKey>(&keys, Counted::Received, b'r');
            let recipients: Vec<_> = received.into_iter().map(|key| key.recipient).collect();
            prop_assert_eq!(recipients, who.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn rows_of_who_received_stand_in_the_order_of_recipients(a in party(), b in party()) {
            let of = |recipient: &PartyPart| {
                let recipient = PartyPart { country: String::new(), ..recipient.clone() };
                let act = Act::Disclosure {
                    recipient: recipient.clone(),
                    means: 1,
                    sale: false,
                    safeguard: String::new(),
                };
                let keys = keys(&entry(Kind::Disclosure, act));
                let key = keys.into_iter().find(|(table, _)| *table == Counted::Received);
                (Recipient::of(&recipient), key)
            };
            let ((a, key_a), (b, key_b)) = (of(&a), of(&b));
            prop_assert_eq!(a.cmp(&b), key_a.unwrap().1.cmp(&key_b.unwrap().1));
        }
    }

    #[test]
    fn what_is_nobodys_counts_by_its_kind_only() {
        let mut entry = entry(Kind::Use, Act::None);
        entry.subject = None;
        assert_eq!(
            keys(&entry),
            [(Counted::Kinds, vec![b'k', Kind::Use.code()])]
        );
    }
}
