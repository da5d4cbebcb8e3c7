//! Who a person is: everything follows from seed and number, nothing is stored.

use custody_proto::event::subject::Role;

use crate::dice::{Dice, Purpose, mix};
use crate::place::JURISDICTIONS;
use crate::policy::Service;
use crate::profile::Profile;

/// Persons of one household follow each other.
const HOUSEHOLD: u32 = 3;

const MAIL_HOSTS: [&str; 4] = ["example.com", "example.org", "example.net", "mail.example"];

/// A person as far as it does not change.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) index: u32,
    pub(crate) service: Service,
    pub(crate) jurisdiction: &'static str,
    pub(crate) role: Role,
    pub(crate) minor: bool,
    /// The first is the primary one.
    pub(crate) ids: Vec<String>,
}

impl Person {
    pub(crate) fn new(profile: &Profile, index: u32) -> Self {
        let mut dice = Dice::new(profile.seed, Purpose::Person, u64::from(index), 0);
        let mix_of = profile.services;
        let service = dice
            .weighted(&[
                (Service::AlibabaCloud, mix_of.alibaba_cloud),
                (Service::AlibabaCom, mix_of.alibaba_com),
                (Service::AliExpress, mix_of.aliexpress),
            ])
            .unwrap_or(Service::AlibabaCom);
        let jurisdiction = dice.weighted(&JURISDICTIONS).unwrap_or("DE");
        // Other companies serve people whom the policy is not for.
        let jurisdiction = if service.last_version().excludes(jurisdiction) {
            dice.pick(&["BR", "DE", "ES", "PL", "US"])
                .copied()
                .unwrap_or("DE")
        } else {
            jurisdiction
        };
        let visitor = dice.permille(80);
        let role = match service {
            _ if visitor => Role::Visitor,
            Service::AlibabaCloud if dice.permille(60) => Role::Employee,
            Service::AlibabaCloud => Role::Customer,
            Service::AlibabaCom if dice.permille(250) => Role::Seller,
            Service::AlibabaCom if dice.permille(200) => Role::Member,
            Service::AliExpress if dice.permille(60) => Role::Seller,
            _ => Role::Buyer,
        };
        let minor = !visitor && dice.permille(5) && profile.failing > 0.0;
        Self {
            index,
            service,
            jurisdiction,
            role,
            minor,
            ids: identifiers(profile.seed, index, service, visitor, &mut dice),
        }
    }

    /// The identifiers; after a move another telephone number.
    pub(crate) fn ids_as_of(&self, moved: bool) -> Vec<String> {
        let mut ids = self.ids.clone();
        if moved && let Some(phone) = ids.iter_mut().find(|id| id.starts_with("phone:")) {
            *phone = format!("phone:+9992{:09}", self.index);
        }
        ids
    }

    pub(crate) fn primary(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    pub(crate) fn is_visitor(&self) -> bool {
        self.role == Role::Visitor
    }
}

fn identifiers(
    seed: u64,
    index: u32,
    service: Service,
    visitor: bool,
    dice: &mut Dice,
) -> Vec<String> {
    if visitor {
        return vec![format!(
            "cookie:{:016x}",
            mix(seed ^ 0xc00c, u64::from(index))
        )];
    }
    let mut ids = Vec::with_capacity(4);
    let number = 1001 + u64::from(index);
    ids.push(match service {
        Service::AlibabaCom => format!("member:m{number}"),
        _ => format!("account:{number}"),
    });

    // What a household shares is decided by the household, so that all of its
    // persons agree.
    let household = u64::from(index / HOUSEHOLD);
    let shares = mix(seed ^ 0xf00d, household) % 100;
    let host = MAIL_HOSTS[(mix(seed ^ 0x3a11, household) % 4) as usize];
    if dice.permille(850) {
        ids.push(if shares < 8 {
            format!("email:family.{household}@{host}")
        } else {
            format!("email:person.{number}@{host}")
        });
    }
    if dice.permille(500) {
        // +999 is nobody's country code.
        let line = if shares < 20 {
            household
        } else {
            1_000_000_000 + number
        };
        ids.push(format!("phone:+999{line:010}"));
    }
    if dice.permille(600) {
        let of = if shares < 35 {
            household
        } else {
            (1 << 40) + number
        };
        ids.push(format!("device:{:016x}", mix(seed ^ 0xdec1, of)));
    }
    ids
}
