//! What happens to a person's data without the person: transfers, authorities,
//! notices, look-ups, mistakes.

use custody_proto::event::{
    ActingAs, Consultation, Notice, Retraction, collection::Origin, event::Act, subject::Role,
};

use super::app::App;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use crate::policy::{Service, Version};
use crate::recipient;

/// To a company of the group or a data centre, mostly abroad.
pub(super) fn transfer(scene: &mut Scene<'_>) {
    let words = scene.words();
    let category = match scene.person.service {
        _ if scene.dice.permille(600) => "group_company",
        _ if scene.version() != Version::Alc2017 && scene.dice.permille(150) => {
            "group_service_provider"
        }
        Service::AlibabaCloud => "service_provider",
        _ => "cloud_provider",
    };
    // From anywhere: transfers are seldom to where the person is.
    let near = scene
        .dice
        .weighted(&[("CN", 4), ("SG", 3), ("US", 3)])
        .unwrap_or("SG");
    let Some(to) = recipient::pick(category, near, &mut scene.dice) else {
        return notice(scene);
    };
    let from = [scene.memory.account, scene.memory.order];
    let about = About {
        purposes: &[words.account],
        categories: &[words.contact],
        why: Why::Contract,
        from: &from,
    };
    let moved = scene.transfer_to(to, &about);
    if scene.dice.permille(400) {
        scene.wait(HOUR, 10 * DAY);
        let about = About {
            from: &[Some(moved)],
            ..about
        };
        scene.use_data(App::Storage, "dpv:Store", "regional-copy", &about);
    }
}

pub(super) fn law_enforcement(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.account, scene.memory.order];
    let about = About {
        purposes: &[words.compliance],
        categories: &[words.contact, words.transaction],
        why: Why::Law,
        from: &from,
    };
    let to = match scene.person.service {
        Service::AlibabaCloud => "government_authority",
        _ => "law_enforcement",
    };
    scene.disclose(App::Risk, to, &about);
    if scene.person.service != Service::AlibabaCloud && scene.dice.permille(300) {
        scene.wait(DAY, 20 * DAY);
        scene.disclose(App::Risk, "professional_adviser", &about);
    }
}

/// A promised notice.
pub(super) fn notice(scene: &mut Scene<'_>) {
    let clause = match scene.version() {
        Version::Alc2017 => "ALC-2017.082",
        Version::Alc2023 => "ALC-2023.121",
        Version::Alb2020 => "ALB-2020.099",
        Version::Alb2025 => "ALB-2025.112",
        Version::Ae2020 => "AE-2020.115",
    };
    let channel = scene.dice.weighted(&[("email", 6), ("web", 3), ("app", 2)]);
    let mut event = scene.event();
    event.act = Some(Act::Notice(Notice {
        clause: clause.to_owned(),
        channel: channel.unwrap_or("email").to_owned(),
    }));
    scene.say(App::Privacy, "notice", event);
}

/// Somebody looks the person up in another tool that shows lineage.
pub(super) fn consultation(scene: &mut Scene<'_>) {
    let number = scene.dice.below(200);
    let mut event = scene.event();
    event.act = Some(Act::Consultation(Consultation {
        by: format!("staff-{number}"),
        role: "support".to_owned(),
        reason: "question of the customer".to_owned(),
        query: "recipients".to_owned(),
        count: 0,
    }));
    scene.say(App::Support, "consultation", event);
}

/// Something was said wrongly, is taken back and said anew.
pub(super) fn retraction(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.account];
    let about = About {
        purposes: &[words.support],
        categories: &[words.contact],
        why: Why::Contract,
        from: &from,
    };
    let wrong = scene.use_data(App::Support, "dpv:Consult", "ticket-desk", &about);
    scene.wait(MINUTE, 3 * DAY);
    let mut event = scene.event();
    event.act = Some(Act::Retraction(Retraction {
        of: Some(wrong.reference()),
        reason: "it was another category".to_owned(),
    }));
    scene.say(App::Support, "retraction", event);
    scene.wait(1_000, MINUTE);
    let about = About {
        categories: &[words.messages],
        ..about
    };
    scene.use_data(App::Support, "dpv:Consult", "ticket-desk", &about);
}

/// The service is a processor: the data is a customer's, and so is the policy.
pub(super) fn on_behalf_of_a_customer(scene: &mut Scene<'_>) {
    if !scene.careless {
        return notice(scene);
    }
    let words = scene.words();
    let about = About {
        purposes: &["customer_instructions"],
        categories: &["end_user_data"],
        why: Why::Contract,
        from: &[],
    };
    let stored = scene.collect(App::Storage, Origin::ThirdParty, &about);
    scene.wait(MINUTE, HOUR);
    let about = About {
        purposes: &["customer_instructions", words.delivery],
        from: &[Some(stored)],
        ..about
    };
    scene.use_data(App::Storage, "dpv:Store", "object-store", &about);
    for draft in scene.out.iter_mut() {
        draft.event.acting_as = ActingAs::Processor.into();
        draft.expected = Some("no_policy");
        if let Some(subject) = &mut draft.event.subject {
            subject.role = Role::EndUser.into();
        }
    }
}
