//! Moments as people write and read them.

use custody_proto::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The zone that moments are shown in.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of this machine and session (`TZ`).
    pub fn local() -> Self {
        Self(TimeZone::system())
    }

    /// Its name, such as `Europe/Berlin`.
    pub fn name(&self) -> &str {
        match self.0.iana_name() {
            Some("Etc/UTC") => "UTC",
            Some(name) => name,
            None => "local time",
        }
    }

    /// Day, hour, minute and second.
    pub fn second(&self, moment: Option<Timestamp>) -> String {
        self.shown(moment, "%Y-%m-%d %H:%M:%S")
    }

    /// The day.
    pub fn day(&self, moment: Option<Timestamp>) -> String {
        self.shown(moment, "%Y-%m-%d")
    }

    fn shown(&self, moment: Option<Timestamp>, form: &str) -> String {
        moment
            .and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok())
            .map(|at| at.to_zoned(self.0.clone()).strftime(form).to_string())
            .unwrap_or_default()
    }

    /// Reads RFC 3339, or a day, which means its first moment in this zone.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(&self, text: &str) -> Result<Timestamp, String> {
        if let Ok(moment) = text.parse() {
            return Ok(moment);
        }
        let day: Date = text.parse().map_err(|_| {
            format!("`{text}` is no time: write 2025-03-01 or 2025-03-01T09:30:00Z")
        })?;
        let start = day
            .to_zoned(self.0.clone())
            .map_err(|_| format!("`{text}` is out of range"))?
            .timestamp();
        Ok(Timestamp {
            seconds: start.as_second(),
            nanos: start.subsec_nanosecond(),
        })
    }
}

/// [`Zone::parse`] of what may not have been given.
///
/// # Errors
/// What to write instead.
pub fn parse_moment(zone: &Zone, text: Option<&str>) -> Result<Option<Timestamp>, String> {
    text.map(|text| zone.parse(text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone(TimeZone::fixed(jiff::tz::offset(match name {
            "east" => 2,
            _ => -7,
        })))
    }

    #[test]
    fn a_day_begins_in_the_readers_zone() {
        let at = zone("east").parse("2025-03-01").unwrap();
        assert_eq!(at.to_string(), "2025-02-28T22:00:00Z");
        assert_eq!(zone("east").second(Some(at)), "2025-03-01 00:00:00");
        assert_eq!(zone("west").day(Some(at)), "2025-02-28");
    }

    #[test]
    fn a_moment_is_itself_in_every_zone() {
        let at = zone("east").parse("2025-03-01T09:30:00+01:00").unwrap();
        assert_eq!(at.to_string(), "2025-03-01T08:30:00Z");
    }

    #[test]
    fn other_text_says_what_to_write() {
        for text in ["", "yesterday", "2025-13-01", "03/01/2025"] {
            let error = Zone::utc().parse(text).unwrap_err();
            assert!(error.contains("write 2025-03-01"), "{error}");
        }
    }

    #[test]
    fn nothing_is_shown_as_nothing() {
        assert_eq!(Zone::utc().day(None), "");
    }
}
