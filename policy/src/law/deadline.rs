//! Statutory deadlines: answers to persons, notices of breaches.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::Deserialize;

use super::calendar::{Calendar, Holidays, Period};
use super::{LawError, Moment};
use crate::place::{Member, Place, Region};

/// The data file: periods, zones, holidays and sources.
pub(crate) const FILE: &str = include_str!("../../law/deadlines.toml");

static DEADLINES: LazyLock<Deadlines> =
    // That the file compiles is tested. Without it nothing is ever overdue.
    LazyLock::new(|| compile(FILE).unwrap_or_default());

/// By when something has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The first moment at which it is too late, in nanoseconds since 1970 UTC:
    /// the end of the last day, or of the last hour.
    pub due_ns: i64,
    /// The provision.
    pub source: &'static str,
}

#[derive(Default)]
struct Deadlines {
    response: Vec<Rule>,
    breach: Vec<Rule>,
    zones: BTreeMap<Place, TimeZone>,
    holidays: Holidays,
}

struct Rule {
    place: Region,
    from_ns: i64,
    /// `None`: the law names no number.
    period: Option<Period>,
    extended: Option<Period>,
    rolls: bool,
    whole_hours: bool,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadlineFile {
    response: Vec<RuleRow>,
    breach: Vec<RuleRow>,
    zones: BTreeMap<String, String>,
    holidays: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleRow {
    #[serde(rename = "where")]
    place: Vec<String>,
    from: Option<Moment>,
    period: Option<Period>,
    extended: Option<Period>,
    #[serde(default)]
    rolls: bool,
    #[serde(default)]
    whole_hours: bool,
    none: Option<String>,
    source: String,
}

/// By when a request of a person in a jurisdiction (`DE`, `US-CA`) is to be
/// answered that was received at a time, in nanoseconds since 1970 UTC.
///
/// `extended`: the answer was postponed in the way that the law wants. Where
/// the law knows no extension, it changes nothing. `None` where `jurisdiction`
/// is no place, or where no deadline is known that could be counted.
pub fn response_deadline(jurisdiction: &str, received_ns: i64, extended: bool) -> Option<Deadline> {
    let rules = &DEADLINES.response;
    due(rules, Place::of(jurisdiction)?, received_ns, extended)
}

/// By when the authority of a jurisdiction is to be told of a breach that
/// became known at a time, in nanoseconds since 1970 UTC. `None` as with
/// [`response_deadline`].
pub fn breach_deadline(jurisdiction: &str, known_ns: i64) -> Option<Deadline> {
    let rules = &DEADLINES.breach;
    due(rules, Place::of(jurisdiction)?, known_ns, false)
}

fn due(rules: &'static [Rule], place: Place, begun_ns: i64, extended: bool) -> Option<Deadline> {
    let rule = rules
        .iter()
        .filter(|rule| rule.from_ns <= begun_ns)
        .filter_map(|rule| Some((rule.place.specificity(place, begun_ns)?, rule)))
        .max_by_key(|(specificity, rule)| (*specificity, rule.from_ns))
        .map(|(_, rule)| rule)?;
    let period = if extended {
        rule.extended.or(rule.period)
    } else {
        rule.period
    };
    let calendar = Calendar {
        zone: zone(place)?,
        holidays: holidays(place, begun_ns),
    };
    Some(Deadline {
        due_ns: calendar.end_ns(begun_ns, period?, rule.rolls, rule.whole_hours)?,
        source: &rule.source,
    })
}

fn zone(place: Place) -> Option<&'static TimeZone> {
    let zones = &DEADLINES.zones;
    zones.get(&place).or_else(|| zones.get(&place.country()))
}

fn holidays(place: Place, time_ns: i64) -> &'static [(i8, i8)] {
    DEADLINES
        .holidays
        .0
        .iter()
        .find(|(member, _)| member.contains(place, time_ns))
        .map_or(&[], |(_, days)| days)
}

fn compile(text: &str) -> Result<Deadlines, LawError> {
    let file: DeadlineFile = toml::from_str(text)?;
    // The compiled-in zones, so that the host's files change no deadline.
    let database = TimeZoneDatabase::bundled();
    let mut zones = BTreeMap::new();
    for (code, name) in &file.zones {
        let place = Place::of(code).ok_or_else(|| LawError::unknown("place", code))?;
        let zone = database
            .get(name)
            .map_err(|_| LawError::unknown("time zone", name))?;
        zones.insert(place, zone);
    }
    let mut holidays = Holidays::default();
    for (code, days) in &file.holidays {
        let days = days
            .iter()
            .map(|text| month_and_day(text).ok_or_else(|| LawError::unknown("day", text)))
            .collect::<Result<_, _>>()?;
        holidays.0.push((member(code)?, days));
    }
    Ok(Deadlines {
        response: rules(file.response)?,
        breach: rules(file.breach)?,
        zones,
        holidays,
    })
}

fn rules(rows: Vec<RuleRow>) -> Result<Vec<Rule>, LawError> {
    rows.into_iter()
        .map(|row| {
            let of = || row.place.join(", ");
            if row.source.is_empty() {
                return Err(LawError::NoSource { of: of() });
            }
            if row.period.is_some() == row.none.is_some() {
                return Err(LawError::Period { of: of() });
            }
            let mut place = Region::nowhere();
            for code in &row.place {
                place.include(member(code)?);
            }
            Ok(Rule {
                place,
                from_ns: row.from.map_or(i64::MIN, |moment| moment.0),
                period: row.period,
                extended: row.extended,
                rolls: row.rolls,
                whole_hours: row.whole_hours,
                source: row.source,
            })
        })
        .collect()
}

fn member(code: &str) -> Result<Member, LawError> {
    Member::of(code).ok_or_else(|| LawError::unknown("place", code))
}

/// Month and day of `12-25`.
fn month_and_day(text: &str) -> Option<(i8, i8)> {
    let (month, day) = text.split_once('-')?;
    let date = jiff::civil::Date::new(2024, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((date.month(), date.day()))
}

#[cfg(test)]
mod tests;
