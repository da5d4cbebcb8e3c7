//! The judgement: event and rules in, verdict out.

use custody_proto::event::Event;

use crate::ruleset::Ruleset;

/// An event as the judge sees it.
#[derive(Clone, Copy, Debug)]
pub struct JudgedEvent<'a> {
    /// The kind, such as `disclosure`.
    pub kind: &'a str,
    /// When it happened, nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// What was said, with terms resolved to CURIEs.
    pub event: &'a Event,
}

/// What the judge says of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of the findings.
    pub outcome: Outcome,
    /// The policy version judged by, such as `ALB-2025`; empty where none.
    pub policy: String,
    /// Ids of the clauses that declare what was done.
    pub clauses: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One thing that the judge found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The code, such as `consent_missing`.
    pub code: String,
    /// Ids of the clauses that it rests on.
    pub clauses: Vec<String>,
    /// Terms, party ids and country codes; nothing of the person.
    pub arguments: Vec<String>,
}

/// The class of a verdict, from the mildest to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// No policy pack is loaded, or the kind is not judged.
    #[default]
    NotJudged,
    /// Everything is declared.
    Conforms,
    /// There were findings, and a waiver suppresses each.
    Suppressed,
    /// Nothing declares this.
    Gap,
    /// Contrary to what was promised.
    Violation,
}

/// Judges one event: a pure function.
///
/// The compiled rules hold no policy pack, so no kind is judged and the verdict
/// is [`Outcome::NotJudged`] without findings, whatever the event says.
pub fn judge(_rules: &Ruleset, _event: &JudgedEvent<'_>) -> Verdict {
    Verdict::default()
}

#[cfg(test)]
mod tests {
    use custody_proto::event::Event;

    use super::{JudgedEvent, Outcome, judge};
    use crate::Ruleset;

    #[test]
    fn without_packs_nothing_is_judged() {
        let event = Event::default();
        for kind in ["collection", "use", "disclosure", "transfer", "breach"] {
            let seen = JudgedEvent {
                kind,
                time_ns: 0,
                event: &event,
            };
            let verdict = judge(Ruleset::builtin(), &seen);
            assert_eq!(verdict.outcome, Outcome::NotJudged);
            assert!(verdict.policy.is_empty() && verdict.findings.is_empty());
        }
    }
}
