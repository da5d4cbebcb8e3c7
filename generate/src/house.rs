//! What happens without a person: policies published, breaches.

use custody_proto::Timestamp;
use custody_proto::event::{Breach, Event, PolicyPublished, Subject, breach::Notified, event::Act};

use crate::dice::{Dice, Purpose};
use crate::draft::{Draft, EventId, Link};
use crate::policy::{KOREA_ADDENDUM_MS, Service, VERSIONS, Version};
use crate::profile::Profile;
use crate::recipient;

const DAY_MS: i64 = 86_400_000;
/// About twice a year somebody is broken into.
const BREACH_EVERY_MS: i64 = 180 * DAY_MS;

/// Everything of the profile's time, in order.
pub(crate) fn events(profile: &Profile) -> Vec<Draft> {
    let during = profile.start_ms()..=profile.end_ms();
    let mut all: Vec<Draft> = VERSIONS
        .into_iter()
        .map(|(version, at)| published(version, at, ""))
        .chain([published(Version::Alc2023, KOREA_ADDENDUM_MS, "KR")])
        .filter(|draft| during.contains(&draft.time_ms))
        .collect();
    let mut dice = Dice::new(profile.seed, Purpose::House, 0, 0);
    let mut at = profile.start_ms();
    for number in 1.. {
        at += dice.between(BREACH_EVERY_MS / 2, BREACH_EVERY_MS * 3 / 2);
        if at > profile.end_ms() {
            break;
        }
        // Of each third nobody is told.
        let careless = profile.failing > 0.0 && number % 3 == 2;
        all.push(breach(number, at, careless, &mut dice));
    }
    all.sort_by_key(|draft| draft.time_ms);
    all
}

const fn source(service: Service) -> &'static str {
    match service {
        Service::AlibabaCloud => "//privacy.cloud.example",
        Service::AlibabaCom => "//privacy.alibaba.example",
        Service::AliExpress => "//privacy.aliexpress.example",
    }
}

fn published(version: Version, at: i64, addendum: &str) -> Draft {
    let (policy, number) = version.parts();
    let service = version.service();
    let name = if addendum.is_empty() {
        "policy"
    } else {
        "addendum"
    };
    Draft {
        time_ms: at,
        kind: "policy_published",
        link: Link {
            source: source(service),
            id: EventId::Named(name, number.parse().unwrap_or(0)),
        },
        expected: None,
        event: Event {
            service: service.name().to_owned(),
            act: Some(Act::PolicyPublished(PolicyPublished {
                policy: policy.to_owned(),
                version: number.to_owned(),
                effective_at: Some(moment(at)),
                addendum: addendum.to_owned(),
            })),
            ..Event::default()
        },
    }
}

fn breach(number: u32, at: i64, careless: bool, dice: &mut Dice) -> Draft {
    let service = match dice.below(3) {
        0 => Service::AlibabaCloud,
        1 => Service::AlibabaCom,
        _ => Service::AliExpress,
    };
    let organisations = recipient::all();
    let recipients = (0..1 + dice.below(2))
        .filter_map(|_| dice.pick(organisations))
        .map(|organisation| organisation.id.to_owned())
        .collect();
    // Found some days after it ended.
    let to = at - dice.between(DAY_MS, 20 * DAY_MS);
    let from = to - dice.between(DAY_MS / 24, 30 * DAY_MS);
    let words = service.version(at).words();
    let seat = dice.weighted(&[("DE", 3), ("GB", 1)]).unwrap_or("DE");
    let mut notified = Vec::new();
    if !careless {
        notified.push(Notified::Authority.into());
    }
    if dice.permille(400) && !careless {
        notified.push(Notified::Subjects.into());
    }
    Draft {
        time_ms: at,
        kind: "breach",
        link: Link {
            source: source(service),
            id: EventId::Named("breach", number),
        },
        expected: careless.then_some("notice_overdue"),
        event: Event {
            // Nobody's in particular; by whose law it is to be notified.
            subject: Some(Subject {
                jurisdiction: seat.to_owned(),
                ..Subject::default()
            }),
            service: service.name().to_owned(),
            act: Some(Act::Breach(Breach {
                breach_id: format!("breach-{number}"),
                recipients,
                from: Some(moment(from)),
                to: Some(moment(to)),
                categories: vec![format!("custody:{}", words.contact)],
                notified,
            })),
            ..Event::default()
        },
    }
}

fn moment(time_ms: i64) -> Timestamp {
    Timestamp::from_unix_nanos(time_ms.saturating_mul(1_000_000))
}
