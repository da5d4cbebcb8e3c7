//! What persons may ask for, and how it is answered.

use custody_proto::event::{
    Anonymisation, Erasure, Restriction, RestrictionLifted, RightsRequest, RightsResponse,
    event::Act, rights_request::RequestedBy, rights_response::Outcome,
};

use super::app::App;
use super::scene::{About, DAY, HOUR, Scene, Why};
use crate::place::Region;

/// A request; an answer mostly within the month, sometimes late, rarely none.
pub(super) fn request(scene: &mut Scene<'_>) {
    let right = match scene.region() {
        Region::Us if scene.person.jurisdiction == "US-CA" => scene.dice.weighted(&[
            ("custody:know", 5),
            ("custody:no_sale", 3),
            ("custody:erasure", 2),
        ]),
        Region::Brazil => scene.dice.weighted(&[
            ("custody:recipients", 4),
            ("eu-gdpr:A15", 4),
            ("custody:anonymisation", 2),
        ]),
        Region::Korea => scene.dice.weighted(&[("custody:update_amend_delete", 1)]),
        _ => scene.dice.weighted(&[
            ("eu-gdpr:A15", 55),
            ("eu-gdpr:A16", 10),
            ("eu-gdpr:A17", 15),
            ("eu-gdpr:A20", 10),
            ("eu-gdpr:A21", 10),
        ]),
    };
    let by = if scene.dice.permille(60) {
        RequestedBy::Agent
    } else {
        RequestedBy::Subject
    };
    claim(scene, right.unwrap_or("eu-gdpr:A15"), by);
}

/// A guardian asks about a minor, of adults there is nothing to ask.
pub(super) fn guardian(scene: &mut Scene<'_>) {
    let by = if scene.person.minor {
        RequestedBy::Guardian
    } else {
        RequestedBy::Subject
    };
    claim(scene, "custody:guardian_request", by);
}

fn claim(scene: &mut Scene<'_>, right: &str, by: RequestedBy) {
    let words = scene.words();
    let request_id = format!("request-{}-{}", scene.person.index, scene.memory.serial);
    let mut event = scene.event();
    event.act = Some(Act::RightsRequest(RightsRequest {
        right: right.to_owned(),
        request_id: request_id.clone(),
        requested_by: by.into(),
    }));
    scene.say(App::Privacy, "rights_request", event);
    if scene.careless && scene.dice.permille(60) {
        scene.expect("response_overdue");
        return;
    }

    scene.wait(HOUR, 6 * DAY);
    let from = [scene.memory.account];
    let about = About {
        purposes: &[words.compliance],
        categories: &[words.contact],
        why: Why::Law,
        from: &from,
    };
    scene.use_data(App::Privacy, "dpv:Retrieve", "rights-desk", &about);
    if scene.dice.permille(60) {
        scene.wait(20 * DAY, 28 * DAY);
        respond(scene, &request_id, Outcome::Extended);
    }
    let late = scene.dice.permille(60);
    let (low, high) = if late {
        (31 * DAY, 50 * DAY)
    } else {
        (DAY, 24 * DAY)
    };
    scene.wait(low, high);
    let outcome = scene
        .dice
        .weighted(&[
            (Outcome::Fulfilled, 85),
            (Outcome::Partly, 10),
            (Outcome::Refused, 5),
        ])
        .unwrap_or(Outcome::Fulfilled);
    respond(scene, &request_id, outcome);
}

fn respond(scene: &mut Scene<'_>, request_id: &str, outcome: Outcome) {
    let reason = match outcome {
        Outcome::Refused => "identity could not be verified",
        Outcome::Partly => "records kept for tax law",
        _ => "",
    };
    let mut event = scene.event();
    event.act = Some(Act::RightsResponse(RightsResponse {
        request_id: request_id.to_owned(),
        outcome: outcome.into(),
        reason: reason.to_owned(),
    }));
    scene.say(App::Privacy, "rights_response", event);
}

/// Restricted for a while: nothing but storage goes on.
pub(super) fn restriction(scene: &mut Scene<'_>) {
    restricted_while(scene, |scene, about| {
        scene.use_data(App::Storage, "dpv:Store", "account-db", about);
    });
}

/// Restricted, something done meanwhile, and lifted again.
pub(super) fn restricted_while(scene: &mut Scene<'_>, act: fn(&mut Scene<'_>, &About<'_>)) {
    let words = scene.words();
    let mut event = scene.event();
    event.act = Some(Act::Restriction(Restriction {}));
    scene.say(App::Privacy, "restriction", event);
    scene.wait(HOUR, 10 * DAY);
    let from = [scene.memory.account];
    let about = About {
        purposes: &[words.account],
        categories: &[words.contact],
        why: Why::Contract,
        from: &from,
    };
    act(scene, &about);
    scene.wait(5 * DAY, 40 * DAY);
    let mut event = scene.event();
    event.act = Some(Act::RestrictionLifted(RestrictionLifted {}));
    scene.say(App::Privacy, "restriction_lifted", event);
}

/// One service erases or anonymises some categories.
pub(super) fn partial_erasure(scene: &mut Scene<'_>) {
    let words = scene.words();
    let mut event = scene.event();
    if scene.dice.permille(400) {
        event.act = Some(Act::Anonymisation(Anonymisation {}));
        scene.say(App::Web, "anonymisation", event);
        return;
    }
    event.act = Some(Act::Erasure(Erasure {
        scope: vec![scene.term(words.browsing), scene.term(words.interests)],
        reason: "no longer needed".to_owned(),
    }));
    scene.say(App::Marketing, "erasure", event);
    scene.memory.erased = true;
}
