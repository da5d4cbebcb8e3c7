//! Counting days, months and hours by the clock of a place.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

use crate::place::Member;

/// How long the law gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Period {
    /// Calendar months: they end on the same day of the month, or the last one.
    Months(u8),
    /// Calendar days.
    Days(u8),
    /// Days that are no Saturday, Sunday or holiday.
    WorkingDays(u8),
    /// Hours, by no calendar.
    Hours(u8),
}

/// Days off that fall on a fixed date.
#[derive(Debug, Default)]
pub(crate) struct Holidays(pub(crate) Vec<(Member, Vec<(i8, i8)>)>);

/// The calendar of one place.
pub(crate) struct Calendar<'a> {
    pub(crate) zone: &'a TimeZone,
    /// Month and day.
    pub(crate) holidays: &'a [(i8, i8)],
}

impl Calendar<'_> {
    /// The first moment at which a period that began at a time is over.
    ///
    /// The day in which it began is not counted, and it ends with the end of
    /// its last day (Art. 3(1) and (2) of Regulation 1182/71; other laws that
    /// count days do the same). Hours are counted to the minute, or from the
    /// next full hour where `whole_hours`.
    pub(crate) fn end_ns(
        &self,
        begun_ns: i64,
        period: Period,
        rolls: bool,
        whole_hours: bool,
    ) -> Option<i64> {
        if let Period::Hours(hours) = period {
            const HOUR_NS: i64 = 3_600_000_000_000;
            let begun_ns = if whole_hours {
                (begun_ns.div_euclid(HOUR_NS) + 1).checked_mul(HOUR_NS)?
            } else {
                begun_ns
            };
            return begun_ns.checked_add(i64::from(hours) * HOUR_NS);
        }
        let begun = Timestamp::from_nanosecond(i128::from(begun_ns)).ok()?;
        let first = begun.to_zoned(self.zone.clone()).date();
        let mut last = match period {
            Period::Months(months) => first.checked_add(i64::from(months).months()).ok()?,
            Period::Days(days) => first.checked_add(i64::from(days).days()).ok()?,
            Period::WorkingDays(days) => self.working_days_after(first, days)?,
            Period::Hours(_) => return None,
        };
        while rolls && !self.is_working_day(last) {
            last = last.tomorrow().ok()?;
        }
        let end = last.tomorrow().ok()?.to_zoned(self.zone.clone()).ok()?;
        i64::try_from(end.timestamp().as_nanosecond()).ok()
    }

    fn working_days_after(&self, mut day: Date, count: u8) -> Option<Date> {
        let mut left = count;
        while left > 0 {
            day = day.tomorrow().ok()?;
            left -= u8::from(self.is_working_day(day));
        }
        Some(day)
    }

    fn is_working_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
            && !self.holidays.contains(&(day.month(), day.day()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Calendar, Period};
    use crate::law::tests::at;

    #[test]
    fn periods_end_where_the_regulation_says() {
        let zone = TimeZone::UTC;
        let calendar = Calendar {
            zone: &zone,
            holidays: &[(12, 25), (1, 1)],
        };
        let month = Period::Months(1);
        for (begun, period, rolls, end) in [
            // The same day of the next month, to its end.
            ("2026-03-05T10:00:00Z", month, false, "2026-04-06T00:00:00Z"),
            // A month without that day ends with its last one.
            ("2026-01-31T10:00:00Z", month, false, "2026-03-01T00:00:00Z"),
            ("2024-01-31T10:00:00Z", month, false, "2024-03-01T00:00:00Z"),
            // 2026-02-28 is a Saturday.
            ("2026-01-31T10:00:00Z", month, true, "2026-03-03T00:00:00Z"),
            // Christmas, then a Saturday and a Sunday.
            ("2026-11-25T10:00:00Z", month, true, "2026-12-29T00:00:00Z"),
            (
                "2026-03-05T23:59:59Z",
                Period::Days(30),
                false,
                "2026-04-05T00:00:00Z",
            ),
            // Friday; Monday, Tuesday, Wednesday.
            (
                "2026-11-20T10:00:00Z",
                Period::WorkingDays(3),
                false,
                "2026-11-26T00:00:00Z",
            ),
            // Thursday before Christmas; Monday is the first working day.
            (
                "2026-12-24T10:00:00Z",
                Period::WorkingDays(1),
                false,
                "2026-12-29T00:00:00Z",
            ),
            (
                "2026-11-20T10:15:00Z",
                Period::Hours(72),
                true,
                "2026-11-23T10:15:00Z",
            ),
        ] {
            let found = calendar.end_ns(at(begun), period, rolls, false);
            assert_eq!(found, Some(at(end)), "{begun} {period:?}");
        }
    }

    #[test]
    fn whole_hours_begin_with_the_next_one() {
        let zone = TimeZone::UTC;
        let calendar = Calendar {
            zone: &zone,
            holidays: &[],
        };
        for begun in ["2026-11-20T10:00:00Z", "2026-11-20T10:59:59Z"] {
            assert_eq!(
                calendar.end_ns(at(begun), Period::Hours(72), false, true),
                Some(at("2026-11-23T11:00:00Z"))
            );
        }
        assert!(calendar.end_ns(-1, Period::Hours(1), false, true) == Some(3_600_000_000_000));
        assert_eq!(
            calendar.end_ns(i64::MAX, Period::Hours(1), false, true),
            None
        );
        assert_eq!(
            calendar.end_ns(i64::MAX, Period::Months(1), false, true),
            None
        );
    }
}
