//! Moments in requests and answers.

use custody_proto::Timestamp;
use custody_proto::v1;

use super::error::Faults;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a
/// `google.protobuf.Timestamp` may say.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Nanoseconds since 1970 of a moment in a request. What a protobuf may say
/// and 64 bits of nanoseconds may not (before 1677, after 2262) is taken as
/// the first or last moment of all: "until the year 9999" is a usual way to
/// ask for everything.
pub(crate) fn read(moment: Option<&Timestamp>, field: &str, faults: &mut Faults) -> Option<i64> {
    let moment = moment?;
    if !SECONDS.contains(&moment.seconds) || !(0..1_000_000_000).contains(&moment.nanos) {
        faults.push(
            field,
            "must be a moment of the years 1 to 9999 with 0 to 999,999,999 nanoseconds",
        );
        return None;
    }
    let end = if moment.seconds < 0 {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(moment.unix_nanos().unwrap_or(end))
}

pub(crate) fn timestamp(nanos: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_nanos(nanos))
}

/// The ledger as it was: both included, both the end of time where absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsOf {
    pub(crate) event_time_ns: i64,
    pub(crate) recorded_time_ns: i64,
}

impl AsOf {
    /// Whether it looks at everything that there is.
    pub(crate) fn is_now(&self) -> bool {
        (self.event_time_ns, self.recorded_time_ns) == (i64::MAX, i64::MAX)
    }

    pub(crate) fn read(as_of: Option<&v1::AsOf>, faults: &mut Faults) -> Self {
        let mut moment =
            |moment: Option<&Timestamp>, field| read(moment, field, faults).unwrap_or(i64::MAX);
        Self {
            event_time_ns: moment(
                as_of.and_then(|as_of| as_of.event_time.as_ref()),
                "as_of.event_time",
            ),
            recorded_time_ns: moment(
                as_of.and_then(|as_of| as_of.recorded_time.as_ref()),
                "as_of.recorded_time",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: i64, nanos: i32) -> (Option<i64>, bool) {
        let mut faults = Faults::default();
        let read = read(Some(&Timestamp { seconds, nanos }), "from", &mut faults);
        (read, faults.or(()).is_ok())
    }

    #[test]
    fn clamps_what_is_far_and_refuses_what_is_no_moment() {
        assert_eq!(moment(1, 5), (Some(1_000_000_005), true));
        assert_eq!(moment(-1, 5), (Some(-999_999_995), true));
        assert_eq!(moment(253_402_300_799, 0), (Some(i64::MAX), true));
        assert_eq!(moment(-62_135_596_800, 0), (Some(i64::MIN), true));
        assert_eq!(moment(253_402_300_800, 0), (None, false));
        assert_eq!(moment(0, -1), (None, false));
        assert_eq!(moment(0, 1_000_000_000), (None, false));
    }
}
