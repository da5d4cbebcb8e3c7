//! Agreeing to marketing, changing one's mind, and being marketed to.

use custody_proto::Timestamp;
use custody_proto::event::{
    Consent, Event, Objection, consent::GivenBy, consent::Method, event::Act, objection::By,
    objection::Kind,
};

use super::Standing;
use super::app::App;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use crate::policy::{Service, Version};

/// What a consent to marketing is for: some policies ask in Europe before
/// business partners hear of somebody.
fn marketing_scope(scene: &Scene<'_>) -> &'static [&'static str] {
    match scene.version() {
        Version::Alc2017 | Version::Alc2023 => &["direct_marketing"],
        Version::Alb2020 => &["tailored_marketing"],
        Version::Alb2025 => &["marketing", "business_partner"],
        Version::Ae2020 => &["tailored_marketing", "business_partner"],
    }
}

/// Consent to marketing, by a guardian for a minor.
pub(super) fn agree(scene: &mut Scene<'_>) {
    let days = scene.dice.permille(200).then_some(365);
    let until_ms = days.map(|days| scene.now_ms + days * DAY);
    let scope = marketing_scope(scene);
    agree_to(scene, scope, until_ms);
    let code = scene.words().marketing;
    scene.memory.marketing = Standing::Agreed(code, until_ms.unwrap_or(i64::MAX));
}

/// Consent to whatever it is.
pub(super) fn agree_to(scene: &mut Scene<'_>, scope: &[&'static str], until_ms: Option<i64>) {
    let scope = scope.iter().map(|code| scene.term(code)).collect();
    let expires_at = until_ms.map(|until| Timestamp {
        seconds: until.div_euclid(1000),
        nanos: 0,
    });
    let event = consent(scene, scope, expires_at);
    scene.say(App::Privacy, "consent_given", event);
}

/// Opts out of something or objects to it.
pub(super) fn stop(scene: &mut Scene<'_>, kind: Kind, scope: &[&'static str]) {
    let scope = scope.iter().map(|code| scene.term(code)).collect();
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

/// Withdraws a consent to marketing.
pub(super) fn withdraw(scene: &mut Scene<'_>) {
    let scope = marketing_scope(scene);
    let scope = scope.iter().map(|code| scene.term(code)).collect();
    let event = consent(scene, scope, None);
    scene.say(App::Privacy, "consent_withdrawn", event);
    scene.memory.marketing = Standing::Refused;
}

fn consent(scene: &mut Scene<'_>, scope: Vec<String>, expires_at: Option<Timestamp>) -> Event {
    let given_by = if scene.person.minor {
        GivenBy::Guardian
    } else {
        GivenBy::Subject
    };
    // Alibaba Cloud promises an explicit one, and so does European law.
    let asks = scene.person.service == Service::AlibabaCloud || scene.region().is_gdpr();
    let method = if scene.dice.permille(900) || asks {
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
    let code = scene.words().marketing;
    if !scene.memory.marketing.agrees(code, scene.now_ms) {
        return agree(scene);
    }
    if scene.dice.permille(550) {
        return withdraw(scene);
    }
    let kind = if scene.dice.permille(700) {
        Kind::OptOut
    } else {
        Kind::Objection
    };
    let scope = marketing_scope(scene);
    stop(scene, kind, scope);
    scene.memory.marketing = Standing::Refused;
}

/// Cookies accepted or refused, and those who set them told.
pub(super) fn cookies(scene: &mut Scene<'_>) {
    let words = scene.words();
    let counted = [words.cookie_ads, words.cookie_statistics];
    // Of statistics only those are asked whom the policy promises to ask.
    let scope = match scene.version() {
        Version::Ae2020 => &counted[..],
        _ => &counted[..1],
    };
    if scene.dice.permille(350) {
        stop(scene, Kind::OptOut, scope);
        scene.memory.cookies = Standing::Refused;
        return;
    }
    agree_to(scene, scope, None);
    scene.memory.cookies = Standing::Agreed(words.cookie_ads, i64::MAX);
    scene.wait(1_000, MINUTE);
    let about = About {
        purposes: &[words.cookie_ads],
        categories: &[words.cookies],
        why: Why::Consent,
        from: &[scene.memory.browsing],
    };
    scene.disclose(App::Web, words.advertiser, &about);
}

/// A campaign, for those who agreed to it.
pub(super) fn campaign(scene: &mut Scene<'_>) {
    let words = scene.words();
    if !scene.memory.marketing.agrees(words.marketing, scene.now_ms) {
        return segment(scene);
    }
    run(scene, Why::Consent);
}

/// Plans a campaign for the person, and tells partners.
pub(super) fn run(scene: &mut Scene<'_>, why: Why) {
    let words = scene.words();
    let about = About {
        purposes: &[words.marketing],
        categories: words.promoted,
        why,
        from: &[scene.memory.browsing, scene.memory.account],
    };
    let selected = scene.use_data(App::Marketing, "dpv:Profiling", "campaign-planner", &about);
    let from = [Some(selected)];
    let about = About {
        from: &from,
        ..about
    };
    for partner in words.partners {
        // Somebody's consent may end meanwhile.
        let agrees = scene
            .memory
            .marketing
            .agrees(words.marketing, scene.now_ms + DAY);
        if agrees && scene.dice.permille(500) {
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
