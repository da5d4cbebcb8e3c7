//! What the judge says of a profile's traffic: outcomes by policy, findings by
//! policy and code, and what was not expected.
//!
//! `cargo run --release --example outcomes -p custody-generate [EVENTS [FAILING]]`

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use custody_generate::{Generator, Profile, RETENTION_DAYS};
use custody_policy::{Outcome, Rehearsal, Ruleset, Said};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut profile = Profile::default();
    if let Some(events) = arguments.next() {
        profile.events = events.parse()?;
    }
    if let Some(failing) = arguments.next() {
        profile.failing = failing.parse()?;
    }
    profile.persons = u32::try_from(profile.events / 20)?.max(1);

    let rules = Ruleset::builtin();
    let mut persons: HashMap<String, Rehearsal<'_>> = HashMap::new();
    let mut outcomes: BTreeMap<String, [u32; 5]> = BTreeMap::new();
    let mut findings: BTreeMap<(String, &str), u32> = BTreeMap::new();
    let mut unexpected: BTreeMap<String, u32> = BTreeMap::new();
    for message in Generator::new(profile)? {
        if message.malformed.is_some() || message.duplicate {
            continue;
        }
        let Some(id) = message.primary_id.clone() else {
            continue;
        };
        let said = Said::parse(message.to_json_line().as_bytes())?;
        let person = persons
            .entry(id)
            .or_insert_with(|| Rehearsal::new(rules).with_retention_days(Some(RETENTION_DAYS)));
        let verdict = person.judge(&said)?.to_stored(rules);
        person.take(&said)?;
        if verdict.outcome == Outcome::NotJudged {
            continue;
        }
        let policy = match verdict.policy.as_str() {
            "" => "none".to_owned(),
            policy => policy.to_owned(),
        };
        outcomes.entry(policy.clone()).or_default()[verdict.outcome as usize] += 1;
        let codes: Vec<&str> = verdict.findings.iter().map(|f| f.code.name()).collect();
        for code in &codes {
            *findings.entry((policy.clone(), code)).or_default() += 1;
        }
        let found = match message.expected {
            Some(code) => codes.contains(&code),
            None => codes.is_empty(),
        };
        if !found {
            let event = &said.event;
            let what = format!(
                "{policy} {}: expected {:?}, found {:?}; {:?} {:?}",
                said.kind, message.expected, verdict.findings, event.purposes, event.subject
            );
            *unexpected.entry(what).or_default() += 1;
        }
    }

    let mut out = std::io::stdout().lock();
    for (policy, [_, conforms, _, gap, violation]) in &outcomes {
        let all = conforms + gap + violation;
        let share = 100.0 * f64::from(*conforms) / f64::from(all);
        writeln!(
            out,
            "{policy:9} {all:7} judged, {share:5.1} % conform, {gap} gaps, {violation} violations"
        )?;
    }
    for ((policy, code), count) in &findings {
        writeln!(out, "{policy:9} {code:24} {count:5}")?;
    }
    for (what, count) in &unexpected {
        writeln!(out, "{count:5} {what}")?;
    }
    Ok(())
}
