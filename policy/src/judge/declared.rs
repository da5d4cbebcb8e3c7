//! Whether the policy declares what was done: controller, origin, purposes,
//! categories, recipient, and that they go together.

use custody_proto::event::subject::Role;
use smallvec::SmallVec;

use super::trace::Trace;
use super::{Declared, Judging, names};
use crate::rules::{Deciding, Rule, Rules, Tables};
use crate::state::Focus;
use crate::term::Term;
use crate::verdict::{ClauseRef, FindingCode};

/// What stands against one rule.
struct Against {
    code: FindingCode,
    clauses: SmallVec<[ClauseRef; 4]>,
    argument: Option<&'static str>,
    decided_by: Option<crate::verdict::EntryRef>,
}

impl<'a, T: Trace> Judging<'a, T> {
    /// `wrong_controller`: the first clause that names the person's place
    /// decides. Where that is not known, any of them is right.
    pub(super) fn controller(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        if facts.controller.is_empty() {
            return;
        }
        let names = |ids: &[String]| ids.iter().any(|id| id == facts.controller);
        if facts.jurisdiction.is_none() {
            let right = tables.controllers.iter().find(|rule| names(&rule.ids));
            match right {
                Some(rule) => self.declare(rule.clause),
                None if tables.controllers.is_empty() => {}
                None => {
                    let clauses: Vec<ClauseRef> =
                        tables.controllers.iter().map(|rule| rule.clause).collect();
                    let said = vec![facts.controller.to_owned()];
                    self.find(FindingCode::WrongController, clauses, said, Vec::new());
                }
            }
            return;
        }
        let Some(rule) = tables
            .controllers
            .iter()
            .find(|rule| rule.applies.to(facts))
        else {
            self.trace
                .step(|| "The policy names no controller for this jurisdiction.".to_owned());
            return;
        };
        if names(&rule.ids) {
            self.declare(rule.clause);
            self.trace.step(|| {
                format!(
                    "The controller is {}, as {} says.",
                    facts.controller,
                    names::clauses(self.rules, &[rule.clause])
                )
            });
        } else {
            let said = [facts.controller.to_owned()];
            let arguments = said.into_iter().chain(rule.ids.iter().cloned()).collect();
            self.find(
                FindingCode::WrongController,
                [rule.clause],
                arguments,
                Vec::new(),
            );
        }
    }

    /// `undeclared_origin`.
    pub(super) fn origin(&mut self, tables: &'a Tables) {
        let facts = self.facts;
        let Some(origin) = facts.origin else { return };
        let bit = 1u8 << (origin as u8);
        let mut declared = false;
        for rule in &tables.origins {
            if rule.origins & bit != 0 && rule.applies.to(facts) {
                self.declare(rule.clause);
                declared = true;
            }
        }
        if declared {
            self.trace
                .step(|| format!("Data from the origin {} is declared.", origin.as_str_name()));
        } else {
            let said = vec![origin.as_str_name().to_owned()];
            self.find(FindingCode::UndeclaredOrigin, [], said, Vec::new());
        }
    }

    /// Purposes, categories and recipient, and their ties.
    pub(super) fn declared(&mut self, tables: &'a Tables) -> Declared {
        let mut declared = Declared::default();
        let facts = self.facts;
        if facts.purposes.is_empty() {
            self.find(FindingCode::UndeclaredPurpose, [], Vec::new(), Vec::new());
        }
        for purpose in &facts.purposes {
            let rules = &tables.purposes;
            let deciding: Deciding = rules.deciding(*purpose, facts);
            if deciding.is_empty() {
                self.undeclared(FindingCode::UndeclaredPurpose, *purpose, []);
                continue;
            }
            let focus = Focus::Purpose(*purpose);
            let deciding = self.decide(tables, rules, deciding, focus, *purpose);
            declared.purposes.push((*purpose, deciding));
        }
        for category in &facts.categories {
            let rules = &tables.categories;
            let all: Deciding = rules.deciding(*category, facts);
            let deciding: Deciding = all
                .iter()
                .copied()
                .filter(|number| self.is_ours(&rules.rules[usize::from(*number)]))
                .collect();
            if deciding.is_empty() {
                let clauses: SmallVec<[ClauseRef; 4]> = all
                    .iter()
                    .map(|number| rules.rules[usize::from(*number)].clause)
                    .collect();
                self.undeclared(FindingCode::UndeclaredCategory, *category, clauses);
                continue;
            }
            let focus = Focus::Category(*category);
            let deciding = self.decide(tables, rules, deciding, focus, *category);
            declared.categories.push((*category, deciding));
        }
        self.recipient(tables, &mut declared);
        self.combinations(tables, &declared);
        declared
    }

    /// Whether a category is ours to handle, and not only somebody else's.
    fn is_ours(&self, rule: &Rule) -> bool {
        let Some(only_to) = &rule.only_to else {
            return true;
        };
        self.facts
            .recipient
            .and_then(|recipient| recipient.category)
            .is_some_and(|category| only_to.contains(category))
    }

    fn recipient(&mut self, tables: &'a Tables, declared: &mut Declared) {
        let Some(recipient) = self.facts.recipient else {
            return;
        };
        let rules = &tables.recipients;
        let mut deciding: Deciding = recipient
            .category
            .map(|category| rules.deciding(category, self.facts))
            .unwrap_or_default();
        if deciding.is_empty() && self.facts.anonymised {
            // Anonymised data may go to whom only anonymised data may go.
            for (number, rule) in (0u16..).zip(&rules.rules) {
                if rule.anonymised && rule.applies.to(self.facts) {
                    deciding.push(number);
                }
            }
        }
        if deciding.is_empty() && !recipient.id.is_empty() {
            for (number, rule) in (0u16..).zip(&rules.rules) {
                if rule.applies.to(self.facts) && rule.parties.iter().any(|id| id == recipient.id) {
                    deciding.push(number);
                }
            }
        }
        if deciding.is_empty() {
            let said = recipient
                .category
                .map_or_else(|| recipient.id.to_owned(), |term| term.curie().to_owned());
            self.find(FindingCode::UndeclaredRecipient, [], vec![said], Vec::new());
            return;
        }
        let focus = Focus::Recipient(recipient.category);
        let name = recipient.category;
        declared.recipient = self.decide_about(tables, rules, deciding, focus, name);
    }

    fn undeclared(
        &mut self,
        code: FindingCode,
        term: Term,
        clauses: impl IntoIterator<Item = ClauseRef>,
    ) {
        self.find(code, clauses, vec![term.curie().to_owned()], Vec::new());
    }

    fn decide(
        &mut self,
        tables: &'a Tables,
        rules: &'a Rules,
        deciding: Deciding,
        focus: Focus,
        term: Term,
    ) -> Deciding {
        self.decide_about(tables, rules, deciding, focus, Some(term))
    }

    /// Of the rules that cover a term, those that nothing stands against
    /// declare it. Where something stands against each, what stands against
    /// the first is found.
    fn decide_about(
        &mut self,
        tables: &'a Tables,
        rules: &'a Rules,
        deciding: Deciding,
        focus: Focus,
        term: Option<Term>,
    ) -> Deciding {
        let mut clear = Deciding::new();
        let mut first: Option<Against> = None;
        for number in &deciding {
            let rule = &rules.rules[usize::from(*number)];
            match self.against(tables, rule, focus, term) {
                None => clear.push(*number),
                Some(against) => {
                    first.get_or_insert(against);
                }
            }
        }
        if let Some(against) = first.filter(|_| clear.is_empty()) {
            let arguments = term
                .map(|term| term.curie().to_owned())
                .into_iter()
                .chain(against.argument.map(str::to_owned))
                .collect();
            self.find(
                against.code,
                against.clauses,
                arguments,
                against.decided_by.into_iter().collect(),
            );
            return deciding;
        }
        for number in &clear {
            self.declare(rules.rules[usize::from(*number)].clause);
        }
        self.trace.step(|| {
            let clauses: Vec<ClauseRef> = clear
                .iter()
                .map(|number| rules.rules[usize::from(*number)].clause)
                .collect();
            let what = match focus {
                Focus::Purpose(_) => "purpose",
                Focus::Category(_) => "category",
                Focus::Recipient(_) => "recipient",
            };
            format!(
                "The {what} {} is declared by {}.",
                term.map(names::term).unwrap_or_default(),
                names::clauses(self.rules, &clauses)
            )
        });
        clear
    }

    /// What stands against a rule for this event.
    fn against(
        &self,
        tables: &'a Tables,
        rule: &Rule,
        focus: Focus,
        term: Option<Term>,
    ) -> Option<Against> {
        let facts = self.facts;
        let one = |code, argument| Against {
            code,
            clauses: SmallVec::from_slice(&[rule.clause]),
            argument,
            decided_by: None,
        };
        // Members and others may have any part.
        let says = !matches!(facts.role, Role::Unspecified | Role::Member | Role::Other);
        if rule.roles != 0 && says && rule.roles >> (facts.role as u16) & 1 == 0 {
            return Some(one(
                FindingCode::UndeclaredCombination,
                Some(facts.role.as_str_name()),
            ));
        }
        if rule.anonymised && !facts.anonymised {
            // A text may let identified data go with the person's permission.
            let permitted = rule.consent.as_ref().is_some_and(|consent| {
                self.lack_of_consent(tables, focus, consent.explicit)
                    .is_none()
            });
            return (!permitted).then(|| one(FindingCode::NotAnonymised, None));
        }
        let consent = rule.consent.as_ref()?;
        if facts.anonymised || !consent.asks(facts, term) {
            return None;
        }
        let lack = self.lack_of_consent(tables, focus, consent.explicit)?;
        let mut clauses = SmallVec::from_slice(&[rule.clause]);
        clauses.extend(consent.clauses.iter().copied());
        clauses.extend(self.withdrawal_clauses(tables, lack.0));
        Some(Against {
            code: lack.0,
            clauses,
            argument: None,
            decided_by: lack.1,
        })
    }

    /// `undeclared_combination`: each is declared, but not together.
    fn combinations(&mut self, tables: &'a Tables, declared: &Declared) {
        let purposes = &tables.purposes.rules;
        let categories = &tables.categories.rules;
        let recipients = &tables.recipients.rules;
        for (purpose, by) in &declared.purposes {
            for (category, of) in &declared.categories {
                // An event with several purposes does not say which data
                // serves which: a pair stands apart where neither goes with
                // any other of the event.
                let elsewhere = declared
                    .purposes
                    .iter()
                    .any(|(_, others)| go_together(tables, others, of))
                    && declared
                        .categories
                        .iter()
                        .any(|(_, others)| go_together(tables, by, others));
                if !elsewhere {
                    let clauses = cited(purposes, by).chain(cited(categories, of));
                    let clauses: Vec<ClauseRef> = clauses.collect();
                    self.apart(*purpose, category.curie(), clauses);
                }
            }
            let to = &declared.recipient;
            let tied = to.iter().all(|number| {
                let with = &recipients[usize::from(*number)].with;
                with.as_ref()
                    .is_some_and(|with| !by.iter().any(|purpose| with.contains(*purpose)))
            });
            if tied && !to.is_empty() {
                let clauses = cited(purposes, by).chain(cited(recipients, to));
                let clauses: Vec<ClauseRef> = clauses.collect();
                let recipient = self.facts.recipient;
                let other = recipient.map_or("", |recipient| {
                    recipient
                        .category
                        .map_or(recipient.id, |category| category.curie())
                });
                self.apart(*purpose, other, clauses);
            }
        }
    }

    fn apart(&mut self, purpose: Term, other: &str, clauses: Vec<ClauseRef>) {
        self.find(
            FindingCode::UndeclaredCombination,
            clauses,
            vec![purpose.curie().to_owned(), other.to_owned()],
            Vec::new(),
        );
    }
}

fn cited<'r>(rules: &'r [Rule], numbers: &'r [u16]) -> impl Iterator<Item = ClauseRef> + 'r {
    numbers
        .iter()
        .map(|number| rules[usize::from(*number)].clause)
}

/// Whether a purpose and a category go together, by the purpose's list and by
/// the category's.
fn go_together(tables: &Tables, purposes: &[u16], categories: &[u16]) -> bool {
    let category = |number: &u16| &tables.categories.rules[usize::from(*number)];
    let by_category = categories.iter().any(|number| {
        category(number)
            .with
            .as_ref()
            .is_none_or(|with| purposes.iter().any(|purpose| with.contains(*purpose)))
    });
    let free = categories.iter().any(|number| category(number).any_purpose);
    let by_purpose = purposes.iter().any(|number| {
        tables.purposes.rules[usize::from(*number)]
            .with
            .as_ref()
            .is_none_or(|with| free || categories.iter().any(|category| with.contains(*category)))
    });
    by_category && by_purpose
}
