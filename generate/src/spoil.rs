//! Events that are wrong by themselves, each in one way, with the code of the
//! finding that is expected.

use std::collections::VecDeque;

use custody_proto::event::{ActingAs, Category, Event, Party, collection::Origin, event::Act};

use crate::dice::Dice;
use crate::draft::Draft;
use crate::person::Person;
use crate::place::{Region, country};
use crate::policy::Version;
use crate::recipient;

/// An event that may be spoilt, and what it is judged by.
struct Spoiling<'a> {
    event: &'a mut Event,
    version: Version,
    jurisdiction: &'static str,
    dice: &'a mut Dice,
}

/// How often, where it is possible at all; 0 where it is not.
type Weight = fn(&Spoiling<'_>) -> u32;
type Apply = fn(&mut Spoiling<'_>);

/// What can be wrong. What is possible seldom has the greater weight.
const WAYS: [(&str, Weight, Apply); 16] = [
    ("no_policy", |_| 4, no_policy),
    ("policy_mismatch", |_| 8, policy_mismatch),
    ("undeclared_category", |_| 8, undeclared_category),
    ("undeclared_purpose", |_| 8, undeclared_purpose),
    (
        "undeclared_recipient",
        |s| 10 * s.discloses(),
        undeclared_recipient,
    ),
    (
        "undeclared_origin",
        |s| 10 * s.collects(),
        undeclared_origin,
    ),
    (
        "undeclared_destination",
        to_closed_list,
        undeclared_destination,
    ),
    (
        "undeclared_combination",
        tied_recipient,
        undeclared_combination,
    ),
    ("wrong_controller", names_controller, wrong_controller),
    ("basis_missing", asks_basis, basis_missing),
    ("basis_undeclared", closed_bases, basis_undeclared),
    ("safeguard_missing", leaves, safeguard_missing),
    ("safeguard_invalid", leaves, safeguard_invalid),
    ("storage_elsewhere", promises_storage, storage_elsewhere),
    ("sale", promises_no_sale, sale),
    ("not_anonymised", asks_anonymity, not_anonymised),
];

/// From this weight on a way is seldom possible, and is taken so many times as
/// often.
const SELDOM: u32 = 40;
const MORE_OFTEN: u32 = 8;

/// Spoils about six of ten of those that are to fail, in parts of a million of
/// the judged events; the rest are whole episodes.
pub(crate) fn some(
    drafts: &mut VecDeque<Box<Draft>>,
    person: &Person,
    failing_ppm: u32,
    dice: &mut Dice,
) {
    for draft in drafts {
        let judged = matches!(draft.kind, "collection" | "use" | "disclosure" | "transfer");
        if !judged || draft.expected.is_some() || person.minor {
            continue;
        }
        let version = person.service.version(draft.time_ms);
        let mut spoiling = Spoiling {
            event: &mut draft.event,
            version,
            jurisdiction: person.jurisdiction,
            dice,
        };
        let chance = failing_ppm / 10 * 6;
        let ways = match spoiling.dice.below(1_000_000) {
            draw if draw < chance => WAYS.map(|way| (way, way.1(&spoiling))),
            draw if draw < chance.saturating_mul(MORE_OFTEN) => {
                WAYS.map(|way| match way.1(&spoiling) {
                    weight if weight >= SELDOM => (way, weight),
                    _ => (way, 0),
                })
            }
            _ => continue,
        };
        if let Some((code, _, apply)) = spoiling.dice.weighted(&ways) {
            apply(&mut spoiling);
            draft.expected = Some(code);
        }
    }
}

impl Spoiling<'_> {
    fn region(&self) -> Region {
        Region::of(self.jurisdiction)
    }

    fn recipient(&self) -> Option<&Party> {
        match &self.event.act {
            Some(Act::Disclosure(act)) => act.recipient.as_ref(),
            Some(Act::Transfer(act)) => act.recipient.as_ref(),
            _ => None,
        }
    }

    /// The recipient's category without its prefix.
    fn category(&self) -> &str {
        let term = self.recipient().map_or("", |party| party.category.as_str());
        term.strip_prefix("custody:").unwrap_or(term)
    }

    fn discloses(&self) -> u32 {
        u32::from(self.recipient().is_some_and(|party| !party.person))
    }

    fn collects(&self) -> u32 {
        u32::from(matches!(self.event.act, Some(Act::Collection(_))))
    }

    /// Sends it to somebody else, wherever that is.
    fn send_to(&mut self, party: Party) {
        match &mut self.event.act {
            Some(Act::Disclosure(act)) => act.recipient = Some(party),
            Some(Act::Transfer(act)) => {
                act.to_country.clone_from(&party.country);
                self.event.location.clone_from(&party.country);
                act.recipient = Some(party);
            }
            _ => {}
        }
    }

    fn rest_on(&mut self, safeguard: &str) {
        match &mut self.event.act {
            Some(Act::Disclosure(act)) => safeguard.clone_into(&mut act.safeguard),
            Some(Act::Transfer(act)) => safeguard.clone_into(&mut act.safeguard),
            _ => {}
        }
    }
}

/// Done for somebody else, whose policy it is.
fn no_policy(s: &mut Spoiling<'_>) {
    s.event.acting_as = ActingAs::Processor.into();
}

/// Names the policy of before, or of another service.
fn policy_mismatch(s: &mut Spoiling<'_>) {
    let other = match s.version {
        Version::Alc2023 => Version::Alc2017,
        Version::Alb2025 => Version::Alb2020,
        Version::Alc2017 => Version::Alc2023,
        Version::Alb2020 => Version::Alb2025,
        Version::Ae2020 => Version::Alb2020,
    };
    other.code().clone_into(&mut s.event.policy);
}

/// What nobody said that they would take.
fn undeclared_category(s: &mut Spoiling<'_>) {
    let terms = ["pd:Religion", "pd:PoliticalOpinion", "pd:Ethnicity"];
    let term = s.dice.pick(&terms).copied().unwrap_or("pd:Religion");
    s.event.categories.push(Category {
        term: term.to_owned(),
        fields: Vec::new(),
    });
}

/// What another policy does.
fn undeclared_purpose(s: &mut Spoiling<'_>) {
    let purpose = match s.version {
        Version::Ae2020 | Version::Alb2020 => "custody:credit_scoring",
        Version::Alb2025 | Version::Alc2017 | Version::Alc2023 => "custody:influencer_eligibility",
    };
    s.event.purposes = vec![purpose.to_owned()];
}

/// Somebody whom only another policy names.
fn undeclared_recipient(s: &mut Spoiling<'_>) {
    let category = match s.version {
        Version::Alc2017 | Version::Alc2023 => "insurer",
        Version::Alb2020 | Version::Alb2025 | Version::Ae2020 => "marketplace_vendor",
    };
    if let Some(other) = recipient::pick(category, s.jurisdiction, s.dice) {
        s.send_to(other.party());
    }
}

fn undeclared_origin(s: &mut Spoiling<'_>) {
    if let Some(Act::Collection(act)) = &mut s.event.act {
        act.origin = match s.version {
            Version::Alb2020 => Origin::Inferred,
            _ => Origin::Public,
        }
        .into();
    }
}

/// ALB-2025 names the countries of its group's data centres.
fn to_closed_list(s: &Spoiling<'_>) -> u32 {
    40 * u32::from(s.version == Version::Alb2025 && s.category() == "group_company")
}

fn undeclared_destination(s: &mut Spoiling<'_>) {
    s.send_to(Party {
        id: "group-services-india".to_owned(),
        name: "Group Services India".to_owned(),
        category: "custody:group_company".to_owned(),
        country: "IN".to_owned(),
        person: false,
    });
}

/// Those who may have data for some purposes only.
fn tied_recipient(s: &Spoiling<'_>) -> u32 {
    let tied = [
        "payment_provider",
        "logistics",
        "customs_agent",
        "law_enforcement",
        "government_authority",
        "insurer",
    ];
    10 * u32::from(tied.contains(&s.category()))
}

fn undeclared_combination(s: &mut Spoiling<'_>) {
    let research = s.version.words().research;
    s.event.purposes = vec![format!("custody:{research}")];
}

/// ALB-2020 names a controller for Europe only.
fn names_controller(s: &Spoiling<'_>) -> u32 {
    8 * u32::from(s.version != Version::Alb2020 || s.region().is_gdpr())
}

fn wrong_controller(s: &mut Spoiling<'_>) {
    let other = match s.version {
        Version::Alc2023 => "alibaba-com-singapore",
        _ => "alibaba-netherlands",
    };
    other.clone_into(&mut s.event.controller);
}

fn asks_basis(s: &Spoiling<'_>) -> u32 {
    8 * u32::from(s.version.asks_basis(s.jurisdiction) && !s.event.anonymised)
}

fn basis_missing(s: &mut Spoiling<'_>) {
    s.event.legal_basis.clear();
}

/// ALB-2025 lists the bases of most purposes in Europe.
fn closed_bases(s: &Spoiling<'_>) -> u32 {
    let words = s.version.words();
    let listed = s.event.purposes.iter().any(|purpose| {
        let code = purpose.strip_prefix("custody:").unwrap_or(purpose);
        code != words.cookie_statistics && code != words.claims && code != "cookie_essential"
    });
    let asks = s.version == Version::Alb2025 && s.region().is_gdpr();
    20 * u32::from(asks && listed && !s.event.anonymised)
}

/// A task in the public interest.
fn basis_undeclared(s: &mut Spoiling<'_>) {
    "eu-gdpr:A6-1-e".clone_into(&mut s.event.legal_basis);
}

/// Whether it leaves Europe for where the law there does not suffice.
fn leaves(s: &Spoiling<'_>) -> u32 {
    let to = s.recipient().map_or("", |party| party.country.as_str());
    let asks = s.region().is_gdpr() && s.version != Version::Alc2017;
    let abroad = !to.is_empty() && !Region::is_adequate(to);
    12 * u32::from(asks && abroad && !s.event.anonymised)
}

/// Says from where, since some data of Europeans lies elsewhere already.
fn from_europe(s: &mut Spoiling<'_>) {
    let from = country(s.jurisdiction);
    match &mut s.event.act {
        Some(Act::Transfer(act)) => from.clone_into(&mut act.from_country),
        _ => from.clone_into(&mut s.event.location),
    }
}

fn safeguard_missing(s: &mut Spoiling<'_>) {
    from_europe(s);
    s.rest_on("");
}

/// A promise of silence, or what a court has struck down.
fn safeguard_invalid(s: &mut Spoiling<'_>) {
    from_europe(s);
    let american = s.recipient().is_some_and(|party| party.country == "US");
    s.rest_on(if american {
        "custody:privacy_shield"
    } else {
        "custody:confidentiality"
    });
}

fn stores(s: &Spoiling<'_>) -> bool {
    match &s.event.act {
        Some(Act::Collection(_)) => true,
        Some(Act::Use(act)) => act.operation == "dpv:Store",
        _ => false,
    }
}

fn promises_storage(s: &Spoiling<'_>) -> u32 {
    let promises = match s.version {
        Version::Ae2020 => s.region().is_gdpr(),
        Version::Alb2025 => true,
        Version::Alc2023 => s.region() == Region::Korea,
        Version::Alc2017 | Version::Alb2020 => false,
    };
    10 * u32::from(promises && stores(s) && !s.event.anonymised)
}

fn storage_elsewhere(s: &mut Spoiling<'_>) {
    "IN".clone_into(&mut s.event.location);
}

/// ALC-2023 promises Californians not to sell.
fn promises_no_sale(s: &Spoiling<'_>) -> u32 {
    let promises = s.version == Version::Alc2023 && s.jurisdiction == "US-CA";
    let disclosed = matches!(s.event.act, Some(Act::Disclosure(_)));
    100 * u32::from(promises && disclosed)
}

fn sale(s: &mut Spoiling<'_>) {
    if let Some(Act::Disclosure(act)) = &mut s.event.act {
        act.sale = true;
    }
}

/// Those who study anonymised data, or what is learnt from it only.
fn asks_anonymity(s: &Spoiling<'_>) -> u32 {
    let learns = s
        .event
        .purposes
        .iter()
        .any(|p| p.ends_with("machine_learning"));
    let to = s.version.words().statistician;
    let studies = to.is_some_and(|to| to == s.category());
    60 * u32::from(s.event.anonymised && (learns || studies))
}

fn not_anonymised(s: &mut Spoiling<'_>) {
    s.event.anonymised = false;
}
