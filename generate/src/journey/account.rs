//! Signing up, proving who one is, corrections, leaving.

use custody_proto::event::{
    AccountClosed, Erasure, Rectification, RightsRequest, RightsResponse, collection::Origin,
    event::Act, rights_request::RequestedBy, rights_response::Outcome,
};

use super::app::App;
use super::marketing;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use crate::recipient;

pub(super) fn sign_up(scene: &mut Scene<'_>) {
    let words = scene.words();
    let account = scene.collect(
        App::Signup,
        Origin::Subject,
        &About {
            purposes: &[words.account],
            categories: &[words.contact, words.account_data],
            why: Why::Contract,
            from: &[],
        },
    );
    scene.memory.account = Some(account);
    if scene.dice.permille(600) {
        scene.wait(1_000, 5 * MINUTE);
        marketing::agree(scene);
    }
    scene.wait(1_000, MINUTE);
    scene.use_data(
        App::Storage,
        "dpv:Store",
        "account-db",
        &About {
            purposes: &[words.account],
            categories: &[words.contact],
            why: Why::Contract,
            from: &[Some(account)],
        },
    );
}

/// Identity documents in, a check by a specialist, the result back.
pub(super) fn verification(scene: &mut Scene<'_>) {
    let words = scene.words();
    let documents = scene.collect(
        App::Identity,
        Origin::Subject,
        &About {
            purposes: &[words.identity_check],
            categories: &[words.identity, words.business],
            why: Why::Law,
            from: &[scene.memory.account],
        },
    );
    let about = About {
        purposes: &[words.identity_check],
        categories: &[words.identity],
        why: Why::Law,
        from: &[Some(documents)],
    };
    scene.wait(MINUTE, HOUR);
    scene.disclose(App::Identity, words.checker, &about);
    let near = scene.person.jurisdiction;
    if let Some(provider) = recipient::pick(words.checker, near, &mut scene.dice) {
        scene.wait(HOUR, 2 * DAY);
        scene.collect_from(App::Identity, provider, &about);
    }
    scene.wait(MINUTE, HOUR);
    scene.use_data(App::Risk, "dpv:Screen", "sanctions-screening", &about);
}

pub(super) fn rectification(scene: &mut Scene<'_>) {
    let words = scene.words();
    let mut event = scene.event();
    event.purposes = vec![scene.term(words.account)];
    event.derived_from = scene.memory.account.iter().map(|l| l.reference()).collect();
    event.act = Some(Act::Rectification(Rectification {}));
    scene.say(App::Signup, "rectification", event);
}

/// A telephone number changes; the old one may come up again with a message
/// that was under way.
pub(super) fn new_number(scene: &mut Scene<'_>) {
    scene.memory.moved = true;
    let words = scene.words();
    let from = [scene.memory.account];
    scene.collect(
        App::Signup,
        Origin::Subject,
        &About {
            purposes: &[words.account],
            categories: &[words.contact],
            why: Why::Contract,
            from: &from,
        },
    );
}

/// What was erased is given again by the person.
pub(super) fn given_anew(scene: &mut Scene<'_>) {
    let words = scene.words();
    let given = scene.collect(
        App::Web,
        Origin::Subject,
        &About {
            purposes: &[words.account],
            categories: &[words.contact, words.account_data],
            why: Why::Contract,
            from: &[],
        },
    );
    scene.memory.account = Some(given);
    scene.memory.since_ms = scene.now_ms;
    scene.memory.erased = false;
}

/// A request for erasure, the account closed, what services say they erased.
pub(super) fn farewell(scene: &mut Scene<'_>) {
    let request_id = format!("request-{}-{}", scene.person.index, scene.memory.serial);
    let mut event = scene.event();
    event.act = Some(Act::RightsRequest(RightsRequest {
        right: "eu-gdpr:A17".to_owned(),
        request_id: request_id.clone(),
        requested_by: RequestedBy::Subject.into(),
    }));
    scene.say(App::Privacy, "rights_request", event);

    scene.wait(HOUR, 3 * DAY);
    let mut event = scene.event();
    event.act = Some(Act::AccountClosed(AccountClosed {}));
    scene.say(App::Signup, "account_closed", event);

    for app in [App::Marketing, App::Web] {
        scene.wait(HOUR, 10 * DAY);
        let mut event = scene.event();
        event.act = Some(Act::Erasure(Erasure {
            scope: Vec::new(),
            reason: "account closed".to_owned(),
        }));
        scene.say(app, "erasure", event);
    }

    scene.wait(HOUR, 5 * DAY);
    let mut event = scene.event();
    event.act = Some(Act::RightsResponse(RightsResponse {
        request_id,
        outcome: Outcome::Fulfilled.into(),
        reason: String::new(),
    }));
    scene.say(App::Privacy, "rights_response", event);
}
