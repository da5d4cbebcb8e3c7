//! Test cases for packs: an event, what came before it, and what the judge is
//! to say of it. One JSON object a line.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::rehearsal::{Rehearsal, Said, SaidError};
use crate::rules::Ruleset;
use crate::verdict::{FindingCode, Outcome, StoredVerdict};

/// One case. Keys that it does not know are left alone, so that a case may
/// say more about itself.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The section of the policy that it is drawn from.
    #[serde(default)]
    pub section: String,
    /// What it shows.
    #[serde(default)]
    pub why: String,
    /// CloudEvents in structured mode, in the order in which they arrive.
    #[serde(default)]
    history: Vec<Box<RawValue>>,
    /// The CloudEvent that is judged.
    event: Box<RawValue>,
    #[serde(default)]
    config: CaseConfig,
    /// What the judge is to say.
    pub expect: Expected,
}

/// What the operator has set.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CaseConfig {
    retention_days_after_account_closed: Option<u32>,
}

/// What the judge is to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// `conforms`, `suppressed`, `gap`, `violation` or `not_judged`.
    pub judgement: String,
    /// Codes that are among the findings.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Clauses of which at least one is cited by a finding, or declares what
    /// conforms. Empty: any will do.
    #[serde(default)]
    pub clauses_any: Vec<String>,
}

/// A line that is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It is not JSON, or not of this shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// One of its events cannot be judged.
    #[error("case {case}: {place}: {source}")]
    Event {
        /// The case.
        case: String,
        /// `event`, or `history[2]`.
        place: String,
        /// Why.
        source: SaidError,
    },
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// What the judge said.
    pub verdict: StoredVerdict,
    /// Its reasoning.
    pub steps: Vec<String>,
    /// What is not as expected; empty where the case passed.
    pub failures: Vec<String>,
}

impl Case {
    /// Reads a line.
    ///
    /// # Errors
    /// [`CaseError::Json`].
    pub fn parse(line: &str) -> Result<Self, CaseError> {
        Ok(serde_json::from_str(line)?)
    }

    /// Judges the case's event for a person of whom nothing but the case's
    /// history is known.
    ///
    /// # Errors
    /// [`CaseError::Event`] where an event cannot be judged.
    pub fn run(&self, rules: &Ruleset) -> Result<CaseResult, CaseError> {
        let mut person = Rehearsal::new(rules)
            .with_retention_days(self.config.retention_days_after_account_closed);
        for (index, event) in self.history.iter().enumerate() {
            let wrong = |source| CaseError::Event {
                case: self.id.clone(),
                place: format!("history[{index}]"),
                source,
            };
            let said = Said::parse(event.get().as_bytes()).map_err(wrong)?;
            person.take(&said).map_err(|error| wrong(error.into()))?;
        }
        let wrong = |source| CaseError::Event {
            case: self.id.clone(),
            place: "event".to_owned(),
            source,
        };
        let said = Said::parse(self.event.get().as_bytes()).map_err(wrong)?;
        let explained = person
            .explain(&said, None)
            .map_err(|error| wrong(error.into()))?;
        let (verdict, steps) = explained
            .map(|explanation| (explanation.verdict.to_stored(rules), explanation.steps))
            .unwrap_or_default();
        Ok(CaseResult {
            failures: self.expect.against(&verdict),
            verdict,
            steps,
        })
    }
}

impl Expected {
    /// What of a verdict is not as expected.
    fn against(&self, verdict: &StoredVerdict) -> Vec<String> {
        let mut failures = Vec::new();
        let name = verdict.outcome.name();
        if name != self.judgement {
            failures.push(format!(
                "judgement: expected {}, found {name}",
                self.judgement
            ));
        }
        let found: Vec<&str> = verdict.findings.iter().map(|f| f.code.name()).collect();
        for code in &self.codes {
            if FindingCode::from_name(code).is_none() {
                failures.push(format!("codes: there is no finding code {code}"));
            } else if !found.contains(&code.as_str()) {
                failures.push(format!(
                    "codes: expected {code}, found {}",
                    if found.is_empty() {
                        "none".to_owned()
                    } else {
                        found.join(", ")
                    }
                ));
            }
        }
        let cited: Vec<&String> = if verdict.outcome == Outcome::Conforms {
            verdict.clauses.iter().collect()
        } else {
            verdict.findings.iter().flat_map(|f| &f.clauses).collect()
        };
        if !self.clauses_any.is_empty() && !self.clauses_any.iter().any(|id| cited.contains(&id)) {
            failures.push(format!(
                "clauses_any: none of {} is among {}",
                self.clauses_any.join(", "),
                if cited.is_empty() {
                    "none".to_owned()
                } else {
                    cited.into_iter().cloned().collect::<Vec<_>>().join(", ")
                }
            ));
        }
        failures
    }
}
