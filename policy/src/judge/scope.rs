//! Which policy version applies, if any.

use super::Judging;
use super::trace::Trace;
use crate::pack::VersioningRule;
use crate::verdict::{ClauseRef, FindingCode, PolicyRef};

impl<'a, T: Trace> Judging<'a, T> {
    /// The version to judge by. Finds `no_policy` and `policy_mismatch`.
    pub(super) fn applicable(&mut self, forced: Option<PolicyRef>) -> Option<PolicyRef> {
        let facts = self.facts;
        let policy = match forced {
            Some(policy) => policy,
            None => self.in_force()?,
        };
        let rules = self.rules;
        let tables = &rules.policy(policy).tables;
        self.trace.step(|| {
            let chosen = rules.policy(policy);
            match forced {
                Some(_) => format!("Judged by {} ({}), as asked.", chosen.id(), chosen.title()),
                None => format!(
                    "{} ({}) was in force for the service {} at the event's time.",
                    chosen.id(),
                    chosen.title(),
                    facts.service
                ),
            }
        });
        if facts.as_processor && tables.processor_excluded {
            self.no_policy(
                tables.processor_clauses.iter().copied(),
                "processor".to_owned(),
                "The act was done on another's behalf, and the policy is its controller's.",
            );
            return None;
        }
        let recipient = facts.recipient.and_then(|recipient| recipient.category);
        let excluded = tables.exclusions.iter().find(|rule| {
            let of_recipient = match (&rule.recipients, recipient) {
                (None, _) => true,
                (Some(recipients), Some(category)) => recipients.contains(category),
                (Some(_), None) => false,
            };
            of_recipient && rule.applies.to(facts)
        });
        if let Some(rule) = excluded {
            let argument = match (&rule.recipients, recipient, facts.jurisdiction) {
                (Some(_), Some(category), _) => category.curie().to_owned(),
                (_, _, Some(place)) => place.code().to_owned(),
                _ => facts.service.to_owned(),
            };
            self.no_policy(
                [rule.clause],
                argument,
                "The policy says that it is not for this.",
            );
            return None;
        }
        if forced.is_none() && !facts.policy.is_empty() && facts.policy != rules.policy(policy).id()
        {
            self.find(
                FindingCode::PolicyMismatch,
                tables.versioning(VersioningRule::EffectiveOnPosting),
                vec![
                    facts.policy.to_owned(),
                    rules.policy(policy).id().to_owned(),
                ],
                Vec::new(),
            );
        }
        Some(policy)
    }

    fn in_force(&mut self) -> Option<PolicyRef> {
        let facts = self.facts;
        let found = self.rules.in_force(facts.service, facts.time_ns);
        if found.is_none() {
            let why = if self.rules.versions(facts.service).is_empty() {
                "No policy is for this service."
            } else {
                "No version was in force yet."
            };
            self.no_policy([], facts.service.to_owned(), why);
        }
        found
    }

    fn no_policy(
        &mut self,
        clauses: impl IntoIterator<Item = ClauseRef>,
        argument: String,
        why: &'static str,
    ) {
        self.trace.step(|| why.to_owned());
        self.find(FindingCode::NoPolicy, clauses, vec![argument], Vec::new());
    }
}
