//! From packs to tables.

use std::collections::BTreeMap;

use toml::Spanned;

use super::tables::{
    Applies, BasisRule, ConsentRule, ControllerRule, ExclusionRule, OriginRule, PlacesRule,
    RightRule, Rule, RuleSet, Rules, SafeguardRule, Single, Tables,
};
use super::termset::TermSet;
use super::{Policy, Ruleset};
use crate::facts::ScopeTerm;
use crate::field::Field;
use crate::pack::{
    ClauseKind, Pack, PackError, PackErrors, ProcessorRole, RawClause, RawConsent, Said,
};
use crate::place::{Member, Place, Region};
use crate::term::Term;
use crate::verdict::{ClauseRef, PolicyRef};
use crate::vocabulary::Vocabulary;

/// A clause on its way into the tables of a version.
struct Item<'a> {
    pack: &'a Pack,
    raw: &'a RawClause,
    clause: ClauseRef,
}

pub(super) fn compile(mut packs: Vec<Pack>) -> Result<Ruleset, PackErrors> {
    packs.sort_by(|a, b| {
        (a.family(), a.effective_ns(), a.id()).cmp(&(b.family(), b.effective_ns(), b.id()))
    });
    check_together(&packs)?;

    let mut clauses = Vec::new();
    let mut first_clauses = Vec::new();
    for pack in &packs {
        let first = u16::try_from(clauses.len()).map_err(|_| too_many(pack))?;
        first_clauses.push(first);
        clauses.extend_from_slice(pack.clauses());
        u16::try_from(clauses.len()).map_err(|_| too_many(pack))?;
    }

    let mut cited_with = Vec::new();
    for (pack, first) in packs.iter().zip(&first_clauses) {
        let all: Vec<Item<'_>> = items(pack, *first).collect();
        for item in &all {
            cited_with.push(clause_refs(
                &all,
                item.raw.cites.as_deref().unwrap_or_default(),
            ));
        }
    }

    let mut policies = Vec::new();
    for (index, pack) in packs.iter().enumerate() {
        let own = items(pack, first_clauses[index]);
        // Clauses of a later version with an earlier date of their own are in
        // force under this one.
        let early = packs
            .iter()
            .zip(&first_clauses)
            .skip(index + 1)
            .take_while(|(later, _)| later.family() == pack.family())
            .flat_map(|(later, first)| {
                items(later, *first).filter(|item| {
                    item.raw
                        .from
                        .is_some_and(|from| from.start_ns() < later.effective_ns())
                })
            });
        let items: Vec<Item<'_>> = own.chain(early).collect();
        policies.push(Policy {
            tables: tables(pack, &items),
            pack: pack.clone(),
        });
    }

    let mut services: BTreeMap<String, Vec<PolicyRef>> = BTreeMap::new();
    for (number, policy) in (0u16..).zip(&policies) {
        for service in policy.pack.services() {
            services
                .entry(service.to_owned())
                .or_default()
                .push(PolicyRef(number));
        }
    }
    Ok(Ruleset {
        digest: Ruleset::digest_of(&packs),
        clauses,
        cited_with,
        policies,
        services: services.into_iter().collect(),
    })
}

/// Whether packs fit each other.
fn check_together(packs: &[Pack]) -> Result<(), PackErrors> {
    let mut errors = Vec::new();
    let mut wrong = |pack: &Pack, said: &Said, message: String| {
        errors.push(pack.error_at(&said.span(), message));
    };
    for (index, pack) in packs.iter().enumerate() {
        let head = &pack.file.policy;
        for other in &packs[..index] {
            if other.id() == pack.id() {
                wrong(
                    pack,
                    &head.id,
                    format!("{} is in {} too", pack.id(), other.name()),
                );
            } else if other.family() == pack.family() {
                if other.effective_ns() == pack.effective_ns() {
                    wrong(
                        pack,
                        &head.id,
                        format!("{} of the same family begins on the same day", other.id()),
                    );
                }
            } else {
                for service in &head.services {
                    if other.services().any(|theirs| theirs == service.get_ref()) {
                        wrong(
                            pack,
                            service,
                            format!("{} of another family is for this service", other.id()),
                        );
                    }
                }
            }
        }
        if let Some(succeeds) = &head.succeeds {
            let before = packs[..index]
                .iter()
                .any(|other| other.id() == succeeds.get_ref() && other.family() == pack.family());
            if !before {
                wrong(
                    pack,
                    succeeds,
                    format!(
                        "there is no earlier version {} of {}",
                        succeeds.get_ref(),
                        pack.family()
                    ),
                );
            }
        }
    }
    match PackErrors::from_list(errors) {
        Some(errors) => Err(errors),
        None => Ok(()),
    }
}

fn too_many(pack: &Pack) -> PackErrors {
    PackErrors::one(PackError {
        pack: pack.name().to_owned(),
        line: 1,
        column: 1,
        message: "more than 65,535 clauses in all packs".to_owned(),
    })
}

fn items(pack: &Pack, first: u16) -> impl Iterator<Item = Item<'_>> {
    pack.file
        .clause
        .iter()
        .zip(first..)
        .map(move |(raw, number)| Item {
            pack,
            raw: raw.get_ref(),
            clause: ClauseRef(number),
        })
}

fn tables(pack: &Pack, items: &[Item<'_>]) -> Tables {
    let head = &pack.file.policy;
    let mut tables = Tables {
        processor_excluded: head.processor == ProcessorRole::Excluded,
        processor_clauses: clause_refs(items, &head.processor_clauses),
        basis_required: listed_region(pack, &head.basis_required),
        bases_closed: listed_region(pack, &head.bases_closed),
        safeguard_required: listed_region(pack, &head.safeguard_required),
        ..Tables::default()
    };
    let of = |kind: ClauseKind| {
        items
            .iter()
            .filter(move |item| item.raw.kind == kind)
            .collect::<Vec<_>>()
    };
    let codes = Codes {
        purposes: codes(&of(ClauseKind::Purpose)),
        categories: codes(&of(ClauseKind::Category)),
        bases: codes(&of(ClauseKind::Basis)),
    };
    tables.purposes = rules(Field::Purpose, items, &of(ClauseKind::Purpose), &codes);
    tables.categories = rules(Field::Category, items, &of(ClauseKind::Category), &codes);
    tables.recipients = rules(Field::Recipient, items, &of(ClauseKind::Recipient), &codes);
    for item in items {
        singles(&mut tables, item);
    }
    tables
}

/// The clauses that are one row of one table.
fn singles(tables: &mut Tables, item: &Item<'_>) {
    let Item { raw, clause, .. } = item;
    let clause = *clause;
    let applies = applies(item);
    match raw.kind {
        ClauseKind::Exclusion => tables.exclusions.push(ExclusionRule {
            clause,
            applies,
            recipients: raw.recipients.as_ref().map(|codes| recipients(codes)),
        }),
        ClauseKind::Controller => tables.controllers.push(ControllerRule {
            clause,
            applies,
            ids: texts(raw.controllers.as_deref()),
        }),
        ClauseKind::Origin => tables.origins.push(OriginRule {
            clause,
            applies,
            origins: raw
                .origins
                .iter()
                .flat_map(|origins| origins.get_ref())
                .fold(0, |mask, origin| mask | 1 << (*origin as u8 + 1)),
        }),
        ClauseKind::Basis => tables.bases.push(BasisRule {
            clause,
            applies,
            covers: covers(Field::LegalBasis, raw),
            implied: is_true(raw.implied.as_ref()),
        }),
        ClauseKind::Storage => tables.storage.push(places(item, applies)),
        ClauseKind::Destination => tables.destinations.push(places(item, applies)),
        ClauseKind::Safeguard => tables.safeguards.push(SafeguardRule {
            clause,
            applies,
            covers: covers(Field::Safeguard, raw),
            counts: is_true(raw.counts.as_ref()),
        }),
        ClauseKind::Retention => {
            if let Some(trigger) = &raw.trigger {
                tables.retention.push(Single {
                    clause,
                    applies,
                    what: *trigger.get_ref(),
                });
            }
        }
        ClauseKind::Right => tables.rights.push(RightRule {
            clause,
            applies,
            rights: terms(Field::Right, raw.rights.as_deref()),
            stops: raw
                .stops
                .iter()
                .flatten()
                .filter_map(|text| ScopeTerm::of(text.get_ref()))
                .collect(),
        }),
        ClauseKind::Minors => tables.minors.push(Single {
            clause,
            applies,
            what: is_true(raw.takes_none.as_ref()),
        }),
        ClauseKind::NoSale => tables.no_sale.push(Single {
            clause,
            applies,
            what: (),
        }),
        ClauseKind::Breach => tables.breach.push(Single {
            clause,
            applies,
            what: (),
        }),
        ClauseKind::Versioning => {
            if let Some(rule) = &raw.rule {
                tables.versioning.push(Single {
                    clause,
                    applies,
                    what: *rule.get_ref(),
                });
            }
        }
        ClauseKind::Purpose
        | ClauseKind::Category
        | ClauseKind::Recipient
        | ClauseKind::Statement => {}
    }
}

fn places(item: &Item<'_>, applies: Applies) -> PlacesRule {
    let raw = item.raw;
    PlacesRule {
        clause: item.clause,
        applies,
        countries: raw
            .countries
            .iter()
            .flatten()
            .filter_map(|code| Place::of(code.get_ref()))
            .collect(),
        closed: is_true(raw.closed.as_ref()),
        recipients: raw
            .recipients
            .as_ref()
            .map(|codes| recipients(codes))
            .unwrap_or_default(),
    }
}

/// Which rules have which code.
struct Codes<'a> {
    purposes: BTreeMap<&'a str, Vec<u16>>,
    categories: BTreeMap<&'a str, Vec<u16>>,
    bases: BTreeMap<&'a str, Vec<u16>>,
}

fn codes<'a>(items: &[&Item<'a>]) -> BTreeMap<&'a str, Vec<u16>> {
    let mut codes: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    for (number, item) in (0u16..).zip(items) {
        if let Some(code) = &item.raw.code {
            codes.entry(code.get_ref()).or_default().push(number);
        }
    }
    codes
}

fn rules(field: Field, all: &[Item<'_>], items: &[&Item<'_>], codes: &Codes<'_>) -> Rules {
    let rules: Vec<Rule> = items
        .iter()
        .map(|item| rule(field, all, items, item, codes))
        .collect();
    let mut by_term: Vec<Box<[u16]>> = vec![Box::default(); Term::count()];
    for term in Vocabulary::builtin().terms(field) {
        by_term[term.index()] = (0u16..)
            .zip(&rules)
            .filter(|(_, rule)| rule.covers.contains(term))
            .map(|(number, _)| number)
            .collect();
    }
    Rules { rules, by_term }
}

fn rule(
    field: Field,
    all: &[Item<'_>],
    items: &[&Item<'_>],
    item: &Item<'_>,
    codes: &Codes<'_>,
) -> Rule {
    let raw = item.raw;
    // A part of another purpose has that one's categories and bases, unless
    // it says its own.
    let whole = raw.r#as.as_ref().and_then(|code| {
        items
            .iter()
            .find(|other| other.raw.code.as_ref().map(Spanned::get_ref) == Some(code.get_ref()))
            .map(|other| other.raw)
    });
    let categories = raw
        .categories
        .as_ref()
        .or_else(|| whole.and_then(|whole| whole.categories.as_ref()));
    let bases = raw
        .bases
        .as_ref()
        .or_else(|| whole.and_then(|whole| whole.bases.as_ref()));
    let with = if field == Field::Purpose {
        categories.map(|list| rule_set(list, &codes.categories))
    } else {
        raw.purposes
            .as_ref()
            .map(|list| rule_set(list, &codes.purposes))
    };
    let only_to = is_true(raw.not_collected.as_ref())
        .then(|| recipients(raw.recipients.as_deref().unwrap_or_default()));
    Rule {
        clause: item.clause,
        applies: applies(item),
        code: code_term(field, raw),
        covers: covers(field, raw),
        consent: raw
            .consent
            .as_ref()
            .map(|consent| consent_rule(field, all, item, consent.get_ref())),
        roles: raw
            .roles
            .iter()
            .flat_map(|roles| roles.get_ref())
            .fold(0, |mask, role| mask | 1 << (*role as u16 + 1)),
        anonymised: is_true(raw.anonymised.as_ref()),
        weakens: is_true(raw.weakens.as_ref()),
        any_purpose: is_true(raw.any_purpose.as_ref()),
        retained: is_true(raw.retained.as_ref()),
        only_to,
        with,
        bases: bases.map(|list| rule_set(list, &codes.bases)),
        parties: texts(raw.parties.as_deref()),
        continues: raw
            .continues
            .as_ref()
            .map(|codes| local_terms(Field::Category, codes))
            .unwrap_or_default(),
    }
}

fn consent_rule(
    field: Field,
    all: &[Item<'_>],
    item: &Item<'_>,
    consent: &RawConsent,
) -> ConsentRule {
    ConsentRule {
        region: listed_region(item.pack, &consent.r#where).unwrap_or(Region::everywhere()),
        explicit: consent.explicit,
        unless: TermSet::covering(
            Field::LegalBasis,
            &terms(Field::LegalBasis, Some(&consent.unless_basis)),
        ),
        terms: (!consent.terms.is_empty())
            .then(|| TermSet::declaring(field, &terms(field, Some(&consent.terms)))),
        clauses: clause_refs(all, &consent.clauses),
    }
}

fn applies(item: &Item<'_>) -> Applies {
    let raw = item.raw;
    let mut region = listed_region(item.pack, raw.r#where.as_deref().unwrap_or_default())
        .unwrap_or(Region::everywhere());
    for said in raw.except.iter().flatten() {
        members(item.pack, said, &mut |member, _| region.except(member));
    }
    Applies {
        region,
        from_ns: raw.from.map_or(i64::MIN, |day| day.start_ns()),
        until_ns: raw.until.map_or(i64::MAX, |day| day.start_ns()),
    }
}

/// The region of a list; `None` of an empty one.
fn listed_region(pack: &Pack, list: &[Said]) -> Option<Region> {
    if list.is_empty() {
        return None;
    }
    let mut region = Region::nowhere();
    for said in list {
        members(pack, said, &mut |member, listed| {
            if listed {
                region.include_listed(member);
            } else {
                region.include(member);
            }
        });
    }
    Some(region)
}

fn members(pack: &Pack, said: &Said, take: &mut dyn FnMut(Member, bool)) {
    if let Some(member) = Member::of(said.get_ref()) {
        take(member, false);
        return;
    }
    let own = pack.file.groups.get(said.get_ref());
    for member in own.into_iter().flatten() {
        if let Some(member) = Member::of(member.get_ref()) {
            take(member, true);
        }
    }
}

fn covers(field: Field, raw: &RawClause) -> TermSet {
    let mut covered = terms(field, raw.covers.as_deref());
    covered.extend(code_term(field, raw));
    match field {
        Field::Purpose | Field::Category | Field::Recipient => TermSet::declaring(field, &covered)
            .without(&TermSet::covering(
                field,
                &terms(field, raw.leaves_out.as_deref()),
            )),
        _ => TermSet::covering(field, &covered),
    }
}

fn code_term(field: Field, raw: &RawClause) -> Option<Term> {
    let code = raw.code.as_ref()?;
    Vocabulary::builtin().resolve_quietly(field, &format!("custody:{}", code.get_ref()))
}

fn terms(field: Field, said: Option<&[Said]>) -> Vec<Term> {
    said.unwrap_or_default()
        .iter()
        .filter_map(|text| Vocabulary::builtin().resolve_quietly(field, text.get_ref()))
        .collect()
}

fn local_terms(field: Field, codes: &[Said]) -> TermSet {
    let terms: Vec<Term> = codes
        .iter()
        .filter_map(|code| {
            Vocabulary::builtin().resolve_quietly(field, &format!("custody:{}", code.get_ref()))
        })
        .collect();
    TermSet::covering(field, &terms)
}

fn recipients(codes: &[Said]) -> TermSet {
    local_terms(Field::Recipient, codes)
}

fn rule_set(list: &[Said], codes: &BTreeMap<&str, Vec<u16>>) -> RuleSet {
    let mut numbers: Vec<u16> = list
        .iter()
        .filter_map(|code| codes.get(code.get_ref().as_str()))
        .flatten()
        .copied()
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    RuleSet(numbers)
}

fn clause_refs(items: &[Item<'_>], ids: &[Said]) -> Vec<ClauseRef> {
    ids.iter()
        .filter_map(|id| {
            items
                .iter()
                .find(|item| item.raw.id.get_ref() == id.get_ref())
                .map(|item| item.clause)
        })
        .collect()
}

fn texts(said: Option<&[Said]>) -> Vec<String> {
    said.unwrap_or_default()
        .iter()
        .map(|said| said.get_ref().clone())
        .collect()
}

fn is_true(said: Option<&Spanned<bool>>) -> bool {
    said.is_some_and(|said| *said.get_ref())
}
