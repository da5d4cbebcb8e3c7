//! Days in a pack.

use serde::Deserialize;
use toml::value::Datetime;

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// A day in a pack: `2025-05-30`, from 00:00 UTC. The texts name days, and no
/// zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Datetime")]
pub struct Day {
    nanos: i64,
}

impl Day {
    /// Its beginning, nanoseconds since 1970 UTC.
    pub const fn start_ns(self) -> i64 {
        self.nanos
    }
}

impl TryFrom<Datetime> for Day {
    type Error = &'static str;

    fn try_from(value: Datetime) -> Result<Self, Self::Error> {
        let (Some(date), None, None) = (value.date, value.time, value.offset) else {
            return Err("a day is meant, such as 2025-05-30, without a time");
        };
        let days = days_since_1970(i64::from(date.year), date.month.into(), date.day.into());
        days.checked_mul(NANOS_PER_DAY)
            .map(|nanos| Self { nanos })
            .ok_or("a year between 1700 and 2260 is meant")
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Algorithm:
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[derive(serde::Deserialize)]
    struct Holder {
        day: Day,
    }

    fn day(text: &str) -> Option<i64> {
        toml::from_str::<Holder>(&format!("day = {text}"))
            .ok()
            .map(|holder| holder.day.start_ns() / 1_000_000_000)
    }

    #[test]
    fn days_are_seconds_since_1970() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2020-02-29"), Some(1_582_934_400));
        assert_eq!(day("2025-05-30"), Some(1_748_563_200));
        assert_eq!(day("1969-12-31"), Some(-86_400));
    }

    #[test]
    fn a_time_is_no_day() {
        for text in [
            "2025-05-30T10:00:00Z",
            "10:00:00",
            "\"2025-05-30\"",
            "2025-02-30",
            "9999-01-01",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
