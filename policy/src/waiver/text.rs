//! The lines of a waiver.

use super::{Waiver, WaiverError};
use crate::field::Field;
use crate::place::Member;
use crate::term::Term;
use crate::verdict::FindingCode;
use crate::vocabulary::{UnknownTerm, Vocabulary};

const FIRST_LINE: &str = "custody.waiver/v1";
const FIRST_WORD: &str = "custody.waiver/";

/// The keys, in the order of the lines.
const KEYS: [&str; 11] = [
    "id",
    "codes",
    "policies",
    "services",
    "recipients",
    "purposes",
    "categories",
    "jurisdictions",
    "from",
    "until",
    "reason",
];

/// What is wrong with a line of a waiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not the line that every waiver begins with.
    #[error("a waiver begins with `{FIRST_LINE}`")]
    First,
    /// A version that this program does not read.
    #[error("a waiver of another version than v1")]
    Version,
    /// A line without key and value.
    #[error("a key, a space and a value are meant")]
    Shape,
    /// Text after the last newline, or none.
    #[error("the line does not end")]
    Unended,
    /// No such key.
    #[error("no key of a waiver; the keys are {}", KEYS.join(", "))]
    Key,
    /// The key stood before.
    #[error("`{key}` is said twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// The key stands after one that follows it.
    #[error("`{key}` stands before `{before}`")]
    Order {
        /// The key.
        key: &'static str,
        /// What it stands before.
        before: &'static str,
    },
    /// A list with nothing between two commas, or the same thing twice.
    #[error("a list has something between its commas, and nothing twice")]
    List,
    /// No such finding.
    #[error("{code:?} is no code of a finding")]
    Code {
        /// What was said.
        code: String,
    },
    /// No id.
    #[error("an id has 1 to 64 letters, digits, '.', '_' and '-'; only a policy's has upper case")]
    Id,
    /// No term of its field.
    #[error(transparent)]
    Term(#[from] UnknownTerm),
    /// No place and no group.
    #[error("{place:?} is no ISO 3166 code and not one of EU, EEA, UK, EUROPE")]
    Place {
        /// What was said.
        place: String,
    },
    /// No time.
    #[error("a time such as 2026-11-01T00:00:00Z is meant, after 1677 and before 2262")]
    Time,
    /// The end is not after the beginning.
    #[error("`until` is not after `from`")]
    Backwards,
    /// A reason that is empty, too long or has a control character.
    #[error("a reason has 1 to {MAX_REASON_BYTES} bytes and no control characters")]
    Reason,
}

const MAX_REASON_BYTES: usize = 1024;

/// The values by key, each with its line.
type Values<'a> = [Option<(usize, &'a str)>; KEYS.len()];

pub(super) fn read(text: &str) -> Result<Waiver, WaiverError> {
    let values = values(text)?;
    // In the order of the lines, so that the first wrong one is named.
    let waiver = Waiver {
        id: needed(&values, "id", id)?,
        codes: needed(&values, "codes", |value| list(value, code))?,
        policies: optional(&values, "policies", |value| list(value, policy))?,
        services: optional(&values, "services", |value| list(value, id))?,
        recipients: optional(&values, "recipients", |value| list(value, id))?,
        purposes: optional(&values, "purposes", |value| list(value, purpose))?,
        categories: optional(&values, "categories", |value| list(value, category))?,
        jurisdictions: optional(&values, "jurisdictions", |value| list(value, member))?,
        from_ns: needed(&values, "from", time)?,
        until_ns: needed(&values, "until", time)?,
        reason: needed(&values, "reason", reason)?,
        signer: String::new(),
    };
    match value(&values, "until") {
        Some((line, _)) if waiver.until_ns <= waiver.from_ns => Err(WaiverError::Line {
            line,
            error: LineError::Backwards,
        }),
        _ => Ok(waiver),
    }
}

pub(super) fn write(waiver: &Waiver) -> Result<String, WaiverError> {
    let names = |terms: &[Term]| terms.iter().map(|term| term.curie().to_owned()).collect();
    let lists: [(&str, Vec<String>); 7] = [
        (
            "codes",
            waiver.codes.iter().map(|c| c.name().to_owned()).collect(),
        ),
        ("policies", waiver.policies.clone()),
        ("services", waiver.services.clone()),
        ("recipients", waiver.recipients.clone()),
        ("purposes", names(&waiver.purposes)),
        ("categories", names(&waiver.categories)),
        (
            "jurisdictions",
            waiver.jurisdictions.iter().map(Member::to_string).collect(),
        ),
    ];
    let mut text = format!("{FIRST_LINE}\nid {}\n", waiver.id);
    for (key, list) in lists {
        if !list.is_empty() {
            text.push_str(&format!("{key} {}\n", list.join(",")));
        }
    }
    for (key, time_ns) in [("from", waiver.from_ns), ("until", waiver.until_ns)] {
        // Every number of nanoseconds in 64 bits is a time.
        let time = jiff::Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or_default();
        text.push_str(&format!("{key} {time}\n"));
    }
    text.push_str(&format!("reason {}\n", waiver.reason));

    // What reads otherwise than it was meant must not be signed: an id with a
    // newline in it would be another waiver.
    let mut again = read(&text)?;
    again.signer.clone_from(&waiver.signer);
    if again == *waiver {
        Ok(text)
    } else {
        Err(WaiverError::Unsayable)
    }
}

/// The lines by key: each at most once, in their order.
fn values(text: &str) -> Result<Values<'_>, WaiverError> {
    let wrong = |line, error| WaiverError::Line { line, error };
    let mut values: Values<'_> = [None; KEYS.len()];
    let mut latest = None;
    let mut lines = text.split_inclusive('\n').enumerate();
    let first = lines.next().map_or("", |(_, line)| line);
    if first.strip_suffix('\n') != Some(FIRST_LINE) {
        let other = first.trim_end() != FIRST_LINE && first.starts_with(FIRST_WORD);
        let error = if other {
            LineError::Version
        } else {
            LineError::First
        };
        return Err(wrong(1, error));
    }
    for (index, line) in lines {
        let number = index + 1;
        let line = line
            .strip_suffix('\n')
            .ok_or_else(|| wrong(number, LineError::Unended))?;
        let (key, value) = line
            .split_once(' ')
            .filter(|(_, value)| !value.trim().is_empty())
            .ok_or_else(|| wrong(number, LineError::Shape))?;
        let place = KEYS
            .iter()
            .position(|known| *known == key)
            .ok_or_else(|| wrong(number, LineError::Key))?;
        if values[place].is_some() {
            return Err(wrong(number, LineError::Twice { key: KEYS[place] }));
        }
        if let Some(latest) = latest.filter(|latest| *latest > place) {
            return Err(wrong(
                number,
                LineError::Order {
                    key: KEYS[place],
                    before: KEYS[latest],
                },
            ));
        }
        latest = Some(place);
        values[place] = Some((number, value));
    }
    Ok(values)
}

fn value<'a>(values: &Values<'a>, key: &str) -> Option<(usize, &'a str)> {
    let index = KEYS.iter().position(|known| *known == key)?;
    values.get(index).copied().flatten()
}

fn optional<T: Default>(
    values: &Values<'_>,
    key: &'static str,
    read: impl FnOnce(&str) -> Result<T, LineError>,
) -> Result<T, WaiverError> {
    value(values, key).map_or_else(
        || Ok(T::default()),
        |(line, text)| read(text).map_err(|error| WaiverError::Line { line, error }),
    )
}

fn needed<T>(
    values: &Values<'_>,
    key: &'static str,
    read: impl FnOnce(&str) -> Result<T, LineError>,
) -> Result<T, WaiverError> {
    let (line, text) = value(values, key).ok_or(WaiverError::Missing { key })?;
    read(text).map_err(|error| WaiverError::Line { line, error })
}

fn list<T: PartialEq>(
    text: &str,
    read: impl Fn(&str) -> Result<T, LineError>,
) -> Result<Vec<T>, LineError> {
    let mut items = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        if part.is_empty() {
            return Err(LineError::List);
        }
        let item = read(part)?;
        if items.contains(&item) {
            return Err(LineError::List);
        }
        items.push(item);
    }
    Ok(items)
}

fn code(text: &str) -> Result<FindingCode, LineError> {
    FindingCode::ALL
        .into_iter()
        .find(|code| code.name() == text)
        .ok_or_else(|| LineError::Code {
            code: text.to_owned(),
        })
}

pub(super) fn id(text: &str) -> Result<String, LineError> {
    policy(text)
        .ok()
        .filter(|id| !id.bytes().any(|b| b.is_ascii_uppercase()))
        .ok_or(LineError::Id)
}

fn policy(text: &str) -> Result<String, LineError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(LineError::Id)
    }
}

fn purpose(text: &str) -> Result<Term, LineError> {
    Ok(Vocabulary::builtin().resolve(Field::Purpose, text)?)
}

fn category(text: &str) -> Result<Term, LineError> {
    Ok(Vocabulary::builtin().resolve(Field::Category, text)?)
}

fn member(text: &str) -> Result<Member, LineError> {
    Member::of(text).ok_or_else(|| LineError::Place {
        place: text.to_owned(),
    })
}

fn time(text: &str) -> Result<i64, LineError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| LineError::Time)?;
    i64::try_from(time.as_nanosecond()).map_err(|_| LineError::Time)
}

pub(super) fn reason(text: &str) -> Result<String, LineError> {
    if text.len() <= MAX_REASON_BYTES && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(LineError::Reason)
    }
}

#[cfg(test)]
pub(super) mod tests;
