//! Whose an identifier is, and whose it was: an account number or an address
//! that is given to somebody else is two persons', one after the other.
//!
//! ```text
//! class 1 (1 unique, 2 shared) | reference 16                       one person, always
//! class 1 (3 unique, 4 shared) | from 8, known 1, reference 16 …    spans, in the order of time
//! ```
//!
//! Spans touch: each ends where the next one begins, the first begins with
//! time itself and the last one has no end.

use std::collections::BTreeSet;

use crate::derive::Name;
use crate::identifier::Class;
use crate::store::{Space, StoreError};

use super::damaged;

const ALWAYS_UNIQUE: u8 = 1;
const ALWAYS_SHARED: u8 = 2;
const SPANS_UNIQUE: u8 = 3;
const SPANS_SHARED: u8 = 4;
const SPAN_BYTES: usize = 8 + 1 + 16;

#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
struct Span {
    from_ns: i64,
    owner: Option<Name>,
}

/// The owners of one identifier over time. Has no `Debug` outside
/// tests: it names persons.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct History {
    class: Class,
    /// Never empty; neighbours differ.
    spans: Vec<Span>,
}

impl History {
    /// One person's, always.
    pub(crate) fn of(class: Class, owner: Name) -> Self {
        let owner = Some(owner);
        let from_ns = i64::MIN;
        Self {
            class,
            spans: vec![Span { from_ns, owner }],
        }
    }

    /// Index of the span in which this moment lies.
    fn at(&self, at_ns: i64) -> usize {
        // The first span begins with time itself.
        self.spans
            .partition_point(|span| span.from_ns <= at_ns)
            .saturating_sub(1)
    }

    pub(crate) fn owner_at(&self, at_ns: i64) -> Option<Name> {
        self.spans.get(self.at(at_ns)).and_then(|span| span.owner)
    }

    /// From when on the answer is the present one.
    pub(crate) fn settled_from_ns(&self) -> i64 {
        self.spans.last().map_or(i64::MIN, |span| span.from_ns)
    }

    /// Everybody whose it ever was.
    pub(crate) fn owners(&self) -> BTreeSet<Name> {
        self.spans.iter().filter_map(|span| span.owner).collect()
    }

    /// Gives the span of nobody in which this moment lies to `owner`, all of
    /// it, so that the order in which events come in changes nothing.
    pub(crate) fn claim(&mut self, at_ns: i64, owner: Name) {
        let at = self.at(at_ns);
        if let Some(span) = self.spans.get_mut(at) {
            span.owner.get_or_insert(owner);
        }
        self.join();
    }

    /// Takes it from whoever has it at `from_ns`, from then on. Whose it was.
    pub(crate) fn release(&mut self, from_ns: i64) -> Option<Name> {
        let at = self.at(from_ns);
        let span = self.spans.get_mut(at)?;
        let owner = span.owner?;
        if span.from_ns == from_ns {
            span.owner = None;
        } else {
            let owner = None;
            self.spans.insert(at + 1, Span { from_ns, owner });
        }
        self.join();
        Some(owner)
    }

    /// As if these had never had it. Whether anything changed.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<Name>) -> bool {
        let before = self.clone();
        for span in &mut self.spans {
            if span.owner.is_some_and(|owner| gone.contains(&owner)) {
                span.owner = None;
            }
        }
        self.join();
        *self != before
    }

    pub(crate) fn is_nobodys(&self) -> bool {
        self.spans.iter().all(|span| span.owner.is_none())
    }

    /// One span where two neighbours have the same owner.
    fn join(&mut self) {
        self.spans.dedup_by(|next, span| next.owner == span.owner);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        if let [
            Span {
                owner: Some(owner), ..
            },
        ] = self.spans.as_slice()
        {
            let class = match self.class {
                Class::Unique => ALWAYS_UNIQUE,
                Class::Shared => ALWAYS_SHARED,
            };
            return [&[class][..], owner].concat();
        }
        let mut row = Vec::with_capacity(1 + self.spans.len() * SPAN_BYTES);
        row.push(match self.class {
            Class::Unique => SPANS_UNIQUE,
            Class::Shared => SPANS_SHARED,
        });
        for span in &self.spans {
            row.extend_from_slice(&span.from_ns.to_le_bytes());
            row.push(u8::from(span.owner.is_some()));
            row.extend_from_slice(&span.owner.unwrap_or_default());
        }
        row
    }

    pub(crate) fn decode(row: &[u8], class: Class) -> Result<Self, StoreError> {
        let bad = || damaged(Space::Directory);
        let (&kind, rest) = row.split_first().ok_or_else(bad)?;
        match (kind, class) {
            (ALWAYS_UNIQUE, Class::Unique) | (ALWAYS_SHARED, Class::Shared) => {
                let owner = rest.try_into().map_err(|_| bad())?;
                Ok(Self::of(class, owner))
            }
            (SPANS_UNIQUE, Class::Unique) | (SPANS_SHARED, Class::Shared) => {
                let spans = decode_spans(rest).ok_or_else(bad)?;
                Ok(Self { class, spans })
            }
            _ => Err(bad()),
        }
    }
}

fn decode_spans(mut rest: &[u8]) -> Option<Vec<Span>> {
    if rest.is_empty() || !rest.len().is_multiple_of(SPAN_BYTES) {
        return None;
    }
    let mut spans: Vec<Span> = Vec::with_capacity(rest.len() / SPAN_BYTES);
    while let Some((from_ns, after)) = rest.split_first_chunk() {
        let (&known, after) = after.split_first()?;
        let (owner, after) = after.split_first_chunk()?;
        let from_ns = i64::from_le_bytes(*from_ns);
        let owner = match known {
            0 if *owner == Name::default() => None,
            1 => Some(*owner),
            _ => return None,
        };
        let follows = match spans.last() {
            None => from_ns == i64::MIN,
            Some(last) => last.from_ns < from_ns && last.owner != owner,
        };
        if !follows {
            return None;
        }
        spans.push(Span { from_ns, owner });
        rest = after;
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Name = [1; 16];
    const B: Name = [2; 16];

    #[test]
    fn released_and_taken_again() {
        let mut history = History::of(Class::Unique, A);
        assert_eq!(history.release(100), Some(A));
        assert_eq!(history.release(200), None);
        assert_eq!(
            (history.owner_at(99), history.owner_at(100)),
            (Some(A), None)
        );
        history.claim(500, B);
        assert_eq!(history.owner_at(100), Some(B), "all of the span");
        assert_eq!(history.owners(), BTreeSet::from([A, B]));
        assert_eq!(history.settled_from_ns(), 100);
        // In the middle: what comes after is nobody's as well.
        assert_eq!(history.release(50), Some(A));
        assert_eq!(
            (history.owner_at(50), history.owner_at(100)),
            (None, Some(B))
        );
        assert!(history.forget(&BTreeSet::from([A])));
        assert_eq!(
            (history.owner_at(0), history.owner_at(100)),
            (None, Some(B))
        );
        assert!(history.forget(&BTreeSet::from([B])));
        assert!(history.is_nobodys());
    }

    fn history() -> impl Strategy<Value = History> {
        let change = (any::<bool>(), -9_i64..9, 0_u8..3);
        prop::collection::vec(change, 0..12).prop_map(|changes| {
            let mut history = History::of(Class::Unique, A);
            for (is_release, at, who) in changes {
                if is_release {
                    history.release(at);
                } else {
                    history.claim(at, [who; 16]);
                }
            }
            history
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(history in history()) {
            let row = history.encode();
            prop_assert!(History::decode(&row, Class::Unique).is_ok_and(|read| read == history));
            prop_assert!(History::decode(&row, Class::Shared).is_err());
        }

        #[test]
        fn noise_is_refused_or_means_one_thing(kind in 0_u8..6, rest in prop::collection::vec(any::<u8>(), 0..120)) {
            let row = [&[kind][..], &rest].concat();
            if let Ok(history) = History::decode(&row, Class::Unique) {
                // A single known span has a shorter form.
                let again = History::decode(&history.encode(), Class::Unique);
                prop_assert!(again.is_ok_and(|again| again == history));
            }
        }
    }
}
