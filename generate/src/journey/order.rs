//! Buying: who has to know for goods to arrive.

use custody_proto::event::{Party, collection::Origin, subject::Role};

use super::app::App;
use super::marketing;
use super::scene::{About, DAY, HOUR, MINUTE, Scene, Why};
use crate::draft::Link;
use crate::place::country;
use crate::policy::{Service, Version, Words};
use crate::recipient;

/// An order, from the shopping basket to the door.
pub(super) fn order(scene: &mut Scene<'_>) {
    let words = scene.words();
    let placed = place_order(
        scene,
        words,
        &[words.transaction, words.payment, words.contact],
    );
    pay(scene, words, placed);
    hand_to_seller(scene, words, placed);
    ship(scene, words, placed);
    if scene.dice.permille(60) {
        scene.wait(3 * DAY, 60 * DAY);
        aftersales(scene, words, placed);
    }
}

/// A subscription to a cloud service: nothing is shipped.
pub(super) fn subscription(scene: &mut Scene<'_>) {
    let words = scene.words();
    let placed = place_order(scene, words, &[words.transaction, words.contact]);
    pay(scene, words, placed);
    if scene.dice.permille(200) {
        scene.wait(MINUTE, HOUR);
        let about = About {
            purposes: &[words.delivery],
            categories: &[words.contact],
            why: Why::Contract,
            from: &[Some(placed)],
        };
        scene.disclose(App::Orders, "marketplace_vendor", &about);
    }
}

fn place_order(scene: &mut Scene<'_>, words: &Words, categories: &[&'static str]) -> Link {
    let placed = scene.collect(
        App::Orders,
        Origin::Subject,
        &About {
            purposes: &[words.order],
            categories,
            why: Why::Contract,
            from: &[],
        },
    );
    scene.memory.order = Some(placed);
    placed
}

fn pay(scene: &mut Scene<'_>, words: &Words, placed: Link) {
    let from = [Some(placed)];
    if scene.dice.permille(400) {
        let about = About {
            purposes: &[words.fraud],
            categories: &[words.transaction, words.device],
            why: Why::Interest,
            from: &[Some(placed), scene.memory.browsing],
        };
        scene.wait(200, 5_000);
        scene.use_data(App::Risk, "dpv:Assess", "fraud-score", &about);
        if scene.dice.permille(250) {
            scene.wait(200, 5_000);
            let to = match scene.person.service {
                Service::AlibabaCloud => "service_provider.risk_control",
                _ => "risk_control_provider",
            };
            scene.disclose(App::Risk, to, &about);
        }
    }
    scene.wait(1_000, 2 * MINUTE);
    let about = About {
        purposes: &[words.order],
        categories: &[words.payment],
        why: Why::Contract,
        from: &from,
    };
    scene.disclose(App::Payments, "payment_provider", &about);
}

fn hand_to_seller(scene: &mut Scene<'_>, words: &Words, placed: Link) {
    scene.wait(MINUTE, 6 * HOUR);
    let about = About {
        purposes: &[words.order],
        categories: &[words.contact, words.transaction],
        why: Why::Contract,
        from: &[Some(placed)],
    };
    if scene.dice.permille(50) {
        // A seller who is a person: the id is one of this very service.
        let number = scene.dice.below(900_000);
        let seller = Party {
            id: format!("account:seller-{number}"),
            name: format!("Seller No. {number}"),
            category: "custody:platform_user".to_owned(),
            country: "CN".to_owned(),
            person: true,
        };
        scene.disclose_to(App::Orders, seller, &about);
    } else {
        scene.disclose(App::Orders, "platform_user", &about);
    }
}

fn ship(scene: &mut Scene<'_>, words: &Words, placed: Link) {
    let from = [Some(placed)];
    let here = country(scene.person.jurisdiction);
    if here != "CN" && scene.dice.permille(550) {
        scene.wait(6 * HOUR, 3 * DAY);
        let about = About {
            purposes: &[words.customs],
            categories: &[words.contact, words.transaction],
            // ALB-2025 rests customs on the contract.
            why: match scene.version() {
                Version::Alb2025 => Why::Contract,
                _ => Why::Law,
            },
            from: &from,
        };
        // Goods leave one country and enter another.
        if scene.dice.permille(400)
            && let Some(agent) = recipient::pick("customs_agent", "CN", &mut scene.dice)
        {
            scene.disclose_to(App::Shipping, agent.party(), &about);
            scene.wait(HOUR, 2 * DAY);
        }
        scene.disclose(App::Shipping, "customs_agent", &about);
    }
    scene.wait(HOUR, 2 * DAY);
    let about = About {
        purposes: &[words.delivery],
        categories: &[words.contact],
        why: Why::Contract,
        from: &from,
    };
    scene.disclose(App::Shipping, "logistics", &about);
    if scene.dice.permille(60) {
        scene.wait(DAY, 5 * DAY);
        let about = About {
            purposes: &[words.claims],
            why: Why::Interest,
            ..about
        };
        scene.disclose(App::Shipping, "insurer", &about);
    }
    scene.wait(DAY, 8 * DAY);
    scene.use_data(
        App::Orders,
        "dpv:Transmit",
        "notifications",
        &About {
            purposes: &[words.communication],
            categories: &[words.contact],
            why: Why::Contract,
            from: &from,
        },
    );
}

fn aftersales(scene: &mut Scene<'_>, words: &Words, placed: Link) {
    let claim = scene.collect(
        App::Support,
        Origin::Subject,
        &About {
            purposes: &[words.aftersales],
            categories: &[words.messages],
            why: Why::Contract,
            from: &[Some(placed)],
        },
    );
    let about = About {
        purposes: &[words.aftersales],
        categories: &[words.contact, words.transaction],
        why: Why::Contract,
        from: &[Some(placed), Some(claim)],
    };
    scene.wait(HOUR, 3 * DAY);
    let to = match scene.person.service {
        Service::AliExpress => "warranty_provider",
        _ => "customer_service_provider",
    };
    scene.disclose(App::Support, to, &about);
}

/// Somebody asks, somebody answers, often from another company.
pub(super) fn customer_service(scene: &mut Scene<'_>) {
    let words = scene.words();
    let question = scene.collect(
        App::Support,
        Origin::Subject,
        &About {
            purposes: &[words.support],
            categories: &[words.messages],
            why: Why::Contract,
            from: &[],
        },
    );
    let from = [Some(question), scene.memory.order];
    let about = About {
        purposes: &[words.support],
        categories: &[words.messages, words.contact],
        why: Why::Contract,
        from: &from,
    };
    scene.wait(MINUTE, 4 * HOUR);
    if scene.dice.permille(500) {
        let to = match scene.person.service {
            Service::AlibabaCloud => "service_provider.customer_service",
            _ => "customer_service_provider",
        };
        scene.disclose(App::Support, to, &about);
        scene.wait(MINUTE, 4 * HOUR);
    }
    scene.use_data(App::Support, "dpv:Consult", "ticket-desk", &about);
}

/// Buyer and seller talk, some over somebody else's messenger.
pub(super) fn conversation(scene: &mut Scene<'_>) {
    let words = scene.words();
    let said = scene.collect(
        App::Web,
        Origin::Subject,
        &About {
            purposes: &[words.communication],
            categories: &[words.messages],
            why: Why::Contract,
            from: &[],
        },
    );
    scene.wait(200, MINUTE);
    let about = About {
        purposes: &[words.communication],
        categories: &[words.messages, words.device],
        why: Why::Contract,
        from: &[Some(said)],
    };
    scene.disclose(App::Web, words.messenger, &about);
}

/// A rating of what was bought.
pub(super) fn review(scene: &mut Scene<'_>) {
    let words = scene.words();
    let from = [scene.memory.order];
    let written = scene.collect(
        App::Web,
        Origin::Subject,
        &About {
            purposes: &[words.research],
            categories: &[words.review],
            why: Why::Interest,
            from: &from,
        },
    );
    scene.wait(HOUR, DAY);
    let about = About {
        purposes: &[words.research],
        categories: &[words.review],
        why: Why::Interest,
        from: &[Some(written)],
    };
    scene.disclose(App::Web, "review_provider", &about);
}

/// Somebody wants money out, or goods before paying.
pub(super) fn credit(scene: &mut Scene<'_>) {
    if !matches!(scene.person.role, Role::Seller | Role::Member) {
        return review(scene);
    }
    let words = scene.words();
    // Scoring is new in ALB-2025, which promises to ask where data is older.
    if scene.version() == Version::Alb2025 && !scene.memory.scored {
        scene.memory.scored = true;
        marketing::agree_to(scene, &[words.credit], None);
        scene.wait(MINUTE, HOUR);
    }
    let from = [scene.memory.order, scene.memory.account];
    let about = About {
        purposes: &[words.credit],
        categories: &[words.transaction, words.payment],
        why: Why::Interest,
        from: &from,
    };
    scene.use_data(App::Risk, "dpv:Assess", "credit-score", &about);
    if scene.dice.permille(600) {
        scene.wait(1_000, HOUR);
        scene.disclose(App::Risk, "credit_risk_provider", &about);
    }
}
