//! One episode while it is planned: who, when, and how things are said.

use std::collections::VecDeque;

use custody_proto::event::{
    ActingAs, Category, Collection, Disclosure, Event, Party, Subject, Transfer, Use,
    collection::Origin, disclosure::Means, event::Act,
};

use super::Memory;
use super::app::App;
use crate::dice::Dice;
use crate::draft::{Draft, EventId, Link};
use crate::person::Person;
use crate::place::{Region, country};
use crate::policy::{Version, Words};
use crate::recipient::{self, Organisation};

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// Why something may be done.
#[derive(Clone, Copy)]
pub(super) enum Why {
    Contract,
    Interest,
    Consent,
    Law,
}

/// What something was done for and with.
pub(super) struct About<'a> {
    pub(super) purposes: &'a [&'static str],
    pub(super) categories: &'a [&'static str],
    pub(super) why: Why,
    pub(super) from: &'a [Option<Link>],
}

/// One episode while it is planned.
pub(super) struct Scene<'a> {
    pub(super) person: &'a Person,
    pub(super) memory: &'a mut Memory,
    pub(super) persons: u32,
    pub(super) dice: Dice,
    pub(super) now_ms: i64,
    pub(super) depart_ms: i64,
    /// Events that the person may still cause, those of this episode included.
    pub(super) remaining: u32,
    /// Whether anything may be wrong on purpose.
    pub(super) careless: bool,
    pub(super) out: &'a mut VecDeque<Box<Draft>>,
}

impl Scene<'_> {
    pub(super) fn version(&self) -> Version {
        self.person.service.version(self.now_ms)
    }

    pub(super) fn words(&self) -> &'static Words {
        self.version().words()
    }

    pub(super) fn region(&self) -> Region {
        Region::of(self.person.jurisdiction)
    }

    /// Milliseconds an event, if the rest were spread evenly.
    fn pace_ms(&self) -> i64 {
        let said = u32::try_from(self.out.len()).unwrap_or(u32::MAX);
        let left = self.remaining.saturating_sub(said).max(1);
        (self.depart_ms - self.now_ms).max(0) / i64::from(left)
    }

    /// Lets time pass: as long as it would take, or less where the person has
    /// too much to do.
    pub(super) fn wait(&mut self, low_ms: i64, high_ms: i64) {
        let natural = self.dice.between(low_ms, high_ms);
        let longest = self.pace_ms().saturating_mul(3) / 2;
        self.now_ms = (self.now_ms + natural.min(longest)).min(self.depart_ms);
    }

    /// When the next episode begins: such that the rest fits.
    pub(super) fn next_episode_ms(&mut self) -> i64 {
        let longest = self.pace_ms().saturating_mul(6);
        let room = (self.depart_ms - self.now_ms).max(0) / 4 * 3;
        self.now_ms + self.dice.between(0, longest.min(room))
    }

    /// What every event of this person says.
    pub(super) fn event(&mut self) -> Event {
        let version = self.version();
        let all_ids = self.dice.permille(350);
        let ids = if all_ids {
            self.person.ids_as_of(self.memory.moved)
        } else {
            vec![self.person.primary().to_owned()]
        };
        // Some name the policy.
        let policy = match self.dice.below(100) {
            0..=12 => version.code(),
            _ => "",
        };
        Event {
            subject: Some(Subject {
                ids,
                jurisdiction: self.person.jurisdiction.to_owned(),
                minor: self.person.minor,
                role: self.person.role.into(),
            }),
            service: self.person.service.name().to_owned(),
            controller: version.controller(self.person.jurisdiction).to_owned(),
            acting_as: ActingAs::Controller.into(),
            policy: policy.to_owned(),
            ..Event::default()
        }
    }

    /// An event about something, before its act.
    fn event_about(&mut self, about: &About<'_>) -> Event {
        let mut event = self.event();
        event.purposes = about.purposes.iter().map(|code| self.term(code)).collect();
        event.categories = about
            .categories
            .iter()
            .map(|code| self.category(code))
            .collect();
        // A category said twice is said once.
        event.categories.dedup_by(|a, b| a.term == b.term);
        event.legal_basis = self.basis(about.why);
        event.derived_from = about.from.iter().flatten().map(Link::reference).collect();
        if self.dice.permille(15) {
            event.note = self.note();
        }
        event
    }

    fn note(&mut self) -> String {
        const NOTES: [&str; 5] = [
            "Ring twice, second door on the left.",
            "Asked to be called in the afternoon only.",
            "Parcel was opened on arrival, see photograph.",
            "Prefers letters to e-mails.",
            "Spelling of the surname was corrected by telephone.",
        ];
        self.dice
            .pick(&NOTES)
            .copied()
            .unwrap_or_default()
            .to_owned()
    }

    /// A local code as a term: mostly with its prefix.
    pub(super) fn term(&mut self, code: &str) -> String {
        if code.contains(':') || self.dice.permille(60) {
            code.to_owned()
        } else {
            format!("custody:{code}")
        }
    }

    fn category(&mut self, code: &str) -> Category {
        let term = self.term(code);
        Category {
            fields: field_names(code).iter().map(|&f| f.to_owned()).collect(),
            term,
        }
    }

    /// The basis as it would be worded where the person is. Where none is
    /// needed, some leave it out.
    fn basis(&mut self, why: Why) -> String {
        let region = self.region();
        let needed = region.is_gdpr() || self.version().asks_basis(self.person.jurisdiction);
        if self.dice.permille(300) && !needed && !matches!(why, Why::Consent) {
            return String::new();
        }
        let term = match (region, why) {
            (Region::Eea | Region::Uk, Why::Contract) => "eu-gdpr:A6-1-b",
            (Region::Eea | Region::Uk, Why::Interest) => "eu-gdpr:A6-1-f",
            (Region::Eea | Region::Uk, Why::Consent) => "eu-gdpr:A6-1-a",
            (Region::Eea | Region::Uk, Why::Law) => "eu-gdpr:A6-1-c",
            (_, Why::Contract) => "dpv:ContractPerformance",
            (_, Why::Interest) => "dpv:LegitimateInterestOfController",
            (_, Why::Consent) => "dpv:Consent",
            (_, Why::Law) => "dpv:LegalObligation",
        };
        term.to_owned()
    }

    /// What a transfer to a country rests on.
    pub(super) fn safeguard(&mut self, to: &str) -> String {
        let abroad = country(to) != country(self.person.jurisdiction);
        let region = self.region();
        let term = if region.is_gdpr() && !Region::is_adequate(to) {
            self.dice
                .weighted(&[
                    ("eu-gdpr:A46-2-c", 80),
                    ("eu-gdpr:SCCByCommission", 14),
                    ("eu-gdpr:BindingCorporateRules", 6),
                ])
                .unwrap_or_default()
        } else if region.is_gdpr() && abroad && Region::of(to) != Region::Eea {
            "eu-gdpr:AdequacyDecision"
        } else if abroad && self.dice.permille(250) {
            "dpv:SafeguardForDataTransfer"
        } else {
            ""
        };
        term.to_owned()
    }

    /// Where the data of this person lies.
    pub(super) fn storage(&self) -> String {
        self.version().storage(self.person.jurisdiction).to_owned()
    }

    /// Says it, now.
    pub(super) fn say(&mut self, app: App, kind: &'static str, event: Event) -> Link {
        let serial = u64::from(self.memory.serial);
        self.memory.serial += 1;
        let count = |prefix| {
            // One to one over (person, serial).
            EventId::Count(
                prefix,
                serial * u64::from(self.persons) + u64::from(self.person.index),
            )
        };
        let id = match app {
            App::Signup => count('c'),
            App::Orders => count('o'),
            App::Support => count('t'),
            _ => EventId::Uuid(self.dice.u128()),
        };
        let link = Link {
            source: app.source(self.person.service),
            id,
        };
        let judged = matches!(kind, "collection" | "use" | "disclosure" | "transfer");
        let minor = judged && self.person.minor && self.version().takes_no_minors();
        self.out.push_back(Box::new(Draft {
            time_ms: self.now_ms,
            kind,
            link,
            event,
            expected: minor.then_some("minor"),
        }));
        link
    }

    /// Says what was said last to be wrong on purpose.
    pub(super) fn expect(&mut self, code: &'static str) {
        if let Some(draft) = self.out.back_mut() {
            draft.expected = Some(code);
        }
    }

    pub(super) fn collect(&mut self, app: App, origin: Origin, about: &About<'_>) -> Link {
        let mut event = self.event_about(about);
        event.location = self.storage();
        event.act = Some(Act::Collection(Collection {
            origin: origin.into(),
            from: None,
        }));
        self.say(app, "collection", event)
    }

    pub(super) fn collect_from(&mut self, app: App, from: Organisation, about: &About<'_>) -> Link {
        let mut event = self.event_about(about);
        event.location = self.storage();
        event.act = Some(Act::Collection(Collection {
            origin: Origin::ThirdParty.into(),
            from: Some(from.party()),
        }));
        self.say(app, "collection", event)
    }

    pub(super) fn use_data(
        &mut self,
        app: App,
        operation: &str,
        system: &str,
        about: &About<'_>,
    ) -> Link {
        let mut event = self.event_about(about);
        event.anonymised = about.purposes.contains(&"machine_learning");
        event.act = Some(Act::Use(Use {
            operation: operation.to_owned(),
            system: system.to_owned(),
        }));
        if operation == "dpv:Store" {
            event.location = self.storage();
        }
        self.say(app, "use", event)
    }

    /// Discloses to an organisation of a category, if the directory has one.
    pub(super) fn disclose(&mut self, app: App, to: &str, about: &About<'_>) -> Option<Link> {
        let recipient = recipient::pick(to, self.person.jurisdiction, &mut self.dice)?;
        Some(self.disclose_to(app, recipient.party(), about))
    }

    pub(super) fn disclose_to(&mut self, app: App, to: Party, about: &About<'_>) -> Link {
        let mut event = self.event_about(about);
        event.location = self.storage();
        event.anonymised = to.category == "custody:anonymised_recipient";
        let safeguard = self.safeguard(&to.country);
        event.act = Some(Act::Disclosure(Disclosure {
            means: if to.person { Means::Web } else { Means::Api }.into(),
            recipient: Some(to),
            sale: false,
            safeguard,
        }));
        self.say(app, "disclosure", event)
    }

    pub(super) fn transfer_to(&mut self, to: Organisation, about: &About<'_>) -> Link {
        let mut event = self.event_about(about);
        let from_country = self.storage();
        event.location = to.country.to_owned();
        event.act = Some(Act::Transfer(Transfer {
            safeguard: self.safeguard(to.country),
            recipient: Some(to.party()),
            from_country,
            to_country: to.country.to_owned(),
        }));
        self.say(App::Storage, "transfer", event)
    }
}

/// Names of fields as a service's tables would have them.
fn field_names(code: &str) -> &'static [&'static str] {
    match code {
        "contact" => &["name", "email", "phone"],
        "account" => &["login", "nickname"],
        "payment" | "third_party_payment_data" => &["card_token", "billing_address"],
        "transactions" | "transaction" | "purchases" => &["order_no", "items", "amount"],
        "device" | "device_statistics" => &["user_agent", "ip"],
        "browsing" | "browsing_activity" | "online_activity" => &["page", "referrer"],
        "identity_documents" | "identity_verification" | "verification" => &["document_scan"],
        "location" | "coarse_location" => &["city"],
        _ => &[],
    }
}
