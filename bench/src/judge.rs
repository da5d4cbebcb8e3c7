//! The judgement of generated events, beside a bare decode of the same ones.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use custody_generate::{Generator, Profile};
use custody_ingest::{DecodeLimits, NormalisedEvent, RawMessage, decode, normalise};
use custody_policy::{Facts, Outcome, Provenance, Ruleset, Settings, SubjectState, judge};
use custody_proto::event::Event;
use prost::Message as _;

/// Events that are timed together: a clock costs tens of nanoseconds.
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

/// One event of a judged kind, and what was known of its person then.
struct Judged {
    event: NormalisedEvent,
    bytes: Vec<u8>,
    state: SubjectState,
}

/// Nanoseconds an event: the median over chunks.
#[derive(Default)]
struct Column {
    runs: Vec<f64>,
}

/// Measures decoding, resolving and judging in turn and prints medians.
pub(crate) fn run(args: &JudgeArgs) -> Result<()> {
    let events = prepare(args)?;
    ensure!(!events.is_empty(), "no judged event was generated");
    let rules = Ruleset::builtin();
    let settings = Settings::default();
    let mut outcomes: HashMap<&'static str, usize> = HashMap::new();
    for judged in &events {
        let facts = judged.event.facts()?;
        let verdict = judge(rules, &facts, &judged.state, &settings);
        *outcomes.entry(verdict.outcome.name()).or_default() += 1;
    }
    let conforms = outcomes.get(Outcome::Conforms.name()).copied();

    let [mut decoded, mut resolved, mut verdicts, mut both] = [(); 4].map(|()| Column::default());
    for _ in 0..args.runs {
        decoded.measure(&events, |judged| {
            black_box(Event::decode(judged.bytes.as_slice()).is_ok());
        });
        resolved.measure(&events, |judged| {
            black_box(judged.event.facts().is_ok());
        });
        both.measure(&events, |judged| {
            if let Ok(facts) = judged.event.facts() {
                black_box(judge(rules, &facts, &judged.state, &settings));
            }
        });
        verdicts.judged(&events, rules, &settings);
    }

    println!(
        "{} events of judged kinds, {:.1} % conform",
        events.len(),
        100.0 * conforms.unwrap_or_default() as f64 / events.len() as f64
    );
    let decode_ns = decoded.median();
    println!("{:<34} {:>8} {:>16}", "", "ns/event", "of a bare decode");
    for (name, column) in [
        ("bare decode (prost, owned)", &decoded),
        ("terms and places resolved", &resolved),
        ("judge", &verdicts),
        ("resolved and judged", &both),
    ] {
        let ns = column.median();
        println!("{name:<34} {ns:>8.0} {:>15.2}×", ns / decode_ns);
    }
    Ok(())
}

/// Generates events and replays each person's, so that each is judged on what
/// was known then.
fn prepare(args: &JudgeArgs) -> Result<Vec<Judged>> {
    let generator = Generator::new(Profile {
        events: args.events,
        persons: args.persons,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })?;
    let limits = DecodeLimits::default();
    let mut states: HashMap<String, SubjectState> = HashMap::new();
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
        let state = states
            .entry(message.primary_id.unwrap_or_default())
            .or_default();
        let facts: Facts<'_> = event.facts()?;
        if facts.kind.is_judged() {
            events.push(Judged {
                bytes: event.data().encode_to_vec(),
                state: state.clone(),
                event: event.clone(),
            });
        }
        state.apply(&facts, Provenance::default());
    }
    Ok(events)
}

impl Column {
    fn measure(&mut self, events: &[Judged], work: impl Fn(&Judged)) {
        let mut chunks: Vec<f64> = events
            .chunks_exact(CHUNK)
            .map(|chunk| {
                let started = Instant::now();
                for judged in chunk {
                    work(judged);
                }
                started.elapsed().as_nanos() as f64 / CHUNK as f64
            })
            .collect();
        chunks.sort_by(f64::total_cmp);
        self.runs.extend(chunks.get(chunks.len() / 2));
    }

    /// Judging alone: the terms are resolved before the clock starts.
    fn judged(&mut self, events: &[Judged], rules: &Ruleset, settings: &Settings<'_>) {
        let mut chunks: Vec<f64> = events
            .chunks_exact(CHUNK)
            .map(|chunk| {
                let facts: Vec<_> = chunk.iter().map(|judged| judged.event.facts()).collect();
                let started = Instant::now();
                for (facts, judged) in facts.iter().zip(chunk) {
                    if let Ok(facts) = facts {
                        black_box(judge(rules, facts, &judged.state, settings));
                    }
                }
                started.elapsed().as_nanos() as f64 / CHUNK as f64
            })
            .collect();
        chunks.sort_by(f64::total_cmp);
        self.runs.extend(chunks.get(chunks.len() / 2));
    }

    fn median(&self) -> f64 {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
