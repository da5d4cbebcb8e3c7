//! Whether a pack means something: every id, term, code and key.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use toml::Spanned;

use super::error::{PackError, PackErrors, at};
use super::schema::{ClauseKind, PackFile, RawClause, RawConsent, Said, Treatment, VersioningRule};
use super::{Clause, PACK_FORMAT};
use crate::field::Field;
use crate::place::{Group, Member, Place};
use crate::vocabulary::Vocabulary;

/// Kinds of events that can be a clause's evidence.
const EVENT_KINDS: [&str; 20] = [
    "collection",
    "use",
    "disclosure",
    "transfer",
    "consent_given",
    "consent_withdrawn",
    "objection",
    "restriction",
    "restriction_lifted",
    "rectification",
    "erasure",
    "anonymisation",
    "retraction",
    "rights_request",
    "rights_response",
    "breach",
    "notice",
    "policy_published",
    "account_closed",
    "consultation",
];

/// Reports, rights and commands that can answer a clause.
const ANSWERS: [&str; 12] = [
    "access",
    "subject",
    "recipients",
    "transfers",
    "findings",
    "consent",
    "trace",
    "rights",
    "ropa",
    "export",
    "erase",
    "policy",
];

/// Which keys have a meaning for which kind.
const fn keys(kind: ClauseKind) -> &'static [&'static str] {
    match kind {
        ClauseKind::Exclusion => &["recipients"],
        ClauseKind::Controller => &["controllers"],
        ClauseKind::Origin => &["origins", "open"],
        ClauseKind::Category => &[
            "covers",
            "leaves_out",
            "open",
            "purposes",
            "consent",
            "any_purpose",
            "not_collected",
            "recipients",
            "continues",
            "weakens",
        ],
        ClauseKind::Purpose => &[
            "covers",
            "leaves_out",
            "open",
            "consent",
            "roles",
            "anonymised",
            "categories",
            "bases",
            "as",
            "weakens",
            "retained",
        ],
        ClauseKind::Recipient => &[
            "covers",
            "leaves_out",
            "open",
            "parties",
            "purposes",
            "roles",
            "consent",
            "anonymised",
            "weakens",
        ],
        ClauseKind::Basis => &["covers", "open", "implied"],
        ClauseKind::Storage => &["countries"],
        ClauseKind::Destination => &["countries", "closed", "recipients", "open"],
        ClauseKind::Safeguard => &["covers", "counts", "open"],
        ClauseKind::Retention => &["trigger"],
        ClauseKind::Right => &["rights", "stops"],
        ClauseKind::Minors => &["takes_none"],
        ClauseKind::Versioning => &["rule"],
        ClauseKind::NoSale | ClauseKind::Breach | ClauseKind::Statement => &[],
    }
}

/// The keys of which a kind needs at least one.
const fn needed(kind: ClauseKind) -> &'static [&'static str] {
    match kind {
        ClauseKind::Controller => &["controllers"],
        ClauseKind::Origin => &["origins"],
        ClauseKind::Storage => &["countries"],
        ClauseKind::Safeguard => &["counts"],
        ClauseKind::Minors => &["takes_none"],
        ClauseKind::Versioning => &["rule"],
        _ => &[],
    }
}

/// Checks a pack and makes its clauses.
pub(super) fn check(name: &str, text: &str, file: &PackFile) -> Result<Vec<Clause>, PackErrors> {
    let mut checker = Checker {
        name,
        text,
        file,
        codes: HashMap::new(),
        cited: HashSet::new(),
        errors: Vec::new(),
    };
    checker.head();
    checker.gather();
    let clauses = file
        .clause
        .iter()
        .map(|clause| checker.clause(clause.get_ref()))
        .collect();
    match PackErrors::from_list(checker.errors) {
        Some(errors) => Err(errors),
        None => Ok(clauses),
    }
}

struct Checker<'a> {
    name: &'a str,
    text: &'a str,
    file: &'a PackFile,
    /// The codes of each kind.
    codes: HashMap<ClauseKind, HashSet<&'a str>>,
    /// Clauses that others name, so that the judge cites them.
    cited: HashSet<&'a str>,
    errors: Vec<PackError>,
}

impl<'a> Checker<'a> {
    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let error = at(self.name, self.text, span, message.into());
        self.errors.push(error);
    }

    fn head(&mut self) {
        let file = self.file;
        if *file.format.get_ref() != PACK_FORMAT {
            let found = *file.format.get_ref();
            let age = if found > PACK_FORMAT { "new" } else { "old" };
            self.error(
                &file.format.span(),
                format!("format {found} is too {age}: this version reads format {PACK_FORMAT}"),
            );
        }
        let head = &file.policy;
        for (what, said) in [("id", &head.id), ("family", &head.family)]
            .into_iter()
            .chain(head.succeeds.iter().map(|said| ("succeeds", said)))
        {
            if !is_id(said.get_ref()) {
                self.error(
                    &said.span(),
                    format!("{what} has 1 to 64 letters, digits, '.', '_' and '-'"),
                );
            }
        }
        if head.services.is_empty() {
            self.error(
                &head.id.span(),
                "services is empty: the policy would apply to nothing",
            );
        }
        for service in &head.services {
            if !is_plain_id(service.get_ref()) {
                self.error(
                    &service.span(),
                    "a service has 1 to 64 of a-z, 0-9, '.', '_' and '-'",
                );
            }
        }
        for (name, members) in &file.groups {
            if Group::of(name).is_some() {
                let span = members.first().map_or(0..0, Spanned::span);
                self.error(&span, format!("the group {name} is built in"));
            }
            for member in members {
                if Member::of(member.get_ref()).is_none() {
                    self.unknown_place(member);
                }
            }
        }
        for list in [
            &head.basis_required,
            &head.bases_closed,
            &head.safeguard_required,
        ] {
            self.places(list);
        }
    }

    fn gather(&mut self) {
        let mut ids = HashSet::new();
        let file = self.file;
        for clause in &file.clause {
            let clause = clause.get_ref();
            if !ids.insert(clause.id.get_ref().as_str()) {
                self.error(
                    &clause.id.span(),
                    format!(
                        "the clause {} stands in this pack twice",
                        clause.id.get_ref()
                    ),
                );
            }
            if let Some(code) = &clause.code {
                self.codes
                    .entry(clause.kind)
                    .or_default()
                    .insert(code.get_ref());
            }
        }
        for id in &file.policy.processor_clauses {
            self.cited.insert(id.get_ref());
            if !ids.contains(id.get_ref().as_str()) {
                self.error(&id.span(), format!("there is no clause {}", id.get_ref()));
            }
        }
        for id in file
            .clause
            .iter()
            .filter_map(|c| c.get_ref().cites.as_ref())
            .flatten()
        {
            if !ids.contains(id.get_ref().as_str()) {
                self.error(&id.span(), format!("there is no clause {}", id.get_ref()));
            }
        }
        for clause in &file.clause {
            let Some(consent) = &clause.get_ref().consent else {
                continue;
            };
            for id in &consent.get_ref().clauses {
                self.cited.insert(id.get_ref());
                if !ids.contains(id.get_ref().as_str()) {
                    self.error(&id.span(), format!("there is no clause {}", id.get_ref()));
                }
            }
        }
    }

    fn clause(&mut self, raw: &'a RawClause) -> Clause {
        let policy = self.file.policy.id.get_ref();
        let id = raw.id.get_ref();
        let number = id
            .strip_prefix(policy.as_str())
            .and_then(|rest| rest.strip_prefix('.'));
        if !number.is_some_and(is_id) {
            self.error(
                &raw.id.span(),
                format!("a clause of {policy} has an id such as {policy}.001"),
            );
        }
        if raw.section.get_ref().trim().is_empty() {
            self.error(&raw.section.span(), "the section is empty");
        }
        if raw.summary.get_ref().trim().is_empty() {
            self.error(&raw.summary.span(), "the summary is empty");
        }
        let known = keys(raw.kind);
        let said = raw.particular_keys();
        for (key, span) in &said {
            if !known.contains(key) {
                let list = if known.is_empty() {
                    "none of its own".to_owned()
                } else {
                    known.join(", ")
                };
                self.error(
                    span,
                    format!(
                        "`{key}` has no meaning for a clause of the kind {}; its keys are: {list}",
                        raw.kind.name()
                    ),
                );
            }
        }
        for key in needed(raw.kind) {
            if !said.iter().any(|(said, _)| said == key) {
                self.error(
                    &raw.id.span(),
                    format!("a clause of the kind {} needs `{key}`", raw.kind.name()),
                );
            }
        }
        if matches!(
            raw.kind,
            ClauseKind::Category | ClauseKind::Purpose | ClauseKind::Recipient
        ) && raw.code.is_none()
            && raw.covers.as_ref().is_none_or(Vec::is_empty)
            && raw.parties.as_ref().is_none_or(Vec::is_empty)
        {
            self.error(
                &raw.id.span(),
                "the clause declares nothing: it needs `code` or `covers`",
            );
        }
        self.terms_and_codes(raw);
        self.places_of(raw);
        let (treatment, treatment_detail) = self.treatment(raw);
        Clause {
            id: id.clone(),
            section: raw.section.get_ref().clone(),
            kind: raw.kind,
            code: raw.code.as_ref().map(|code| code.get_ref().clone()),
            summary: raw.summary.get_ref().clone(),
            note: raw.note.clone(),
            addendum: raw.addendum.clone(),
            jurisdictions: texts(raw.r#where.as_deref()),
            except: texts(raw.except.as_deref()),
            from_ns: raw.from.map(|day| day.start_ns()),
            controllers: texts(raw.controllers.as_deref()),
            recipients: texts(raw.recipients.as_deref()),
            covers: texts(raw.covers.as_deref()),
            open: raw.open.as_ref().map(|open| open.get_ref().clone()),
            treatment,
            treatment_detail,
        }
    }

    fn terms_and_codes(&mut self, raw: &'a RawClause) {
        if let (Some(field), Some(code)) = (field_of(raw.kind), &raw.code) {
            // Rights, bases and safeguards carry codes that are no terms too.
            let must = matches!(
                raw.kind,
                ClauseKind::Category | ClauseKind::Purpose | ClauseKind::Recipient
            );
            let text = format!("custody:{}", code.get_ref());
            if must && Vocabulary::builtin().resolve(field, &text).is_err() {
                self.error(
                    &code.span(),
                    format!(
                        "{text} is no {field} of the vocabulary; leave `code` out and say `covers`"
                    ),
                );
            }
        }
        if let Some(field) = field_of(raw.kind) {
            for term in raw.covers.iter().chain(&raw.leaves_out).flatten() {
                self.term(field, term);
            }
        }
        for term in raw.rights.iter().flatten() {
            self.term(Field::Right, term);
        }
        for term in raw.stops.iter().flatten() {
            self.term(Field::Any, term);
        }
        for (kind, codes) in [
            (ClauseKind::Purpose, &raw.purposes),
            (ClauseKind::Category, &raw.categories),
            (ClauseKind::Basis, &raw.bases),
        ] {
            for code in codes.iter().flatten() {
                self.code(kind, code);
            }
        }
        if let Some(code) = &raw.r#as {
            self.code(ClauseKind::Purpose, code);
        }
        for code in raw.recipients.iter().flatten() {
            let text = format!("custody:{}", code.get_ref());
            if Vocabulary::builtin()
                .resolve(Field::Recipient, &text)
                .is_err()
            {
                self.error(
                    &code.span(),
                    format!("there is no recipient category {text}"),
                );
            }
        }
        for code in raw.continues.iter().flatten() {
            let text = format!("custody:{}", code.get_ref());
            if Vocabulary::builtin()
                .resolve(Field::Category, &text)
                .is_err()
            {
                self.error(&code.span(), format!("there is no data category {text}"));
            }
        }
        for party in raw
            .parties
            .iter()
            .flatten()
            .chain(raw.controllers.iter().flatten())
        {
            if !is_plain_id(party.get_ref()) {
                self.error(
                    &party.span(),
                    "the id of an organisation has 1 to 64 of a-z, 0-9, '.', '_' and '-'",
                );
            }
        }
        if let Some(consent) = &raw.consent {
            self.consent(raw.kind, consent.get_ref());
        }
    }

    fn consent(&mut self, kind: ClauseKind, consent: &'a RawConsent) {
        for basis in &consent.unless_basis {
            self.term(Field::LegalBasis, basis);
        }
        if let Some(field) = field_of(kind) {
            for term in &consent.terms {
                self.term(field, term);
            }
        }
        self.places(&consent.r#where);
    }

    fn places_of(&mut self, raw: &'a RawClause) {
        for list in [&raw.r#where, &raw.except].into_iter().flatten() {
            self.places(list);
        }
        for country in raw.countries.iter().flatten() {
            if Place::of(country.get_ref()).is_none() {
                self.unknown_place(country);
            }
        }
        if let (Some(from), Some(until)) = (raw.from, raw.until)
            && until <= from
        {
            self.error(&raw.id.span(), "`until` is not after `from`");
        }
    }

    fn treatment(&mut self, raw: &'a RawClause) -> (Treatment, Vec<String>) {
        let mut said: Vec<(Treatment, Vec<String>)> = Vec::new();
        if let Some(kinds) = &raw.recorded_by {
            for kind in kinds {
                if !EVENT_KINDS.contains(&kind.get_ref().as_str()) {
                    self.error(
                        &kind.span(),
                        format!(
                            "no kind of event; one of {} is meant",
                            EVENT_KINDS.join(", ")
                        ),
                    );
                }
            }
            said.push((Treatment::Recorded, texts(Some(kinds))));
        }
        if let Some(answers) = &raw.answered_by {
            for answer in answers {
                if !ANSWERS.contains(&answer.get_ref().as_str()) {
                    self.error(
                        &answer.span(),
                        format!(
                            "nothing answers by that name; one of {} is meant",
                            ANSWERS.join(", ")
                        ),
                    );
                }
            }
            said.push((Treatment::Answered, texts(Some(answers))));
        }
        if let Some(reason) = &raw.stated {
            if reason.get_ref().trim().is_empty() {
                self.error(&reason.span(), "say why nothing can be checked");
            }
            said.push((Treatment::Stated, vec![reason.get_ref().clone()]));
        }
        let enforced = is_enforced(raw) || self.cited.contains(raw.id.get_ref().as_str());
        if let Some(treatment) = &raw.treatment {
            let wanted = *treatment.get_ref();
            if wanted == Treatment::Enforced && !enforced {
                self.error(
                    &treatment.span(),
                    "the judge does nothing with this clause: it is not enforced",
                );
            }
            let detail = said
                .into_iter()
                .find(|(treatment, _)| *treatment == wanted)
                .map(|(_, detail)| detail)
                .unwrap_or_default();
            if detail.is_empty() && wanted != Treatment::Enforced {
                self.error(
                    &treatment.span(),
                    format!(
                        "say by what it is {}: recorded_by, answered_by or stated",
                        wanted.name()
                    ),
                );
            }
            return (wanted, detail);
        }
        if enforced {
            return (Treatment::Enforced, Vec::new());
        }
        match said.into_iter().next() {
            Some(first) => first,
            None => {
                self.error(
                    &raw.id.span(),
                    "the judge does nothing with this clause: say recorded_by, answered_by or stated",
                );
                (Treatment::Stated, Vec::new())
            }
        }
    }

    fn term(&mut self, field: Field, said: &Said) {
        if let Err(error) = Vocabulary::builtin().resolve(field, said.get_ref()) {
            let text = said.get_ref();
            let meant = error
                .suggestion
                .map(|curie| format!("; is {curie} meant?"))
                .unwrap_or_default();
            self.error(
                &said.span(),
                format!("{text:?} is no {field} of the vocabulary{meant}"),
            );
        }
    }

    fn code(&mut self, kind: ClauseKind, said: &Said) {
        let known = self
            .codes
            .get(&kind)
            .is_some_and(|codes| codes.contains(said.get_ref().as_str()));
        if !known {
            self.error(
                &said.span(),
                format!(
                    "this pack has no {} clause with the code {}",
                    kind.name(),
                    said.get_ref()
                ),
            );
        }
    }

    fn places(&mut self, list: &[Said]) {
        for said in list {
            let text = said.get_ref();
            if Member::of(text).is_none() && !self.file.groups.contains_key(text) {
                self.unknown_place(said);
            }
        }
    }

    fn unknown_place(&mut self, said: &Said) {
        self.error(
            &said.span(),
            format!(
                "{:?} is no ISO 3166 code and no group; groups are EU, EEA, UK, EUROPE and those under [groups]",
                said.get_ref()
            ),
        );
    }
}

/// Whether the judge does something with a clause.
fn is_enforced(raw: &RawClause) -> bool {
    match raw.kind {
        ClauseKind::Exclusion
        | ClauseKind::Controller
        | ClauseKind::Origin
        | ClauseKind::Category
        | ClauseKind::Purpose
        | ClauseKind::Recipient
        | ClauseKind::Basis
        | ClauseKind::Storage
        | ClauseKind::Destination
        | ClauseKind::Safeguard
        | ClauseKind::NoSale
        | ClauseKind::Breach => true,
        ClauseKind::Retention => raw.trigger.is_some(),
        ClauseKind::Right => raw.stops.is_some(),
        ClauseKind::Minors => raw
            .takes_none
            .as_ref()
            .is_some_and(|takes| *takes.get_ref()),
        ClauseKind::Versioning => raw.rule.as_ref().is_some_and(|rule| {
            matches!(
                rule.get_ref(),
                VersioningRule::Retroactive
                    | VersioningRule::EffectiveOnPosting
                    | VersioningRule::ConsentIfReduced
            )
        }),
        ClauseKind::Statement => false,
    }
}

/// The field in which a clause's terms stand.
pub(crate) const fn field_of(kind: ClauseKind) -> Option<Field> {
    match kind {
        ClauseKind::Category => Some(Field::Category),
        ClauseKind::Purpose => Some(Field::Purpose),
        ClauseKind::Recipient => Some(Field::Recipient),
        ClauseKind::Basis => Some(Field::LegalBasis),
        ClauseKind::Safeguard => Some(Field::Safeguard),
        _ => None,
    }
}

fn texts(said: Option<&[Said]>) -> Vec<String> {
    said.unwrap_or_default()
        .iter()
        .map(|said| said.get_ref().clone())
        .collect()
}

/// `[A-Za-z0-9._-]{1,64}`.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// `[a-z0-9._-]{1,64}`.
fn is_plain_id(text: &str) -> bool {
    is_id(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
}
