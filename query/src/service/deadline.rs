//! Until when a question may wait.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

/// How long a question waits where the caller says nothing: 30 seconds.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// The answer must be on its way before the caller gives up: what is missing
/// is said in it, and a caller who gave up hears nothing.
const MARGIN: Duration = Duration::from_millis(100);

/// Until when a question may wait for the read model.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub(crate) Instant);

impl Default for Deadline {
    fn default() -> Self {
        Self::after(DEFAULT_WAIT)
    }
}

impl Deadline {
    /// So long from now.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(DEFAULT_WAIT))
    }

    /// From a request's `grpc-timeout`, less the same margin, however long it is;
    /// `None` where there is none. For streams, which take as long as their
    /// reader does.
    pub(crate) fn said(metadata: &MetadataMap) -> Option<Self> {
        let timeout = metadata.get("grpc-timeout")?;
        let timeout = parse(timeout.to_str().ok()?)?;
        let timeout = timeout.saturating_sub(MARGIN.min(timeout / 10));
        Instant::now().checked_add(timeout).map(Self)
    }

    /// From a request's `grpc-timeout`, less a margin of a tenth and at most
    /// 100 ms; never longer than 30 seconds.
    pub(crate) fn of(metadata: &MetadataMap) -> Self {
        let timeout = metadata
            .get("grpc-timeout")
            .and_then(|value| parse(value.to_str().ok()?));
        timeout.map_or_else(Self::default, |timeout| {
            Self::after(timeout.saturating_sub(MARGIN.min(timeout / 10)))
        })
    }
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol over HTTP/2: at most 8
/// digits and one of `H M S m u n`.
fn parse(timeout: &str) -> Option<Duration> {
    let unit = timeout.chars().last()?;
    let digits = timeout.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(value * 3600),
        'M' => Duration::from_secs(value * 60),
        'S' => Duration::from_secs(value),
        'm' => Duration::from_millis(value),
        'u' => Duration::from_micros(value),
        'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_grpc_says() {
        assert_eq!(parse("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parse("2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse("3S"), Some(Duration::from_secs(3)));
        assert_eq!(parse("4m"), Some(Duration::from_millis(4)));
        assert_eq!(parse("5u"), Some(Duration::from_micros(5)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "S", "1", "-1S", "1s", "123456789S", "1 S", "é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_default() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "99999999H".parse().unwrap());
        assert!(Deadline::of(&metadata).0 <= Instant::now() + DEFAULT_WAIT);
        let long = Duration::from_secs(3600 * 24 * 365);
        assert!(Deadline::said(&metadata).is_none_or(|it| it.0 > Instant::now() + long));
        assert!(Deadline::said(&MetadataMap::new()).is_none());
        metadata.insert("grpc-timeout", "1S".parse().unwrap());
        let left = Deadline::of(&metadata).0 - Instant::now();
        assert!(
            left > Duration::from_millis(500) && left <= Duration::from_millis(900),
            "{left:?}"
        );
    }
}
