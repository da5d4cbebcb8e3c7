//! Looking around, and what is made of it.

use custody_proto::event::{collection::Origin, subject::Role};

use super::Standing;
use super::app::App;
use super::marketing;
use super::scene::{About, HOUR, MINUTE, Scene, Why};
use crate::policy::{Service, Version};

pub(super) fn first_visit(scene: &mut Scene<'_>) {
    let words = scene.words();
    let purposes = [first_purpose(scene)];
    let visit = scene.collect(
        App::Web,
        Origin::Device,
        &About {
            purposes: &purposes,
            categories: &[words.cookies, words.device],
            why: Why::Interest,
            from: &[],
        },
    );
    scene.memory.account = Some(visit);
    scene.memory.browsing = Some(visit);
    if scene.dice.permille(500) {
        scene.wait(2_000, 30_000);
        marketing::cookies(scene);
    }
}

/// Whether statistics by cookies may be made: AE-2020 asks for consent in
/// Europe.
fn may_count(scene: &Scene<'_>) -> bool {
    let asks = scene.version() == Version::Ae2020 && scene.region().is_gdpr();
    let code = scene.words().cookie_ads;
    let refused = scene.memory.cookies == Standing::Refused && scene.version() == Version::Ae2020;
    !refused && (!asks || scene.memory.cookies.agrees(code, scene.now_ms))
}

fn first_purpose(scene: &Scene<'_>) -> &'static str {
    match may_count(scene) {
        true => scene.words().cookie_statistics,
        false => "cookie_essential",
    }
}

pub(super) fn browse(scene: &mut Scene<'_>) {
    let words = scene.words();
    let pages = scene.collect(
        App::Web,
        Origin::Device,
        &About {
            purposes: &[words.recommendation],
            categories: words.seen,
            why: Why::Interest,
            from: &[],
        },
    );
    scene.memory.browsing = Some(pages);
    scene.wait(1_000, 20 * MINUTE);
    let about = About {
        purposes: &[words.recommendation],
        categories: &[words.browsing],
        why: Why::Interest,
        from: &[Some(pages)],
    };
    scene.use_data(App::Web, "dpv:Profiling", "recommender", &about);
    if may_count(scene) && scene.dice.permille(300) {
        scene.wait(1_000, MINUTE);
        let to = scene
            .dice
            .pick(words.analytics)
            .copied()
            .unwrap_or_default();
        let about = About {
            purposes: &[words.cookie_statistics],
            categories: &[words.browsing, words.device],
            why: Why::Interest,
            from: &[Some(pages)],
        };
        scene.disclose(App::Web, to, &about);
    }
    if scene.version() == Version::Alb2025 && scene.dice.permille(40) {
        scene.wait(1_000, MINUTE);
        let about = About {
            purposes: &[words.research],
            categories: &[words.device],
            why: Why::Interest,
            from: &[Some(pages)],
        };
        scene.disclose(App::Web, "sdk_provider", &about);
    }
    let buys = matches!(scene.person.role, Role::Buyer | Role::Member);
    let shares = buys && matches!(scene.version(), Version::Alb2020 | Version::Alb2025);
    if shares && scene.dice.permille(150) {
        scene.wait(MINUTE, HOUR);
        let about = About {
            purposes: &["share_last_viewed"],
            categories: &[words.browsing],
            why: Why::Interest,
            from: &[Some(pages)],
        };
        scene.disclose(App::Web, "seller_and_affiliates", &about);
    }
}

/// Statistics, now and then on anonymised data that others get too.
pub(super) fn research(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.browsing, scene.memory.order];
    let learns = scene.person.service == Service::AlibabaCom && scene.dice.permille(400);
    let purpose = if learns {
        "machine_learning"
    } else {
        words.research
    };
    let about = About {
        purposes: &[purpose],
        categories: words.studied,
        why: Why::Interest,
        from: &from,
    };
    let used = scene.use_data(App::Web, "dpv:Analyse", "warehouse", &about);
    if let Some(to) = words.statistician
        && scene.dice.permille(300)
    {
        scene.wait(HOUR, 24 * HOUR);
        let about = About {
            from: &[Some(used)],
            ..about
        };
        scene.disclose(App::Web, to, &about);
    }
}

/// Using a cloud service.
pub(super) fn service_usage(scene: &mut Scene<'_>) {
    let words = scene.words();
    let usage = scene.collect(
        App::Web,
        Origin::Device,
        &About {
            purposes: &[words.delivery],
            categories: &["service_usage", words.device],
            why: Why::Contract,
            from: &[],
        },
    );
    scene.memory.browsing = Some(usage);
    for (operation, system, one_in_a_thousand) in [
        ("dpv:Store", "usage-log", 500),
        ("dpv:Monitor", "abuse-detection", 400),
        ("dpv:Analyse", "capacity-planning", 300),
    ] {
        if scene.dice.permille(one_in_a_thousand) {
            scene.wait(1_000, HOUR);
            scene.use_data(
                App::Storage,
                operation,
                system,
                &About {
                    purposes: &[words.delivery, words.fraud],
                    categories: &["service_usage"],
                    why: Why::Contract,
                    from: &[Some(usage)],
                },
            );
        }
    }
    if scene.dice.permille(150) {
        scene.wait(MINUTE, HOUR);
        let about = About {
            purposes: &[words.delivery],
            categories: &["service_usage"],
            why: Why::Contract,
            from: &[Some(usage)],
        };
        scene.disclose(App::Storage, "service_provider", &about);
    }
}
