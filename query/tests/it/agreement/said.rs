//! What services say and what the judge finds in it, by chance.

use custody_ledger::{Act, EntryRef, Finding, Judgement, Kind, Outcome, PartyPart};

use super::history::History;
use super::people::People;
use crate::payload::Said;
use crate::world::Draft;

pub(super) const PURPOSES: [&str; 7] = [
    "custody:direct_marketing",
    "custody:marketing",
    "custody:orders",
    "custody:purchase_delivery",
    "dpv:DirectMarketing",
    "dpv:Marketing",
    "dpv:ServiceProvision",
];
pub(super) const CATEGORIES: [&str; 6] = [
    "custody:contact",
    "custody:payment",
    "pd:Age",
    "pd:Contact",
    "pd:EmailAddress",
    "pd:Location",
];
pub(super) const COUNTRIES: [&str; 8] = ["", "DE", "DE", "FR", "SG", "US", "US-CA", "US-NY"];
pub(super) const CONTROLLERS: [&str; 4] = ["", "cloud", "shop", "shop-sg"];
pub(super) const POLICIES: [&str; 3] = ["", "ALB-2025", "ALC-2023"];
pub(super) const CODES: [&str; 6] = [
    "consent_missing",
    "no_policy",
    "objected",
    "response_overdue",
    "sale",
    "undeclared_purpose",
];
/// The last one is in no pack.
pub(super) const CLAUSES: [&str; 4] = ["ALB-2025.081", "ALB-2025.101", "ALC-2023.009", "NO-1.001"];
pub(super) const SYSTEMS: [&str; 4] = ["", "crm", "warehouse", "ml"];
const BASES: [&str; 3] = ["", "eu-gdpr:A6-1-a", "eu-gdpr:A6-1-b"];
const SAFEGUARDS: [&str; 3] = ["", "dpv:StandardContractualClause", "eu-gdpr:A46-2-c"];
const SCOPES: [&str; 6] = [
    "marketing",
    "custody:marketing",
    "dpv:DirectMarketing",
    "dpv:Marketing",
    "pd:Contact",
    "pd:EmailAddress",
];
pub(super) const PARTIES: usize = 25;
pub(super) fn party_id(number: usize) -> &'static str {
    const IDS: [&str; PARTIES] = [
        "dhl", "adnet", "bank", "p-03", "p-04", "p-05", "p-06", "p-07", "p-08", "p-09", "p-10",
        "p-11", "p-12", "p-13", "p-14", "p-15", "p-16", "p-17", "p-18", "p-19", "p-20", "p-21",
        "p-22", "p-23", "p-24",
    ];
    IDS[number % PARTIES]
}

impl History {
    pub(super) fn judgement(&mut self) -> Judgement {
        let outcome = self.outcome();
        Judgement {
            outcome_code: outcome as u8,
            policy: self.chance.one(&POLICIES).to_owned(),
            clauses: texts(&self.chance.some(&CLAUSES, 2)),
            findings: self.findings(outcome),
            late: false,
        }
    }

    fn outcome(&mut self) -> Outcome {
        let outcomes = [
            Outcome::Conforms,
            Outcome::Conforms,
            Outcome::Conforms,
            Outcome::NotJudged,
            Outcome::Suppressed,
            Outcome::Gap,
            Outcome::Violation,
        ];
        outcomes[self.chance.below(outcomes.len())]
    }

    fn findings(&mut self, outcome: Outcome) -> Vec<Finding> {
        if outcome < Outcome::Suppressed {
            return Vec::new();
        }
        let count = 1 + self.chance.below(2);
        (0..count)
            .map(|_| {
                let suppressed = outcome == Outcome::Suppressed || self.chance.percent(10);
                let decided_by = self.world.facts.last().filter(|_| self.chance.percent(30));
                Finding {
                    code: self.chance.one(&CODES).to_owned(),
                    clauses: texts(&self.chance.some(&CLAUSES, 2)),
                    arguments: vec!["custody:marketing".to_owned()],
                    suppressed,
                    decided_by: decided_by
                        .map(|fact| EntryRef {
                            shard: fact.shard,
                            sequence: fact.sequence,
                        })
                        .into_iter()
                        .collect(),
                    waiver: if suppressed { "w-1" } else { "" }.to_owned(),
                }
            })
            .collect()
    }

    fn party(&mut self) -> PartyPart {
        if self.chance.percent(8) {
            return PartyPart {
                id: String::new(),
                category: self.chance.one(&["", "custody:buyers"]).to_owned(),
                country: self.chance.one(&COUNTRIES).to_owned(),
                person: true,
            };
        }
        let country = if self.chance.percent(50) {
            ""
        } else {
            self.chance.one(&COUNTRIES)
        };
        PartyPart {
            id: party_id(self.chance.skewed(PARTIES)).to_owned(),
            category: self.chance.one(&["", "", "custody:logistics"]).to_owned(),
            country: country.to_owned(),
            person: false,
        }
    }

    fn act(&mut self) -> (Kind, Act, Option<Said>) {
        let safeguard = self.chance.one(&SAFEGUARDS).to_owned();
        let of = |kind, act| (kind, act, None);
        match self.chance.below(100) {
            0..17 => {
                let from = self.chance.percent(30).then(|| self.party());
                let origin = self.chance.below(6) as u8;
                of(Kind::Collection, Act::Collection { origin, from })
            }
            17..42 => {
                let operation = self.chance.one(&["dpv:Store", "dpv:Analyse"]).to_owned();
                let system = self.chance.one(&SYSTEMS).to_owned();
                of(Kind::Use, Act::Use { operation, system })
            }
            42..68 => {
                let recipient = self.party();
                let means = self.chance.below(7) as u8;
                let sale = self.chance.percent(10);
                let act = Act::Disclosure {
                    recipient,
                    means,
                    sale,
                    safeguard,
                };
                of(Kind::Disclosure, act)
            }
            68..78 => {
                let recipient = self.chance.percent(60).then(|| self.party());
                let act = Act::Transfer {
                    recipient,
                    from_country: self.chance.one(&COUNTRIES[1..]).to_owned(),
                    to_country: self.chance.one(&COUNTRIES[1..]).to_owned(),
                    safeguard,
                };
                of(Kind::Transfer, act)
            }
            78..87 => {
                let given = self.chance.percent(65);
                let now = self.now();
                let expires = self.chance.percent(30).then(|| {
                    let far = if self.chance.percent(20) { 1 << 31 } else { 0 };
                    now + self.chance.seconds(200) + far
                });
                let kind = if given {
                    Kind::ConsentGiven
                } else {
                    Kind::ConsentWithdrawn
                };
                let said = Said::Consent {
                    scope: self.chance.one(&SCOPES),
                    recipients: self.chance.some(&["adnet", "bank"], 1),
                    method: self.chance.below(3),
                    given_by: self.chance.below(4),
                    expires: expires.filter(|_| given),
                };
                (kind, Act::None, Some(said))
            }
            87..90 => {
                let said = Said::Objection {
                    scope: self.chance.one(&SCOPES),
                    kind: 1 + self.chance.below(2),
                    by: self.chance.below(3),
                };
                (Kind::Objection, Act::None, Some(said))
            }
            90..92 => of(Kind::Restriction, Act::None),
            92..94 => of(Kind::RestrictionLifted, Act::None),
            94..96 => of(Kind::Rectification, Act::None),
            96..98 => of(
                Kind::RightsRequest,
                Act::RightsRequest {
                    right: "eu-gdpr:A15".to_owned(),
                },
            ),
            _ => of(Kind::AccountClosed, Act::None),
        }
    }

    /// What happens to somebody.
    pub(super) fn draft(&mut self, number: usize) -> Draft {
        let (kind, act, said) = self.act();
        let (now, late) = (self.now(), self.chance.percent(6));
        let ago = self.chance.seconds(if late { now } else { 4 });
        let human = &mut self.people.all[number];
        let serial = human.events;
        human.events += 1;
        // Now and then under an id that was there before.
        let fresh = human.promised.take().filter(|_| self.chance.percent(70));
        let fresh = fresh.unwrap_or_else(|| format!("e-{number}-{serial}"));
        let event_id = match human.lately.last() {
            Some(last) if self.chance.percent(1) => last.clone(),
            _ => fresh,
        };
        let mut draft = Draft::new(&human.account, &event_id, now - ago, kind, act);
        (draft.late, draft.said) = (late, said);
        if !human.lately.is_empty() && self.chance.percent(15) {
            let lately = human.lately.len();
            draft.parents = (0..1 + self.chance.below(2))
                .map(|_| human.lately[self.chance.below(lately)].clone())
                .collect();
            draft.parents.dedup();
        }
        if self.chance.percent(3) {
            let promise = format!("p-{number}-{serial}");
            draft.parents.push(promise.clone());
            human.promised = Some(promise);
        }
        if draft.said.is_none() && self.chance.percent(5) {
            let early = human.promised.clone().filter(|_| self.chance.percent(20));
            let lately = human.lately.len();
            let known = (lately > 0).then(|| human.lately[self.chance.below(lately)].clone());
            if let Some(of) = early.or(known) {
                (draft.kind, draft.act) = (Kind::Retraction, Act::None);
                draft.retracts = Some(of);
            }
        }
        human.lately.push(event_id);
        if human.lately.len() > 20 {
            human.lately.remove(0);
        }
        self.name(number, &mut draft);
        draft.purposes = self.chance.some(&PURPOSES, 2);
        draft.categories = self.chance.some(&CATEGORIES, 2);
        draft.controller = self.chance.one(&CONTROLLERS);
        draft.basis = self.chance.one(&BASES);
        draft.location = self.chance.one(&COUNTRIES);
        draft.policy = self.chance.one(&POLICIES);
        draft.jurisdiction = self.chance.one(&COUNTRIES);
        draft.judged_policy = self.chance.one(&POLICIES);
        draft.clauses = self.chance.some(&CLAUSES, 2);
        draft.outcome = self.outcome();
        draft.findings = self.findings(draft.outcome);
        draft
    }

    /// By which identifiers somebody is named beside the account. Another
    /// account is one of somebody who turns out to be the same.
    fn name(&mut self, number: usize, draft: &mut Draft) {
        let mut others = Vec::new();
        if number.is_multiple_of(3) && self.chance.percent(50) {
            others.push(People::email(number));
        }
        if number.is_multiple_of(5) && self.chance.percent(20) {
            others.push(People::tablet(number));
        }
        let human = &mut self.people.all[number];
        human.others.extend(others.iter().cloned());
        let is_known = human.reference.is_some();
        draft.ids.extend(others);
        if is_known && !self.nobody_is_linked && self.chance.below(400) == 0 {
            let other = self.chance.skewed(self.people.all.len());
            if other != number && self.people.all[other].reference.is_some() {
                draft.ids.push(self.people.all[other].account.clone());
                self.people.meet(number, other);
            }
        }
    }
}

fn texts(said: &[&str]) -> Vec<String> {
    said.iter().map(|text| (*text).to_owned()).collect()
}
