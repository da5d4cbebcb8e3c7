//! What the judge said: of one person, of everybody, and once step by step.

use std::collections::BTreeMap;

use custody_policy::{ClauseKind, FindingCode, Pack};
use custody_proto::v1::{
    CitedClause, Entry, EntryFilter, EntryPosition, EntryView, Finding, FindingFilter, FindingRow,
    JudgeRequest, JudgedEvent, ListEventsRequest, ListEventsResponse, ListFindingsRequest,
    OversightFindingSummaryRequest, OversightListRequest,
};
use custody_query::{LineageApi, OversightFindings};

use super::persons::ask;
use super::{RETENTION_DAYS, Story, look};
use crate::error::CommandError;
use crate::output::{Look, Sheet, Zone, count, country, paint_outcome, what, words};

/// Findings shown of a person, each of another code.
const FINDINGS: usize = 4;
/// Most of a history that a dry run takes.
const HISTORY: i32 = 1_000;
/// Where nobody has a terminal that says how wide it is.
const WIDE: usize = 76;

/// Which finding is worth explaining, best first: those that rest on what the
/// person had said before.
const TELLING: [FindingCode; 6] = [
    FindingCode::ConsentWithdrawn,
    FindingCode::Objected,
    FindingCode::OptedOut,
    FindingCode::ConsentExpired,
    FindingCode::Restricted,
    FindingCode::TermsReduced,
];

/// One conforming disclosure and some findings of a person.
pub(super) fn of_person(
    story: &mut Story,
    api: &LineageApi,
    id: &str,
    judged: &str,
) -> Result<(), CommandError> {
    let conforming = ask(
        api,
        ListEventsRequest {
            subject: id.to_owned(),
            filter: Some(EntryFilter {
                kinds: vec!["disclosure".to_owned()],
                judgements: vec!["conforms".to_owned()],
                ..EntryFilter::default()
            }),
            page_size: 1,
            descending: true,
            with_clauses: true,
            ..ListEventsRequest::default()
        },
    )?;
    let found = findings(api, id, HISTORY)?;
    let mut sheet = Sheet::new([
        "When",
        "What",
        "Judgement",
        "Clause",
        "What the clause says",
    ]);
    let zone = Zone::utc();
    for entry in &conforming.entries {
        let clause = telling_clause(entry);
        sheet.push(row(&zone, entry, "conforms".to_owned(), clause.as_ref()));
    }
    for (finding, entry) in chosen(&found) {
        let judgement = format!("{}: {}", finding.class, words(&finding.code));
        let mut cells = row(&zone, entry, judgement, finding.cited.first());
        if finding.cited.is_empty() {
            meaning(&finding.code).clone_into(&mut cells[4]);
        }
        sheet.push(cells);
    }
    story.say(format_args!(""))?;
    story.say(format_args!("Judged: {judged}. For example:"))?;
    story.say(format_args!(""))?;
    Ok(sheet.write_table(&mut story.out, look())?)
}

/// Findings of different codes, those that cite a clause before those that do
/// not, in order of time.
fn chosen(found: &[FindingRow]) -> Vec<(&Finding, &Entry)> {
    let mut chosen: Vec<(&Finding, &Entry)> = Vec::new();
    for cites in [true, false] {
        for row in found {
            let (Some(finding), Some(entry)) = (&row.finding, &row.entry) else {
                continue;
            };
            let new = chosen.iter().all(|(other, _)| other.code != finding.code);
            let room = chosen.len() < FINDINGS - usize::from(cites);
            if room && new && finding.cited.is_empty() != cites {
                chosen.push((finding, entry));
            }
        }
    }
    chosen.sort_by_key(|(_, entry)| entry.event_time.map(|at| (at.seconds, at.nanos)));
    chosen
}

fn meaning(code: &str) -> &'static str {
    FindingCode::from_name(code).map_or("", FindingCode::meaning)
}

fn row(zone: &Zone, entry: &Entry, judgement: String, clause: Option<&CitedClause>) -> [String; 5] {
    [
        zone.day(entry.event_time),
        clipped(&what(entry), 44),
        judgement,
        clause.map_or_else(|| "none".to_owned(), name),
        clause.map_or_else(String::new, |clause| clipped(&clause.summary, WIDE)),
    ]
}

/// `ALB-2025.048, § 5`. Some sections have names instead of numbers.
fn name(clause: &CitedClause) -> String {
    match clause.section.as_str() {
        "" => clause.id.clone(),
        number if number.len() <= 4 => format!("{}, § {number}", clause.id),
        section => format!("{}, {section}", clause.id),
    }
}

/// Of the clauses that declare a disclosure, the one on the recipient.
fn telling_clause(entry: &Entry) -> Option<CitedClause> {
    let pack = Pack::builtin()
        .ok()?
        .iter()
        .find(|pack| pack.id() == entry.judged_policy)?;
    let is = |clause: &&CitedClause, kind: ClauseKind| {
        let mut clauses = pack.clauses().iter();
        clauses.any(|c| c.id == clause.id && c.kind == kind)
    };
    let mut cited = entry.cited.iter();
    let recipient = cited.find(|clause| is(clause, ClauseKind::Recipient));
    recipient.or(entry.cited.first()).cloned()
}

fn findings(api: &LineageApi, id: &str, at_most: i32) -> Result<Vec<FindingRow>, CommandError> {
    let request = ListFindingsRequest {
        subject: id.to_owned(),
        page_size: at_most,
        with_clauses: true,
        ..ListFindingsRequest::default()
    };
    Ok(ask(api, request)?.findings)
}

/// How much was found of each code under each policy, and one clause of each.
pub(super) fn of_everybody(story: &mut Story, api: &LineageApi) -> Result<(), CommandError> {
    let summary = ask(api, OversightFindingSummaryRequest::default())?;
    let mut policies: Vec<String> = summary.counts.iter().map(|c| c.policy.clone()).collect();
    policies.sort_unstable();
    policies.dedup();
    // Where no policy applies stands last.
    policies.retain(|policy| !policy.is_empty());
    policies.push(String::new());
    let mut codes: BTreeMap<(usize, &str), BTreeMap<&str, u64>> = BTreeMap::new();
    for counted in &summary.counts {
        let order = FindingCode::ALL
            .iter()
            .position(|code| code.name() == counted.code);
        let key = (order.unwrap_or(usize::MAX), counted.code.as_str());
        codes
            .entry(key)
            .or_default()
            .insert(&counted.policy, counted.count);
    }
    let headers = policies.iter().map(|policy| match policy.as_str() {
        "" => "none".to_owned(),
        policy => policy.to_owned(),
    });
    let headers: Vec<String> = ["Finding".to_owned()]
        .into_iter()
        .chain(headers)
        .chain(["For example".to_owned()])
        .collect();
    let mut sheet = Sheet::new(headers);
    for column in 1..=policies.len() {
        sheet = sheet.number(column);
    }
    let mut total = 0;
    for ((_, code), by_policy) in &codes {
        let numbers = policies.iter().map(|policy| {
            by_policy
                .get(policy.as_str())
                .map_or_else(String::new, |n| count(*n))
        });
        total += by_policy.values().sum::<u64>();
        let cells: Vec<String> = [words(code)]
            .into_iter()
            .chain(numbers)
            .chain([example(api, code)?])
            .collect();
        sheet.push(cells);
    }
    story.step(format_args!(
        "{} findings over all persons, by policy version and code, with a clause that one of each \
         rests on, or what it means where none says anything. About one event in twenty was sent wrong on purpose; data may be used for \
         {RETENTION_DAYS} days after an account is closed.",
        count(total),
    ))?;
    story.say(format_args!(""))?;
    Ok(sheet.write_table(&mut story.out, look())?)
}

/// A clause that a finding of this code rests on.
fn example(api: &LineageApi, code: &str) -> Result<String, CommandError> {
    let request = OversightListRequest {
        findings: Some(FindingFilter {
            codes: vec![code.to_owned()],
            ..FindingFilter::default()
        }),
        page_size: 20,
        with_clauses: true,
        ..OversightListRequest::default()
    };
    let answer = ask(api, OversightFindings(request))?;
    let cited = answer
        .findings
        .iter()
        .filter_map(|row| row.finding.as_ref());
    let clause = cited.flat_map(|finding| &finding.cited).next();
    Ok(match clause {
        Some(clause) => format!("{}: {}", name(clause), clipped(&clause.summary, WIDE)),
        None => meaning(code).to_owned(),
    })
}

/// Explains one finding of one of these persons: its events are judged again
/// in order, as a dry run, from what was sealed.
pub(super) fn explained(
    story: &mut Story,
    api: &LineageApi,
    persons: &[String],
) -> Result<(), CommandError> {
    for id in persons.iter().rev() {
        let events = ask(
            api,
            ListEventsRequest {
                subject: id.clone(),
                page_size: HISTORY,
                view: EntryView::Full.into(),
                ..ListEventsRequest::default()
            },
        )?;
        if events.entries.is_empty() {
            continue;
        }
        let found = findings(api, id, HISTORY)?;
        if let Some((finding, at)) = most_telling(&found, &events) {
            return explain(story, api, id, &events, finding, at);
        }
    }
    Ok(())
}

/// The finding to explain, and which of the events it is about.
fn most_telling<'a>(
    found: &'a [FindingRow],
    events: &ListEventsResponse,
) -> Option<(&'a FindingRow, usize)> {
    let order = |row: &FindingRow| {
        let finding = row.finding.as_ref()?;
        let code = TELLING.iter().position(|c| c.name() == finding.code)?;
        let entry = row.entry.as_ref()?;
        let at = events
            .entries
            .iter()
            .position(|e| e.position == entry.position)?;
        Some((code, at))
    };
    let telling = found.iter().filter_map(|row| Some((order(row)?, row)));
    let ((_, at), row) = telling.min_by_key(|(order, _)| *order)?;
    Some((row, at))
}

fn explain(
    story: &mut Story,
    api: &LineageApi,
    id: &str,
    events: &ListEventsResponse,
    row: &FindingRow,
    at: usize,
) -> Result<(), CommandError> {
    let (Some(entry), Some(finding)) = (events.entries.get(at), row.finding.as_ref()) else {
        return Ok(());
    };
    let Some(event) = judged(entry) else {
        return Ok(());
    };
    let answer = ask(
        api,
        JudgeRequest {
            r#type: event.r#type,
            time: event.time,
            event: event.event,
            id: event.id,
            source: event.source,
            history: events.entries.iter().take(at).filter_map(judged).collect(),
            retention_days_after_account_closed: Some(RETENTION_DAYS),
            ..JudgeRequest::default()
        },
    )?;
    let zone = Zone::utc();
    story.step(format_args!(
        "Why? {id}, {}, {}: {}. The same judgement, made again from what was sealed:",
        zone.second(entry.event_time),
        what(entry),
        paint_outcome(&words(&finding.code), look()),
    ))?;
    story.say(format_args!(""))?;
    for (number, step) in (1..).zip(&answer.reasoning) {
        // A dry run counts its own history; the ledger's entry follows below.
        let step = step.split(" Decided by ").next().unwrap_or(step);
        wrapped(story, &format!("{number:2}. {step}"))?;
    }
    for decided in &finding.decided_by {
        let said = events.entries.iter().find(|e| is_at(e, decided));
        if let Some(said) = said {
            let place = country(&said.jurisdiction);
            wrapped(
                story,
                &format!(
                    "It rests on entry {} of shard {}…: {}, {}, {place}.",
                    count(decided.sequence),
                    decided.shard.get(..8).unwrap_or(&decided.shard),
                    what(said),
                    zone.second(said.event_time),
                ),
            )?;
        }
    }
    Ok(())
}

fn is_at(entry: &Entry, position: &EntryPosition) -> bool {
    let at = entry.position.as_ref();
    at.is_some_and(|at| at.shard == position.shard && at.sequence == position.sequence)
}

/// An entry as an event of a dry run; `None` of what Custody said itself.
fn judged(entry: &Entry) -> Option<JudgedEvent> {
    let sealed = entry.sealed.as_ref()?;
    Some(JudgedEvent {
        r#type: format!("custody.{}.v1", entry.kind),
        time: entry.event_time,
        event: Some(sealed.data.clone()?),
        id: sealed.id.clone(),
        source: sealed.source.clone(),
    })
}

/// The first so many letters, and a sign that there is more.
fn clipped(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// Says a long sentence on several lines.
fn wrapped(story: &mut Story, text: &str) -> Result<(), CommandError> {
    let Look { width, .. } = look();
    let columns = width.map_or(110, usize::from).clamp(40, 110) - 8;
    let mut line = String::new();
    let mut indent = "";
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= columns {
            story.say(format_args!("{indent}{line}"))?;
            line.clear();
            indent = "    ";
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    story.say(format_args!("{indent}{line}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::clipped;

    #[test]
    fn what_is_too_long_is_cut_between_letters() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("größer als erlaubt", 6), "größer…");
        assert_eq!(clipped("cut after a blank", 4), "cut…");
    }
}
