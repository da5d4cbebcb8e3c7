//! Answers for three persons, a screen each.

use std::time::{Duration, Instant};

use custody_generate::Notable;
use custody_proto::v1::{GetSubjectRequest, ListRecipientsRequest};
use custody_query::{Ask, Deadline, LineageApi};

use super::{Story, judgements, look};
use crate::error::CommandError;
use crate::node::Node;
use crate::output::{Answer, Format, Rendering, Zone, count};

/// Rows shown of a person.
const ROWS: usize = 7;

/// How long the read model may take to come up to the ledger.
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);

/// Shows who received what of each notable person.
pub(super) fn show(story: &mut Story, node: &Node, notable: &Notable) -> Result<(), CommandError> {
    let api = LineageApi::new(node.query_state());
    wait_until_visible(&api, node)?;
    let persons = [
        (
            "buys, has parcels cleared by customs, is marketed to",
            &notable.buyer,
        ),
        ("withdrew a consent, claimed rights, left", &notable.leaver),
        (
            "was disclosed to an authority, or is a minor",
            &notable.unusual,
        ),
    ];
    let mut shown: Vec<String> = Vec::new();
    for (what, id) in persons {
        if let Some(id) = id
            && !shown.contains(id)
        {
            show_one(story, &api, id, what)?;
            shown.push(id.clone());
        }
    }
    judgements::of_everybody(story, &api)?;
    judgements::explained(story, &api, &shown)
}

fn show_one(story: &mut Story, api: &LineageApi, id: &str, what: &str) -> Result<(), CommandError> {
    let started = Instant::now();
    let summary = ask(
        api,
        GetSubjectRequest {
            subject: id.to_owned(),
            ..Default::default()
        },
    )?;
    let mut answer = ask(
        api,
        ListRecipientsRequest {
            subject: id.to_owned(),
            page_size: 1_000,
            ..Default::default()
        },
    )?;
    let took = started.elapsed().as_secs_f64() * 1_000.0;
    let rows = answer.recipients.len();
    // The rows that most went to; the whole list is `custody subject`'s.
    answer
        .recipients
        .sort_by_key(|row| std::cmp::Reverse(row.count));
    answer.recipients.truncate(ROWS);
    let rendering = Rendering {
        format: Format::Table,
        look: look(),
        zone: Zone::utc(),
    };
    story.say(format_args!(""))?;
    story.say(format_args!(
        "{id}, who {what}: {} entries, {} recipients, {} countries; answered in {took:.1} ms",
        count(summary.entries),
        count(summary.recipients),
        summary.countries.len(),
    ))?;
    story.say(format_args!(""))?;
    answer.write_people(&mut story.out, &rendering)?;
    if rows > ROWS {
        story.say(format_args!("… and {} more rows", rows - ROWS))?;
    }
    let judged = &summary.entries_by_judgement;
    let of = |outcome: &str| judged.get(outcome).copied().unwrap_or_default();
    let judged = format!(
        "{} conform, {} are gaps, {} are violations",
        count(of("conforms")),
        count(of("gap")),
        count(of("violation")),
    );
    judgements::of_person(story, api, id, &judged)
}

pub(super) fn ask<Q: Ask>(api: &LineageApi, question: Q) -> Result<Q::Answer, CommandError> {
    api.ask(question, Deadline::default())
        .map_err(|status| CommandError::Refused {
            code: format!("{:?}", status.code()),
            message: status.message().to_owned(),
        })
}

fn wait_until_visible(api: &LineageApi, node: &Node) -> Result<(), CommandError> {
    let entries: u64 = node
        .ledger()
        .shards()
        .iter()
        .map(|(_, head)| head.size)
        .sum();
    let deadline = Instant::now() + VISIBLE_WITHIN;
    let (visible, reached) = api
        .state()
        .read_model()
        .wait_until(deadline, |visible| visible.entries() >= entries);
    if reached {
        return Ok(());
    }
    Err(CommandError::Stopped {
        what: "the read model",
        reason: format!(
            "it has {} of {} entries",
            count(visible.entries()),
            count(entries)
        ),
    })
}
