//! Agreeing to marketing, changing one's mind, and being marketed to.

use custody_proto::Timestamp;
use custody_proto::event::{
    Consent, Event, Objection, consent::GivenBy, consent::Method, event::Act, objection::By,
    objection::Kind,
};

use super::app::App;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use crate::policy::Service;

/// Consent to marketing, by a guardian for a minor.
pub(super) fn agree(scene: &mut Scene<'_>) {
    let words = scene.words();
    let scope = vec![scene.term(words.marketing)];
    let expires_at = scene.dice.permille(200).then(|| Timestamp {
        seconds: scene.now_ms.div_euclid(1000) + 365 * 86_400,
        nanos: 0,
    });
    let event = consent(scene, scope, expires_at);
    scene.say(App::Privacy, "consent_given", event);
    scene.memory.agreed = true;
}

fn consent(scene: &mut Scene<'_>, scope: Vec<String>, expires_at: Option<Timestamp>) -> Event {
    let given_by = if scene.person.minor {
        GivenBy::Guardian
    } else {
        GivenBy::Subject
    };
    let method = if scene.dice.permille(900) {
        Method::Explicit
    } else {
        Method::Implied
    };
    let mut event = scene.event();
    event.act = Some(Act::Consent(Consent {
        scope,
        recipients: Vec::new(),
        method: method.into(),
        given_by: given_by.into(),
        expires_at,
    }));
    event
}

/// Withdraws, opts out, objects or agrees again.
pub(super) fn change_of_mind(scene: &mut Scene<'_>) {
    let words = scene.words();
    if !scene.memory.agreed {
        return agree(scene);
    }
    scene.memory.agreed = false;
    let scope = vec![scene.term(words.marketing)];
    if scene.dice.permille(550) {
        let event = consent(scene, scope, None);
        scene.say(App::Privacy, "consent_withdrawn", event);
        return;
    }
    let kind = if scene.dice.permille(700) {
        Kind::OptOut
    } else {
        Kind::Objection
    };
    let by = if scene.person.minor {
        By::Guardian
    } else {
        By::Subject
    };
    let mut event = scene.event();
    event.act = Some(Act::Objection(Objection {
        kind: kind.into(),
        scope,
        by: by.into(),
    }));
    scene.say(App::Privacy, "objection", event);
}

/// Cookies accepted or refused, and those who set them told.
pub(super) fn cookies(scene: &mut Scene<'_>) {
    let words = scene.words();
    let scope = vec![scene.term(words.cookie_ads)];
    if scene.dice.permille(350) {
        let mut event = scene.event();
        event.act = Some(Act::Objection(Objection {
            kind: Kind::OptOut.into(),
            scope,
            by: By::Subject.into(),
        }));
        scene.say(App::Web, "objection", event);
        return;
    }
    let event = consent(scene, scope, None);
    scene.say(App::Web, "consent_given", event);
    scene.wait(1_000, MINUTE);
    let about = About {
        purposes: &[words.cookie_ads],
        categories: &[words.cookies],
        why: Why::Consent,
        from: &[scene.memory.browsing],
    };
    let to = match scene.person.service {
        Service::AlibabaCloud => "ad_partner",
        _ => "cookie_vendor",
    };
    scene.disclose(App::Web, to, &about);
}

/// A campaign. A few persons get it who did not agree to it.
pub(super) fn campaign(scene: &mut Scene<'_>) {
    let words = scene.words();
    if !scene.memory.agreed && scene.dice.permille(900) {
        return segment(scene);
    }
    let selected = scene.use_data(
        App::Marketing,
        "dpv:Profiling",
        "campaign-planner",
        &About {
            purposes: &[words.marketing],
            categories: &[words.interests, words.contact],
            why: Why::Consent,
            from: &[scene.memory.browsing, scene.memory.account],
        },
    );
    let from = [Some(selected)];
    let about = About {
        purposes: &[words.marketing],
        categories: &[words.contact, words.interests],
        why: Why::Consent,
        from: &from,
    };
    let partners: &[&str] = match scene.person.service {
        Service::AlibabaCloud => &["service_provider.marketing_contact", "ad_partner"],
        _ => &["ad_platform", "business_partner", "ad_platform"],
    };
    for partner in partners {
        if scene.dice.permille(500) {
            scene.wait(MINUTE, DAY);
            scene.disclose(App::Marketing, partner, &about);
        }
    }
}

/// Interests are inferred; nobody is written to.
fn segment(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.browsing, scene.memory.order];
    let about = About {
        purposes: &[words.recommendation],
        categories: &[words.interests],
        why: Why::Interest,
        from: &from,
    };
    scene.use_data(App::Marketing, "dpv:Infer", "segmentation", &about);
    if scene.dice.permille(200) {
        scene.wait(MINUTE, HOUR);
        scene.use_data(App::Marketing, "dpv:Store", "segment-store", &about);
    }
}
