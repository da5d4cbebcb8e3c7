//! The judgement: event, person's state and rules in, verdict out.
//!
//! A pure function. The steps stand in the order in which they are taken, one
//! file a question; [`explain`] takes the same steps and says what each found.

mod consent;
mod declared;
mod erased;
mod names;
mod promises;
mod scope;
mod stops;
mod trace;
mod transfer;
mod versions;

use crate::facts::Facts;
use crate::rules::{Deciding, Policy, Ruleset, Tables};
use crate::state::{AsOf, SubjectState, Tag};
use crate::term::Term;
use crate::verdict::{
    ClauseRef, EntryRef, Finding, FindingCode, MAX_FINDINGS, Outcome, PolicyRef, Verdict,
};
use crate::waiver::{Matter, Waivers};

use trace::{Silent, Trace};

pub use trace::Explanation;

/// What the operator has set, beside the packs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings<'a> {
    /// How long data may be used after an account was closed, in days of 24
    /// hours. Absent: no period is set, and none is exceeded.
    pub retention_days_after_account_closed: Option<u32>,
    /// The waivers that the operator has signed.
    pub waivers: Option<&'a Waivers>,
    /// When it is judged, nanoseconds since 1970 UTC: a waiver that was revoked
    /// before lets nothing pass any more.
    pub recorded_ns: i64,
    /// Tags of the events that the event's data came from.
    pub parents: &'a [Tag],
    /// The entry that is judged. The state may know it already, and what came
    /// after it: an entry is not decided by itself, nor by what stands behind
    /// it at the same time (equal times order by shard and sequence).
    pub entry: Option<EntryRef>,
}

/// Judges one event: a pure function. Only the four main kinds are judged;
/// the verdict on others is [`Outcome::NotJudged`].
///
/// ```
/// use custody_policy::{Facts, Outcome, Ruleset, Settings, SubjectState, judge};
/// use custody_proto::event::Event;
///
/// let event: Event = serde_json::from_str(r#"{
///     "subject": {"ids": ["account:1"], "jurisdiction": "BR"},
///     "service": "nobodys-shop", "purposes": ["dpv:Marketing"],
///     "use": {"operation": "dpv:Analyse"}}"#)?;
/// let facts = Facts::new("use", 1_750_000_000_000_000_000, &event)?;
/// let verdict = judge(Ruleset::builtin(), &facts, &SubjectState::default(), &Settings::default());
/// assert_eq!(verdict.outcome, Outcome::Gap); // no_policy
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge(
    rules: &Ruleset,
    facts: &Facts<'_>,
    state: &SubjectState,
    settings: &Settings<'_>,
) -> Verdict {
    Judging::new(rules, facts, state, settings, Silent).run(None)
}

/// Judges an event by one version, whatever was in force: what if? `None`
/// where the ruleset has no such version.
pub fn judge_by(
    rules: &Ruleset,
    facts: &Facts<'_>,
    state: &SubjectState,
    settings: &Settings<'_>,
    policy: &str,
) -> Option<Verdict> {
    let policy = rules.policy_of(policy)?;
    Some(Judging::new(rules, facts, state, settings, Silent).run(Some(policy)))
}

/// Judges and says why, step by step. `policy` names a version to judge by in
/// place of the one in force; `None` where the ruleset has no such version.
pub fn explain(
    rules: &Ruleset,
    facts: &Facts<'_>,
    state: &SubjectState,
    settings: &Settings<'_>,
    policy: Option<&str>,
) -> Option<Explanation> {
    let policy = match policy {
        Some(id) => Some(rules.policy_of(id)?),
        None => None,
    };
    let mut steps = Vec::new();
    let verdict = Judging::new(rules, facts, state, settings, &mut steps).run(policy);
    Some(Explanation { verdict, steps })
}

/// One judgement while it is made.
struct Judging<'a, T: Trace> {
    rules: &'a Ruleset,
    facts: &'a Facts<'a>,
    state: &'a SubjectState,
    settings: &'a Settings<'a>,
    verdict: Verdict,
    trace: T,
}

impl<'a, T: Trace> Judging<'a, T> {
    fn new(
        rules: &'a Ruleset,
        facts: &'a Facts<'a>,
        state: &'a SubjectState,
        settings: &'a Settings<'a>,
        trace: T,
    ) -> Self {
        Self {
            rules,
            facts,
            state,
            settings,
            verdict: Verdict::default(),
            trace,
        }
    }

    /// What the state is asked as of.
    fn asked(&self) -> AsOf {
        AsOf {
            time_ns: self.facts.time_ns,
            entry: self.settings.entry,
        }
    }

    fn run(mut self, forced: Option<PolicyRef>) -> Verdict {
        if !self.facts.kind.is_judged() {
            self.trace
                .step(|| "Events of this kind are not judged: they only change what is known of the person.".to_owned());
            return self.verdict;
        }
        let policy = self.applicable(forced);
        self.verdict.policy = policy;
        let tables: Option<&'a Tables> = policy.map(|policy| &self.rules.policy(policy).tables);
        self.after_erasure(tables);
        if let (Some(policy), Some(tables)) = (policy, tables) {
            self.by(self.rules.policy(policy), tables);
        }
        self.conclude()
    }

    /// Every question that a policy answers.
    fn by(&mut self, policy: &'a Policy, tables: &'a Tables) {
        self.controller(tables);
        self.origin(tables);
        let declared = self.declared(tables);
        self.consent_as_basis(tables);
        self.stopped(tables);
        self.restricted(tables, &declared);
        self.minor(tables);
        self.basis(tables, &declared);
        self.leaves(tables);
        self.destination(tables);
        self.storage(tables);
        self.sale(tables);
        self.retention(tables, &declared);
        self.terms_reduced(policy, tables, &declared);
    }

    /// Applies waivers and sets the outcome.
    fn conclude(mut self) -> Verdict {
        if let Some(waivers) = self.settings.waivers {
            let policy = self
                .verdict
                .policy
                .map(|policy| self.rules.policy(policy).id())
                .unwrap_or_default();
            let facts = self.facts;
            let matter = Matter {
                policy,
                service: facts.service,
                recipient: facts.recipient.map(|recipient| recipient.id),
                purposes: &facts.purposes,
                categories: &facts.categories,
                jurisdiction: facts.jurisdiction,
                time_ns: facts.time_ns,
                recorded_ns: self.settings.recorded_ns,
            };
            for finding in &mut self.verdict.findings {
                finding.waiver = waivers
                    .find(finding.code, &matter)
                    .map(|waiver| waiver.id.clone());
            }
        }
        let worst = self
            .verdict
            .findings
            .iter()
            .map(|finding| match finding.waiver {
                Some(_) => Outcome::Suppressed,
                None => finding.code.class(),
            })
            .max();
        self.verdict.outcome = worst.unwrap_or(Outcome::Conforms);
        let verdict = &self.verdict;
        self.trace.step(|| names::conclusion(self.rules, verdict));
        self.verdict
    }

    /// Notes a clause that declares what was done.
    fn declare(&mut self, clause: ClauseRef) {
        let rules = self.rules;
        for clause in [clause].iter().chain(rules.cited_with(clause)) {
            if !self.verdict.clauses.contains(clause) {
                // What does not fit is left out; see `MAX_DECLARING`.
                let _ = self.verdict.clauses.try_push(*clause);
            }
        }
    }

    /// Notes a finding.
    fn find(
        &mut self,
        code: FindingCode,
        clauses: impl IntoIterator<Item = ClauseRef>,
        arguments: Vec<String>,
        decided_by: Vec<EntryRef>,
    ) {
        let mut unique: Vec<ClauseRef> = Vec::new();
        for clause in clauses {
            for clause in [clause].iter().chain(self.rules.cited_with(clause)) {
                if !unique.contains(clause) {
                    unique.push(*clause);
                }
            }
        }
        // The same said by a clause and by a basis is one finding.
        let same = self
            .verdict
            .findings
            .iter_mut()
            .find(|finding| finding.code == code && finding.arguments == arguments);
        if let Some(same) = same {
            let further = unique.into_iter().filter(|c| !same.clauses.contains(c));
            let further: Vec<ClauseRef> = further.collect();
            same.clauses.extend(further);
            let entries = decided_by
                .into_iter()
                .filter(|entry| !same.decided_by.contains(entry));
            let entries: Vec<EntryRef> = entries.collect();
            same.decided_by.extend(entries);
            return;
        }
        let findings = &self.verdict.findings;
        if findings.len() >= MAX_FINDINGS && findings.iter().any(|f| f.code == code) {
            // An event of hundreds of terms; its codes are all there.
            return;
        }
        let finding = Finding {
            code,
            clauses: unique,
            arguments,
            decided_by,
            waiver: None,
        };
        self.trace.step(|| names::finding(self.rules, &finding));
        self.verdict.findings.push(finding);
    }

    /// Whether a local code in a scope means what is asked about, as the
    /// policy uses that code.
    fn meaning(
        tables: &'a Tables,
    ) -> impl Fn(&crate::facts::ScopeTerm, crate::state::Focus) -> bool + 'a {
        move |scope, focus| {
            let (rules, said, asked) = match focus {
                crate::state::Focus::Purpose(term) => (&tables.purposes, scope.purpose, Some(term)),
                crate::state::Focus::Category(term) => {
                    (&tables.categories, scope.category, Some(term))
                }
                crate::state::Focus::Recipient(term) => (&tables.recipients, scope.recipient, term),
            };
            let (Some(said), Some(asked)) = (said, asked) else {
                return false;
            };
            said.is_local() && rules.covering(asked).any(|rule| rule.code == Some(said))
        }
    }
}

/// What the declared-ness of an event rests on.
#[derive(Default)]
struct Declared {
    /// For each purpose, the rules that declare it.
    purposes: smallvec::SmallVec<[(Term, Deciding); 4]>,
    /// For each category, the rules that declare it.
    categories: smallvec::SmallVec<[(Term, Deciding); 8]>,
    /// The rules that declare the recipient.
    recipient: Deciding,
}
