//! The judge's words.

use crate::rules::Ruleset;
use crate::term::Term;
use crate::verdict::{ClauseRef, Finding, Verdict};

/// Clauses with their sections: `ALB-2025.010 (section 2)`.
pub(super) fn clauses(rules: &Ruleset, list: &[ClauseRef]) -> String {
    let mut words: Vec<String> = list
        .iter()
        .map(|clause| {
            let clause = rules.clause(*clause);
            format!("{} (section {})", clause.id, clause.section)
        })
        .collect();
    words.dedup();
    words.join(", ")
}

/// A finding in a sentence.
pub(super) fn finding(rules: &Ruleset, finding: &Finding) -> String {
    let mut words = format!("{}: {}", finding.code.name(), finding.code.meaning());
    if !finding.arguments.is_empty() {
        words.push_str(&format!(" [{}]", finding.arguments.join(", ")));
    }
    if !finding.clauses.is_empty() {
        words.push_str(&format!(
            " It rests on {}.",
            clauses(rules, &finding.clauses)
        ));
    }
    for entry in &finding.decided_by {
        words.push_str(&format!(
            " Decided by entry {} of shard {}.",
            entry.sequence,
            entry
                .shard
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        ));
    }
    words
}

/// How it ended.
pub(super) fn conclusion(rules: &Ruleset, verdict: &Verdict) -> String {
    if verdict.findings.is_empty() {
        return format!(
            "Conforms: declared by {}.",
            clauses(rules, &verdict.clauses)
        );
    }
    let waived = verdict
        .findings
        .iter()
        .filter(|finding| finding.waiver.is_some())
        .count();
    let findings = match verdict.findings.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    match waived {
        0 => format!("{}: {findings}.", verdict.outcome.name()),
        _ => format!("{}: {findings}, {waived} waived.", verdict.outcome.name()),
    }
}

/// A term as people and machines read it.
pub(super) fn term(term: Term) -> String {
    format!("{} ({})", term.curie(), term.label())
}
