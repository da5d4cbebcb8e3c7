//! What goes wrong over several events: somebody withdraws, objects, is erased,
//! and a careless service goes on. Each leaves things as they were, so that
//! what follows conforms.

use custody_proto::Timestamp;
use custody_proto::event::{AccountClosed, Erasure, event::Act, objection::Kind};

use super::app::App;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use super::{Episode, RETENTION_DAYS, Standing, marketing, rights};
use crate::policy::Version;

const DAYS: i64 = RETENTION_DAYS as i64;

/// What goes wrong here, by weight. Data that is older than ALB-2025 is rare.
pub(super) fn choose(scene: &mut Scene<'_>) -> Episode {
    let unasked = !scene.memory.researched;
    let member = !scene.person.is_visitor();
    let older = member
        && scene.version() == Version::Alb2025
        && scene.memory.since_ms < Version::Alb2025.in_force_ms()
        && !scene.memory.scored;
    let mishaps: [(Episode, u32); 8] = [
        (consent_missing, if unasked { 10 } else { 0 }),
        (consent_withdrawn, 10),
        (consent_expired, 10),
        (opted_out, 10),
        (objected, 10),
        (restricted, 10),
        (after_erasure, if member { 10 } else { 0 }),
        (terms_reduced, if older { 60 } else { 0 }),
    ];
    scene.dice.weighted(&mishaps).unwrap_or(restricted)
}

/// Statistics of what somebody looked at or bought.
fn study(scene: &mut Scene<'_>, why: Why) {
    let words = scene.words();
    let from = [scene.memory.browsing, scene.memory.order];
    let about = About {
        purposes: &[words.research],
        categories: words.studied,
        why,
        from: &from,
    };
    scene.use_data(App::Web, "dpv:Analyse", "warehouse", &about);
}

/// Said to rest on a consent that nobody gave.
fn consent_missing(scene: &mut Scene<'_>) {
    study(scene, Why::Consent);
    scene.expect("consent_missing");
}

/// The campaign had been planned before.
fn consent_withdrawn(scene: &mut Scene<'_>) {
    let code = scene.words().marketing;
    if !scene.memory.marketing.agrees(code, scene.now_ms) {
        marketing::agree(scene);
        scene.wait(HOUR, 20 * DAY);
    }
    marketing::withdraw(scene);
    scene.wait(MINUTE, 5 * DAY);
    marketing::run(scene, Why::Consent);
    scene.expect("consent_withdrawn");
}

/// The consent was for some time only.
fn consent_expired(scene: &mut Scene<'_>) {
    // An earlier consent for longer would still be in force.
    if scene.memory.marketing != Standing::Unasked {
        return consent_withdrawn(scene);
    }
    let given_ms = scene.now_ms;
    marketing::agree(scene);
    let given = scene.out.len().saturating_sub(1);
    scene.wait(10 * DAY, 60 * DAY);
    let passed_ms = scene.now_ms - given_ms;
    if passed_ms < 2_000 {
        return;
    }
    let until = Timestamp {
        seconds: (given_ms + passed_ms / 2).div_euclid(1000),
        nanos: 0,
    };
    if let Some(draft) = scene.out.get_mut(given)
        && let Some(Act::Consent(consent)) = &mut draft.event.act
    {
        consent.expires_at = Some(until);
    }
    scene.memory.marketing = Standing::Refused;
    marketing::run(scene, Why::Consent);
    scene.expect("consent_expired");
}

fn opted_out(scene: &mut Scene<'_>) {
    let code = scene.words().marketing;
    marketing::stop(scene, Kind::OptOut, &[code]);
    scene.memory.marketing = Standing::Refused;
    scene.wait(MINUTE, 10 * DAY);
    marketing::run(scene, Why::Interest);
    scene.expect("opted_out");
}

/// Objects to statistics, and agrees to them in the end.
fn objected(scene: &mut Scene<'_>) {
    let code = scene.words().research;
    marketing::stop(scene, Kind::Objection, &[code]);
    scene.wait(MINUTE, 10 * DAY);
    study(scene, Why::Interest);
    scene.expect("objected");
    scene.wait(HOUR, 10 * DAY);
    marketing::agree_to(scene, &[code], None);
    scene.memory.researched = true;
}

fn restricted(scene: &mut Scene<'_>) {
    rights::restricted_while(scene, |scene, about| {
        scene.use_data(App::Web, "dpv:Analyse", "warehouse", about);
        scene.expect("restricted");
    });
}

/// A service says that it erased everything, and had another copy.
fn after_erasure(scene: &mut Scene<'_>) {
    let mut event = scene.event();
    event.act = Some(Act::Erasure(Erasure {
        scope: Vec::new(),
        reason: "asked for".to_owned(),
    }));
    scene.say(App::Web, "erasure", event);
    scene.memory.erased = true;
    scene.wait(HOUR, 10 * DAY);
    forgotten_copy(scene);
    scene.expect("after_erasure");
}

fn forgotten_copy(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.account];
    let about = About {
        purposes: &[words.research],
        categories: &[words.contact],
        why: Why::Interest,
        from: &from,
    };
    scene.use_data(App::Web, "dpv:Analyse", "forgotten-copy", &about);
}

/// Scoring, which ALB-2020 did not know, of data from its time.
fn terms_reduced(scene: &mut Scene<'_>) {
    let words = scene.words();
    // Whoever does not say what it comes from is judged by the oldest.
    let about = About {
        purposes: &[words.credit],
        categories: &[words.contact],
        why: Why::Interest,
        from: &[],
    };
    scene.use_data(App::Risk, "dpv:Assess", "credit-score", &about);
    scene.expect("terms_reduced");
}

/// The account is closed, nothing is erased, and a job goes on too long.
pub(super) fn careless_farewell(scene: &mut Scene<'_>) {
    let mut event = scene.event();
    event.act = Some(Act::AccountClosed(AccountClosed {}));
    scene.say(App::Signup, "account_closed", event);
    let closed_ms = scene.now_ms;
    scene.wait((DAYS + 1) * DAY, 3 * DAYS * DAY);
    forgotten_copy(scene);
    if scene.now_ms - closed_ms > DAYS * DAY {
        scene.expect("retention_exceeded");
    }
    scene.memory.account = None;
}

/// The account is closed, and a forgotten job goes on with a copy.
pub(super) fn after_closing(scene: &mut Scene<'_>) {
    forgotten_copy(scene);
    scene.expect("after_erasure");
}
