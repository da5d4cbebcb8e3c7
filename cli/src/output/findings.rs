//! What the judge found, with the clauses that it rests on.

use std::collections::BTreeSet;
use std::io::{self, Write};

use custody_policy::FindingCode;
use custody_proto::v1::{
    CitedClause, EntryPosition, Finding, FindingCount, FindingRow, GetFindingSummaryResponse,
    LedgerHead, ListFindingsResponse,
};

use super::Sheet;
use super::answer::{Answer, Rendering, days, rfc3339};
use super::labels::{count, words};
use super::timeline::what;

/// Digits of a person's reference that a table shows.
const REFERENCE_SHOWN: usize = 8;

impl Answer for ListFindingsResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.findings.is_empty() {
            return writeln!(out, "Nothing was found.");
        }
        let persons: BTreeSet<&str> = self.findings.iter().map(|r| r.reference.as_str()).collect();
        let when = format!("When ({})", rendering.zone.name());
        let mut headers = vec![when.as_str(), "What", "Found", "It rests on", "Judged by"];
        if persons.len() > 1 {
            headers.insert(0, "Person");
        }
        let mut sheet = Sheet::new(headers);
        for row in &self.findings {
            let (Some(finding), Some(entry)) = (&row.finding, &row.entry) else {
                continue;
            };
            let mut cells = vec![
                rendering.zone.second(entry.event_time),
                what(entry),
                found(finding),
                cited(finding),
                row.policy.clone(),
            ];
            if persons.len() > 1 {
                let digits = row.reference.get(..REFERENCE_SHOWN);
                cells.insert(0, digits.unwrap_or(&row.reference).to_owned());
            }
            sheet.push(cells);
        }
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "reference",
            "event_time",
            "found_time",
            "kind",
            "service",
            "code",
            "class",
            "arguments",
            "policy",
            "clauses",
            "sections",
            "suppressed",
            "waiver",
            "superseded",
            "due_time",
            "decided_by",
            "shard",
            "sequence",
            "found_by_shard",
            "found_by_sequence",
        ]);
        for row in &self.findings {
            sheet.push(record(row));
        }
        sheet
    }
}

/// What was found, in plain words.
fn found(finding: &Finding) -> String {
    let class = match (finding.suppressed, finding.superseded) {
        (_, true) => format!("superseded {}", words(&finding.class)),
        (true, _) => "suppressed".to_owned(),
        _ => words(&finding.class),
    };
    let mut lines = vec![format!("{class}: {}", words(&finding.code))];
    if let Some(code) = FindingCode::from_name(&finding.code) {
        lines.push(code.meaning().to_owned());
    }
    if !finding.arguments.is_empty() {
        lines.push(format!("[{}]", finding.arguments.join(", ")));
    }
    if !finding.waiver.is_empty() {
        lines.push(format!("waived by {}", finding.waiver));
    }
    if finding.due_time.is_some() {
        lines.push(format!("was due {}", rfc3339(finding.due_time)));
    }
    lines.join("\n")
}

/// The clauses of a finding, one a line, with section and summary where known.
fn cited(finding: &Finding) -> String {
    let mut lines: Vec<String> = if finding.cited.is_empty() {
        finding.clauses.clone()
    } else {
        finding.cited.iter().map(clause).collect()
    };
    if let Some(at) = finding.decided_by.first() {
        let more = match finding.decided_by.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        lines.push(format!("decided by entry {}{more}", place(at)));
    }
    lines.join("\n")
}

fn clause(clause: &CitedClause) -> String {
    match clause.section.as_str() {
        "" => clause.id.clone(),
        section => format!("{} (section {section}): {}", clause.id, clause.summary),
    }
}

fn place(at: &EntryPosition) -> String {
    format!("{}/{}", at.shard.get(..8).unwrap_or(&at.shard), at.sequence)
}

fn record(row: &FindingRow) -> Vec<String> {
    let finding = row.finding.clone().unwrap_or_default();
    let entry = row.entry.clone().unwrap_or_default();
    let position = entry.position.clone().unwrap_or_default();
    let found_by = row.found_by.clone().unwrap_or_default();
    let sections: Vec<&str> = finding.cited.iter().map(|it| it.section.as_str()).collect();
    let decided: Vec<String> = finding
        .decided_by
        .iter()
        .map(|at| format!("{}/{}", at.shard, at.sequence))
        .collect();
    vec![
        row.reference.clone(),
        rfc3339(entry.event_time),
        rfc3339(row.found_time),
        entry.kind,
        entry.service,
        finding.code,
        finding.class,
        finding.arguments.join(" "),
        row.policy.clone(),
        finding.clauses.join(" "),
        sections.join(" "),
        finding.suppressed.to_string(),
        finding.waiver,
        finding.superseded.to_string(),
        rfc3339(finding.due_time),
        decided.join(" "),
        position.shard,
        position.sequence.to_string(),
        found_by.shard,
        found_by.sequence.to_string(),
    ]
}

impl Answer for GetFindingSummaryResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.counts.is_empty() {
            return writeln!(out, "Nothing was found.");
        }
        let mut sheet = Sheet::new([
            "Class",
            "Found",
            "By policy",
            "Findings",
            "Waived",
            "Superseded",
            "When",
        ]);
        for column in [3, 4, 5] {
            sheet = sheet.number(column);
        }
        let mut total = FindingCount::default();
        for it in &self.counts {
            total.count += it.count;
            total.suppressed += it.suppressed;
            total.superseded += it.superseded;
            sheet.push([
                it.class.clone(),
                words(&it.code),
                match it.policy.as_str() {
                    "" => "none applied".to_owned(),
                    policy => policy.to_owned(),
                },
                count(it.count),
                count(it.suppressed),
                count(it.superseded),
                days(&rendering.zone, it.first_time, it.last_time),
            ]);
        }
        sheet.push([
            String::new(),
            "all".to_owned(),
            String::new(),
            count(total.count),
            count(total.suppressed),
            count(total.superseded),
            String::new(),
        ]);
        sheet.write_table(out, rendering.look)
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "code",
            "class",
            "policy",
            "count",
            "suppressed",
            "superseded",
            "first_time",
            "last_time",
        ]);
        for it in &self.counts {
            sheet.push([
                it.code.clone(),
                it.class.clone(),
                it.policy.clone(),
                it.count.to_string(),
                it.suppressed.to_string(),
                it.superseded.to_string(),
                rfc3339(it.first_time),
                rfc3339(it.last_time),
            ]);
        }
        sheet
    }
}

#[cfg(test)]
mod tests {
    use custody_proto::v1::Entry;

    use super::*;
    use crate::output::{Look, Zone};

    fn row(reference: &str) -> FindingRow {
        FindingRow {
            finding: Some(Finding {
                code: "storage_elsewhere".to_owned(),
                class: "violation".to_owned(),
                clauses: vec!["AE-2020.068".to_owned()],
                arguments: vec!["RU".to_owned(), "US".to_owned()],
                cited: vec![CitedClause {
                    id: "AE-2020.068".to_owned(),
                    section: "H".to_owned(),
                    summary: "Kept in the United States.".to_owned(),
                }],
                ..Finding::default()
            }),
            entry: Some(Entry {
                kind: "collection".to_owned(),
                ..Entry::default()
            }),
            policy: "AE-2020".to_owned(),
            reference: reference.to_owned(),
            ..FindingRow::default()
        }
    }

    fn shown(answer: &impl Answer) -> String {
        let mut out = Vec::new();
        let rendering = Rendering {
            format: crate::output::Format::Table,
            look: Look {
                width: None,
                colour: false,
            },
            zone: Zone::utc(),
        };
        answer.write_people(&mut out, &rendering).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_finding_reads_as_words_with_its_clause() {
        let answer = ListFindingsResponse {
            findings: vec![row("11112222333344445555666677778888")],
            ..ListFindingsResponse::default()
        };
        let text = shown(&answer);
        for part in [
            "violation: storage elsewhere",
            "Stored outside the country that the policy promises.",
            "[RU, US]",
            "AE-2020.068 (section H): Kept in the United States.",
            "collected",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("Person"), "{text}");
        assert_eq!(
            shown(&ListFindingsResponse::default()),
            "Nothing was found.\n"
        );
    }

    #[test]
    fn several_persons_are_told_apart() {
        let answer = ListFindingsResponse {
            findings: vec![row("aaaa2222bbbb"), row("cccc2222bbbb")],
            ..ListFindingsResponse::default()
        };
        let text = shown(&answer);
        assert!(
            text.contains("Person") && text.contains("cccc2222"),
            "{text}"
        );
        let mut csv = Vec::new();
        answer.records().write_csv(&mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert!(
            csv.lines().nth(1).unwrap().starts_with("aaaa2222bbbb,"),
            "{csv}"
        );
    }

    #[test]
    fn what_no_longer_counts_says_so() {
        let finding = |change: fn(&mut Finding)| {
            let mut finding = row("").finding.unwrap();
            change(&mut finding);
            found(&finding)
        };
        assert!(finding(|it| it.superseded = true).starts_with("superseded violation: "));
        let waived = finding(|it| {
            it.suppressed = true;
            it.waiver = "w-1".to_owned();
        });
        assert!(waived.starts_with("suppressed: ") && waived.contains("waived by w-1"));
    }

    #[test]
    fn the_summary_adds_up() {
        let count = |code: &str, count| FindingCount {
            code: code.to_owned(),
            class: "gap".to_owned(),
            policy: "AE-2020".to_owned(),
            count,
            suppressed: 1,
            ..FindingCount::default()
        };
        let answer = GetFindingSummaryResponse {
            counts: vec![count("no_policy", 1_000), count("sale", 234)],
            head: None,
        };
        let text = shown(&answer);
        let last = text.lines().last().unwrap();
        assert!(
            last.contains("all") && last.contains("1,234") && last.contains('2'),
            "{text}"
        );
    }
}
