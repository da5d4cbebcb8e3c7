//! The persons of `FindAffectedSubjects`, written as they go over the wire: a
//! breach has hundreds of thousands of them, and the lists of categories that
//! they share are read once.

use std::collections::{BTreeMap, HashMap};

use custody_ledger::id::SubjectReference;
use custody_proto::Timestamp;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::error::QueryError;
use super::filter::Filter;
use crate::read_model::HeldRow;

/// Numbers of `custody.v1.FindAffectedSubjectsResponse`'s fields.
mod field {
    pub(super) const REFERENCE: u32 = 1;
    pub(super) const IDENTIFIERS: u32 = 2;
    pub(super) const CATEGORIES: u32 = 3;
    pub(super) const COUNT: u32 = 4;
    pub(super) const FIRST_TIME: u32 = 5;
    pub(super) const LAST_TIME: u32 = 6;
    pub(super) const RESUME_TOKEN: u32 = 7;
    pub(super) const REFERENCES: u32 = 8;
}

/// So many lists of categories are known at once.
const KNOWN: usize = 4_096;

/// Some persons, a message each.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    /// The messages, one behind the other.
    pub(crate) bytes: Vec<u8>,
    /// Where each ends.
    pub(crate) ends: Vec<usize>,
}

impl Persons {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The messages.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let message = &self.bytes[begin..end];
            begin = end;
            message
        })
    }

    /// Adds a person. `references` are those of everybody linked with them, in
    /// order; the first is the person's own.
    pub(crate) fn add(
        &mut self,
        references: &[SubjectReference],
        affected: &Affected,
        lists: &Lists,
        identifiers: &[String],
        resume_token: &str,
    ) {
        let out = &mut self.bytes;
        if let Some(own) = references.first() {
            reference(out, field::REFERENCE, own);
        }
        for identifier in identifiers {
            text(out, field::IDENTIFIERS, identifier);
        }
        lists.write(&affected.categories, out);
        prost::encoding::uint64::encode(field::COUNT, &affected.count, out);
        if let Some((first_ns, last_ns)) = affected.span_ns {
            for (number, nanos) in [(field::FIRST_TIME, first_ns), (field::LAST_TIME, last_ns)] {
                let moment = Timestamp::from_unix_nanos(nanos);
                prost::encoding::message::encode(number, &moment, out);
            }
        }
        if !resume_token.is_empty() {
            text(out, field::RESUME_TOKEN, resume_token);
        }
        for one in references {
            reference(out, field::REFERENCES, one);
        }
        self.ends.push(out.len());
    }
}

fn text(out: &mut Vec<u8>, number: u32, text: &str) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn reference(out: &mut Vec<u8>, number: u32, reference: &SubjectReference) {
    let mut digits = [0; 32];
    // 16 bytes are 32 digits.
    let _ = hex::encode_to_slice(reference.as_bytes(), &mut digits);
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(digits.len() as u64, out);
    out.extend_from_slice(&digits);
}

/// What was had of a person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Affected {
    pub(crate) count: u64,
    categories: Numbers,
    /// When first and when last.
    span_ns: Option<(i64, i64)>,
}

impl Affected {
    /// One event more, with the categories of this list.
    pub(crate) fn add(&mut self, time_ns: i64, lists: &Lists, list: usize) {
        self.count += 1;
        if let Some(list) = lists.lists.get(list) {
            self.categories.add_all(&list.categories);
        }
        self.add_span((time_ns, time_ns));
    }

    /// What was had of another person who is the same one.
    pub(crate) fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.categories.add_all(&other.categories);
        if let Some(span) = other.span_ns {
            self.add_span(span);
        }
    }

    fn add_span(&mut self, (from, to): (i64, i64)) {
        let (first, last) = self.span_ns.unwrap_or((from, to));
        self.span_ns = Some((first.min(from), last.max(to)));
    }
}

/// A set of numbers of categories, a bit each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Numbers(Vec<u64>);

impl Numbers {
    fn add(&mut self, number: usize) {
        let at = number / 64;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (number % 64);
    }

    fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (these, those) in self.0.iter_mut().zip(&other.0) {
            *these |= those;
        }
    }

    fn has(&self, number: usize) -> bool {
        let bits = self.0.get(number / 64);
        bits.is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }
}

/// Lists of categories by number. There are few of them in a ledger, and each
/// is read once.
#[derive(Default)]
pub(crate) struct Lists {
    numbers: HashMap<Vec<u8>, usize>,
    lists: Vec<List>,
    /// The list met last.
    last: Option<(Vec<u8>, usize)>,
    /// Categories in order, each with its number and as it is written.
    categories: BTreeMap<String, (usize, Vec<u8>)>,
}

struct List {
    categories: Numbers,
    matches: bool,
}

impl Lists {
    /// The number of a row's list; `None` where its categories are not asked
    /// for.
    pub(crate) fn number(
        &mut self,
        row: &HeldRow,
        filter: &mut Filter,
    ) -> Result<Option<usize>, QueryError> {
        let stored = row.stored_categories();
        let number = match &self.last {
            Some((last, number)) if last == stored => *number,
            _ => {
                let number = match self.numbers.get(stored) {
                    Some(number) => *number,
                    None => self.learn(stored, filter)?,
                };
                let (last, last_number) = self.last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(stored);
                *last_number = number;
                number
            }
        };
        let matches = self.lists.get(number).is_some_and(|it| it.matches);
        Ok(matches.then_some(number))
    }

    fn learn(&mut self, stored: &[u8], filter: &mut Filter) -> Result<usize, QueryError> {
        let texts = HeldRow::read_categories(stored)?;
        let matches = filter
            .categories
            .match_any(texts.iter().map(String::as_str));
        let mut categories = Numbers::default();
        for category in texts {
            let next = self.categories.len();
            let (number, _) = self.categories.entry(category).or_insert_with_key(|said| {
                let mut written = Vec::new();
                text(&mut written, field::CATEGORIES, said);
                (next, written)
            });
            categories.add(*number);
        }
        let number = self.lists.len();
        self.lists.push(List {
            categories,
            matches,
        });
        self.numbers.insert(stored.to_vec(), number);
        Ok(number)
    }

    /// Between two persons, whose numbers nobody has any more: forgets what it
    /// knows where that has become much.
    pub(crate) fn settle(&mut self) {
        if self.lists.len() > KNOWN {
            *self = Self::default();
        }
    }

    /// Writes these categories, in order.
    fn write(&self, categories: &Numbers, out: &mut Vec<u8>) {
        for (number, written) in self.categories.values() {
            if categories.has(*number) {
                out.extend_from_slice(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody_proto::v1::FindAffectedSubjectsResponse;
    use prost::Message as _;

    #[test]
    fn what_is_written_is_what_the_message_writes() {
        let mut lists = Lists::default();
        for number in (0..200).rev() {
            let mut written = Vec::new();
            let said = format!("pd:{number:03}");
            text(&mut written, field::CATEGORIES, &said);
            lists.categories.insert(said, (number, written));
        }
        let mut affected = Affected::default();
        for number in [130, 5, 64, 63] {
            let mut categories = Numbers::default();
            categories.add(number);
            lists.lists.push(List {
                categories,
                matches: true,
            });
            let list = lists.lists.len() - 1;
            affected.add(i64::try_from(number).unwrap() - 64, &lists, list);
        }
        let mut joined = Affected::default();
        joined.join(&affected);
        assert_eq!(joined, affected);
        let references = [SubjectReference([7; 16]), SubjectReference([9; 16])];
        let identifiers = ["account:1".to_owned(), "email:é".to_owned()];
        let mut persons = Persons::default();
        for token in ["", "token"] {
            persons.add(&references, &affected, &lists, &identifiers, token);
        }
        for (message, token) in persons.iter().zip(["", "token"]) {
            let expected = FindAffectedSubjectsResponse {
                reference: references[0].to_string(),
                identifiers: identifiers.to_vec(),
                categories: ["pd:005", "pd:063", "pd:064", "pd:130"]
                    .map(str::to_owned)
                    .to_vec(),
                count: 4,
                first_time: Some(Timestamp::from_unix_nanos(-59)),
                last_time: Some(Timestamp::from_unix_nanos(66)),
                resume_token: token.to_owned(),
                references: references.iter().map(ToString::to_string).collect(),
            };
            assert_eq!(message, expected.encode_to_vec());
        }
        assert_eq!(persons.len(), 2);
    }
}
