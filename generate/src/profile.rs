//! What to generate.

use custody_proto::Timestamp;
use serde::{Deserialize, Serialize};

/// The most events that one profile may ask for.
const MAX_EVENTS: u64 = 1_000_000_000;
/// The most persons that one profile may ask for.
const MAX_PERSONS: u32 = 10_000_000;

/// What to generate. Equal profiles give equal messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Where randomness starts. Default 1.
    pub seed: u64,
    /// How many messages, malformed and redelivered ones included. Default
    /// 100,000; at most a thousand million.
    pub events: u64,
    /// How many persons. Default 5,000; at most ten million, and never more
    /// than there are events for them.
    pub persons: u32,
    /// The exponent of Zipf's law for events a person: 0 gives everybody the
    /// same, 1 gives the busiest twice as many as the next. Default 0.9; from
    /// 0 to 3.
    pub skew: f64,
    /// When the first event may happen. Default 2022-01-01, so that all five
    /// policies are in force for some of the time.
    pub start: Timestamp,
    /// When the last event may happen. Default 2026-01-01.
    pub end: Timestamp,
    /// Who uses which service; the date then says which policy is in force.
    pub services: ServiceMix,
    /// The share of malformed messages. Default 0.002.
    pub malformed: f64,
    /// The share of messages that were sent before. Default 0.01.
    pub duplicates: f64,
    /// About which share of the judged events is wrong on purpose, as a
    /// careless service would be: what the judge is expected to find is in
    /// [`Message::expected`](crate::Message::expected). 0: none is, and minors
    /// do not occur either. Default 0.05; at most 0.5.
    pub failing: f64,
    /// How messages are written.
    pub encodings: EncodingMix,
}

/// Relative numbers of persons a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceMix {
    /// ALC-2017, then ALC-2023. Default 2.
    pub alibaba_cloud: u32,
    /// ALB-2020, then ALB-2025. Default 4.
    pub alibaba_com: u32,
    /// AE-2020. Default 4.
    pub aliexpress: u32,
}

/// Relative numbers of messages an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncodingMix {
    /// `application/cloudevents+json`. Default 3.
    pub structured: u32,
    /// `ce_*` headers, payload `application/json`. Default 3.
    pub binary_json: u32,
    /// `ce_*` headers, payload `application/protobuf`; one in five in
    /// Confluent framing. Default 4.
    pub binary_protobuf: u32,
}

/// A profile that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// A number is out of its range.
    #[error("{field} must be {allowed}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            seed: 1,
            events: 100_000,
            persons: 5_000,
            skew: 0.9,
            start: Timestamp {
                seconds: 1_640_995_200,
                nanos: 0,
            },
            end: Timestamp {
                seconds: 1_767_225_600,
                nanos: 0,
            },
            services: ServiceMix::default(),
            malformed: 0.002,
            duplicates: 0.01,
            failing: 0.05,
            encodings: EncodingMix::default(),
        }
    }
}

impl Default for ServiceMix {
    fn default() -> Self {
        Self {
            alibaba_cloud: 2,
            alibaba_com: 4,
            aliexpress: 4,
        }
    }
}

impl Default for EncodingMix {
    fn default() -> Self {
        Self {
            structured: 3,
            binary_json: 3,
            binary_protobuf: 4,
        }
    }
}

impl Profile {
    /// Whether it can be followed.
    ///
    /// # Errors
    /// [`ProfileError`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), ProfileError> {
        let require = |holds: bool, field, allowed| {
            holds
                .then_some(())
                .ok_or(ProfileError::OutOfRange { field, allowed })
        };
        require(
            (1..=MAX_EVENTS).contains(&self.events),
            "events",
            "from 1 to 1000000000",
        )?;
        require(
            (1..=MAX_PERSONS).contains(&self.persons),
            "persons",
            "from 1 to 10000000",
        )?;
        require((0.0..=3.0).contains(&self.skew), "skew", "from 0 to 3")?;
        require(
            (0.0..=1.0).contains(&self.malformed),
            "malformed",
            "from 0 to 1",
        )?;
        require(
            (0.0..=1.0).contains(&self.duplicates),
            "duplicates",
            "from 0 to 1",
        )?;
        require(
            self.malformed + self.duplicates <= 1.0,
            "malformed + duplicates",
            "at most 1",
        )?;
        require(
            (0.0..=0.5).contains(&self.failing),
            "failing",
            "from 0 to 0.5",
        )?;
        // 1980 and 2200: what a message may say, and nanoseconds that fit.
        let range = 315_532_800..7_258_118_400;
        require(
            range.contains(&self.start.seconds),
            "start",
            "from 1980 to 2200",
        )?;
        require(
            range.contains(&self.end.seconds),
            "end",
            "from 1980 to 2200",
        )?;
        require(self.start < self.end, "end", "after start")?;
        let weights = |weights: [u32; 3]| {
            let sum = weights.iter().map(|w| u64::from(*w)).sum::<u64>();
            (1..=1_000_000).contains(&sum)
        };
        let s = self.services;
        require(
            weights([s.alibaba_cloud, s.alibaba_com, s.aliexpress]),
            "services",
            "from 1 to 1000000 in sum",
        )?;
        let e = self.encodings;
        require(
            weights([e.structured, e.binary_json, e.binary_protobuf]),
            "encodings",
            "from 1 to 1000000 in sum",
        )
    }

    /// [`failing`](Self::failing) in millionths.
    pub(crate) fn failing_ppm(&self) -> u32 {
        (self.failing * 1_000_000.0) as u32
    }

    pub(crate) fn start_ms(&self) -> i64 {
        self.start.seconds * 1000
    }

    pub(crate) fn end_ms(&self) -> i64 {
        self.end.seconds * 1000
    }
}
