//! The events that every side of a comparison appends: one JSON object a
//! line, the same file for the same seed.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// 2025-01-01T00:00:00Z, in milliseconds.
pub(crate) const START_MS: i64 = 1_735_689_600_000;
pub(crate) const YEAR_MS: u64 = 365 * 86_400_000;

/// The account of the first person.
pub(crate) const FIRST_ACCOUNT: usize = 10_000_000;

/// Zipf's exponent for events a person and events a recipient.
const SKEW: f64 = 0.99;

/// Kinds and their share in percent.
const KINDS: [(Kind, u32); 4] = [
    (Kind::Use, 45),
    (Kind::Collection, 25),
    (Kind::Disclosure, 20),
    (Kind::Transfer, 10),
];

pub(crate) const RECIPIENTS: usize = 200;

pub(crate) const SERVICES: [&str; 4] = ["ads", "chat", "cloud", "shop"];

/// Codes of `custody:` purposes.
pub(crate) const PURPOSES: [&str; 25] = [
    "account",
    "communication",
    "compatible_purposes",
    "credit_scoring",
    "customer_service",
    "customs",
    "direct_marketing",
    "disputes",
    "fraud_prevention",
    "kyc_aml",
    "legal_claims",
    "legal_compliance",
    "logistics",
    "machine_learning",
    "membership_benefits",
    "orders",
    "personalised_communication",
    "publishing",
    "purchase_delivery",
    "recommendations",
    "research",
    "risk_control",
    "sanctions_screening",
    "service_provision",
    "warranty_aftersales",
];

/// Codes of `custody:` categories of data.
pub(crate) const CATEGORIES: [&str; 40] = [
    "account",
    "browsing",
    "browsing_activity",
    "business",
    "buyer_preferences",
    "coarse_location",
    "communications",
    "complaints",
    "contact",
    "cookies",
    "correspondence",
    "device",
    "device_contents",
    "device_statistics",
    "disputes",
    "end_user_data",
    "event_contacts",
    "health",
    "identity_documents",
    "identity_verification",
    "inferences",
    "location",
    "online_activity",
    "payment",
    "payment_instrument",
    "payout",
    "public_sources",
    "published_content",
    "purchases",
    "purchasing_patterns",
    "questionnaire",
    "reviews",
    "seller_goods",
    "service_usage",
    "social_media_account",
    "social_profile",
    "support_communications",
    "transaction",
    "transactions",
    "user_generated_content",
];

pub(crate) const COUNTRIES: [&str; 30] = [
    "AE", "AT", "AU", "BE", "BR", "CA", "CH", "CN", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "HK",
    "IE", "IN", "IT", "JP", "KR", "MX", "NL", "PL", "PT", "SA", "SE", "SG", "TR", "US",
];

/// What to write.
#[derive(Args)]
pub(crate) struct WorkloadArgs {
    /// Events, spread evenly over a year.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Persons that events are drawn for; the rarest may have none.
    #[arg(long, default_value_t = 100_000)]
    persons: u32,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file.
    #[arg(long)]
    out: PathBuf,
}

/// What a service did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Collection,
    Use,
    Disclosure,
    Transfer,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkloadEvent {
    /// 32 hexadecimal digits, unique.
    pub(crate) id: String,
    /// RFC 3339 with milliseconds, never before the line above's.
    pub(crate) time: String,
    pub(crate) kind: Kind,
    pub(crate) service: String,
    /// An identifier as `scheme:value`.
    pub(crate) subject: String,
    /// A `custody:` term.
    pub(crate) purpose: String,
    /// One to three `custody:` terms.
    pub(crate) categories: Vec<String>,
    pub(crate) recipient: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
}

/// Writes the file, durably.
pub(crate) fn write(args: &WorkloadArgs) -> Result<()> {
    ensure!(args.persons > 0, "there must be a person");
    let file = File::create(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = 0;
    for event in Events::new(args.events, args.persons, args.seed) {
        let line = serde_json::to_string(&event?)?;
        bytes += line.len() as u64 + 1;
        writeln!(out, "{line}")?;
    }
    out.into_inner()?.sync_all()?;
    println!(
        "{} events of {:.1} bytes",
        args.events,
        bytes as f64 / args.events.max(1) as f64
    );
    Ok(())
}

pub(crate) struct Events {
    dice: SplitMix,
    persons: Zipf,
    recipients: Zipf,
    next: u64,
    events: u64,
}

impl Events {
    pub(crate) fn new(events: u64, persons: u32, seed: u64) -> Self {
        Self {
            dice: SplitMix(seed),
            persons: Zipf::new(persons as usize),
            recipients: Zipf::new(RECIPIENTS),
            next: 0,
            events,
        }
    }

    fn event(&mut self, number: u64) -> Result<WorkloadEvent> {
        let dice = &mut self.dice;
        let step = YEAR_MS / self.events;
        let ms = number * step + dice.below(step.max(1));
        let time = Timestamp::from_millisecond(START_MS + i64::try_from(ms)?)?;
        let percent = dice.below(100);
        let mut upto = 0;
        let kind = KINDS
            .into_iter()
            .find(|(_, share)| {
                upto += u64::from(*share);
                percent < upto
            })
            .map_or(Kind::Use, |(kind, _)| kind);
        let person = self.persons.draw_person(dice);
        let purpose = PURPOSES[dice.index(PURPOSES.len())];
        let mut categories: Vec<String> = Vec::with_capacity(3);
        for _ in 0..=dice.below(3) {
            let category = format!("custody:{}", CATEGORIES[dice.index(CATEGORIES.len())]);
            if !categories.contains(&category) {
                categories.push(category);
            }
        }
        Ok(WorkloadEvent {
            id: format!("{:016x}{:016x}", dice.next(), dice.next()),
            time: format!("{time:.3}"),
            kind,
            service: SERVICES[dice.index(SERVICES.len())].to_owned(),
            subject: format!("account:{}", FIRST_ACCOUNT + person),
            purpose: format!("custody:{purpose}"),
            categories,
            recipient: format!("recipient-{:03}", self.recipients.draw(dice)),
            country: COUNTRIES[dice.index(COUNTRIES.len())].to_owned(),
        })
    }
}

impl Iterator for Events {
    type Item = Result<WorkloadEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next;
        self.next += 1;
        (number < self.events).then(|| self.event(number))
    }
}

/// Zipf's law over ranks from 0. Weights are whole numbers, so that another
/// platform's power function draws the same.
pub(crate) struct Zipf {
    reached: Vec<u64>,
}

impl Zipf {
    pub(crate) fn new(ranks: usize) -> Self {
        let mut sum = 0;
        let reached = (1..=ranks)
            .map(|rank| {
                sum += ((rank as f64).powf(-SKEW) * 1e12).round() as u64;
                sum
            })
            .collect();
        Self { reached }
    }

    pub(crate) fn draw(&self, dice: &mut SplitMix) -> usize {
        let point = dice.below(self.reached.last().copied().unwrap_or(1));
        self.reached.partition_point(|upto| *upto <= point)
    }

    /// Draws a person's number: neighbours in rank are strangers in order.
    pub(crate) fn draw_person(&self, dice: &mut SplitMix) -> usize {
        (self.draw(dice) * 61_861) % self.reached.len()
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }
}
