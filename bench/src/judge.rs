//! The judgement of generated events, beside a bare decode of the same ones.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use custody_generate::{Generator, Profile};
use custody_ingest::{DecodeLimits, NormalisedEvent, RawMessage, decode, normalise};
use custody_policy::{Outcome, Provenance, Ruleset, Settings, SubjectState, judge};
use custody_proto::event::Event;
use prost::Message as _;

/// Events that are decoded together: a clock costs tens of nanoseconds.
const CHUNK: usize = 64;

/// What to measure.
#[derive(Args)]
pub(crate) struct JudgeArgs {
    /// Events to generate.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// Persons.
    #[arg(long, default_value_t = 20_000)]
    persons: u32,
    /// Measurements of each.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// One event, and whose it is.
struct Taken {
    event: NormalisedEvent,
    bytes: Vec<u8>,
    person: usize,
}

/// Nanoseconds an event: a median for each run.
#[derive(Default)]
struct Column {
    runs: Vec<f64>,
}

/// Measures decoding, resolving and judging in turn and prints medians.
pub(crate) fn run(args: &JudgeArgs) -> Result<()> {
    let (events, persons) = prepare(args)?;
    ensure!(!events.is_empty(), "no judged event was generated");
    let rules = Ruleset::builtin();
    let clock = clock_ns();
    let [mut decoded, mut resolved, mut verdicts] = [(); 3].map(|()| Column::default());
    let mut judged = 0;
    let mut conform = 0;
    for _ in 0..args.runs {
        decoded.measure(&events, |taken| {
            black_box(Event::decode(taken.bytes.as_slice()).is_ok());
        });
        resolved.measure(&events, |taken| {
            black_box(taken.event.facts().is_ok());
        });
        (judged, conform) = verdicts.judged(&events, persons, rules, clock)?;
    }

    println!(
        "{} events of judged kinds, {:.1} % conform",
        judged,
        100.0 * conform as f64 / judged as f64
    );
    let decode_ns = decoded.median();
    println!("{:<34} {:>8} {:>16}", "", "ns/event", "of a bare decode");
    for (name, column) in [
        ("bare decode (prost, owned)", &decoded),
        ("terms and places resolved", &resolved),
        ("judge", &verdicts),
    ] {
        let ns = column.median();
        println!("{name:<34} {ns:>8.0} {:>15.2}×", ns / decode_ns);
    }
    Ok(())
}

/// Generates events, decodes and normalises them.
fn prepare(args: &JudgeArgs) -> Result<(Vec<Taken>, usize)> {
    let generator = Generator::new(Profile {
        events: args.events,
        persons: args.persons,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })?;
    let limits = DecodeLimits::default();
    let mut persons: HashMap<String, usize> = HashMap::new();
    let mut events = Vec::new();
    for (offset, message) in (0i64..).zip(generator) {
        let raw = RawMessage {
            topic: "bench".into(),
            partition: 0,
            offset,
            timestamp_ms: Some(message.time_ms),
            key: Some(message.key),
            headers: message
                .headers
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect(),
            payload: message.payload,
        };
        let Ok(event) = decode(&raw, &limits, i64::MAX).and_then(normalise) else {
            continue;
        };
        let next = persons.len();
        events.push(Taken {
            bytes: event.data().encode_to_vec(),
            person: *persons
                .entry(message.primary_id.unwrap_or_default())
                .or_insert(next),
            event,
        });
    }
    Ok((events, persons.len()))
}

/// What reading the clock costs, nanoseconds: the median.
fn clock_ns() -> f64 {
    let mut costs: Vec<u128> = (0..10_001)
        .map(|_| {
            let started = Instant::now();
            black_box(started.elapsed()).as_nanos()
        })
        .collect();
    costs.sort_unstable();
    costs[costs.len() / 2] as f64
}

impl Column {
    fn measure(&mut self, events: &[Taken], work: impl Fn(&Taken)) {
        let mut chunks: Vec<f64> = events
            .chunks_exact(CHUNK)
            .map(|chunk| {
                let started = Instant::now();
                for taken in chunk {
                    work(taken);
                }
                started.elapsed().as_nanos() as f64 / CHUNK as f64
            })
            .collect();
        chunks.sort_by(f64::total_cmp);
        self.runs.extend(chunks.get(chunks.len() / 2));
    }

    /// Replays everybody's events in order. Only the judgement is timed, an
    /// event at a time, less what the clock costs: its terms are resolved
    /// before, and the event is made known afterwards. How many were judged,
    /// and how many of them conform.
    fn judged(
        &mut self,
        events: &[Taken],
        persons: usize,
        rules: &Ruleset,
        clock: f64,
    ) -> Result<(usize, usize)> {
        let settings = Settings::default();
        let mut states = vec![SubjectState::default(); persons];
        let mut times: Vec<f64> = Vec::with_capacity(events.len());
        let mut conform = 0;
        for taken in events {
            let facts = taken.event.facts()?;
            let state = &mut states[taken.person];
            if facts.kind.is_judged() {
                let started = Instant::now();
                let verdict = black_box(judge(rules, &facts, state, &settings));
                times.push(started.elapsed().as_nanos() as f64 - clock);
                conform += usize::from(verdict.outcome == Outcome::Conforms);
            }
            state.apply(&facts, Provenance::default());
        }
        times.sort_by(f64::total_cmp);
        self.runs.extend(times.get(times.len() / 2));
        Ok((times.len(), conform))
    }

    fn median(&self) -> f64 {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
