//! The services, their policy versions by date, who controls whom, where data
//! is stored and what each policy calls things.

use crate::place::{Region, country};

/// What a person uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    AlibabaCloud,
    AlibabaCom,
    AliExpress,
}

/// A policy version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Alc2017,
    Alc2023,
    Alb2020,
    Alb2025,
    Ae2020,
}

/// What a policy calls the things that the journeys are about: `custody:`
/// codes without their prefix.
pub(crate) struct Words {
    // Purposes.
    pub(crate) account: &'static str,
    pub(crate) order: &'static str,
    pub(crate) delivery: &'static str,
    pub(crate) customs: &'static str,
    pub(crate) communication: &'static str,
    pub(crate) support: &'static str,
    pub(crate) aftersales: &'static str,
    pub(crate) recommendation: &'static str,
    pub(crate) marketing: &'static str,
    pub(crate) cookie_statistics: &'static str,
    pub(crate) cookie_ads: &'static str,
    pub(crate) fraud: &'static str,
    pub(crate) identity_check: &'static str,
    pub(crate) credit: &'static str,
    pub(crate) research: &'static str,
    pub(crate) compliance: &'static str,
    pub(crate) claims: &'static str,
    // Data categories.
    pub(crate) contact: &'static str,
    pub(crate) account_data: &'static str,
    pub(crate) browsing: &'static str,
    pub(crate) device: &'static str,
    pub(crate) transaction: &'static str,
    pub(crate) payment: &'static str,
    pub(crate) messages: &'static str,
    pub(crate) interests: &'static str,
    pub(crate) identity: &'static str,
    pub(crate) business: &'static str,
    pub(crate) cookies: &'static str,
    // What goes together.
    /// What is collected of somebody who looks around.
    pub(crate) seen: &'static [&'static str],
    /// What campaigns use.
    pub(crate) promoted: &'static [&'static str],
    /// What statistics are made of.
    pub(crate) studied: &'static [&'static str],
    /// What a review is.
    pub(crate) review: &'static str,
    // Recipients.
    /// Who measures visits.
    pub(crate) analytics: &'static [&'static str],
    /// Who sets cookies for advertising.
    pub(crate) advertiser: &'static str,
    /// Whom campaigns are run with.
    pub(crate) partners: &'static [&'static str],
    /// Who checks identities.
    pub(crate) checker: &'static str,
    /// Whom buyers' messages go to.
    pub(crate) messenger: &'static str,
    /// Who gets data that names nobody any more, where the policy has them.
    pub(crate) statistician: Option<&'static str>,
}

/// Every version with the moment from which it is in force, milliseconds since
/// 1970 UTC. ALC-2017 says August 2017 only.
pub(crate) const VERSIONS: [(Version, i64); 5] = [
    (Version::Alc2017, 1_501_545_600_000), // 2017-08-01
    (Version::Alc2023, 1_676_332_800_000), // 2023-02-14
    (Version::Alb2020, 1_600_041_600_000), // 2020-09-14
    (Version::Alb2025, 1_748_563_200_000), // 2025-05-30
    (Version::Ae2020, 1_599_609_600_000),  // 2020-09-09
];

/// The date of ALC-2023's addendum for Korea: 2022-12-30, before its text.
pub(crate) const KOREA_ADDENDUM_MS: i64 = 1_672_358_400_000;

impl Service {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AlibabaCloud => "alibaba-cloud",
            Self::AlibabaCom => "alibaba.com",
            Self::AliExpress => "aliexpress",
        }
    }

    /// The version that comes last.
    pub(crate) const fn last_version(self) -> Version {
        self.version(i64::MAX)
    }

    /// The version in force, or the service's first one before that.
    pub(crate) const fn version(self, time_ms: i64) -> Version {
        match self {
            Self::AlibabaCloud if time_ms >= VERSIONS[1].1 => Version::Alc2023,
            Self::AlibabaCloud => Version::Alc2017,
            Self::AlibabaCom if time_ms >= VERSIONS[3].1 => Version::Alb2025,
            Self::AlibabaCom => Version::Alb2020,
            Self::AliExpress => Version::Ae2020,
        }
    }
}

impl Version {
    pub(crate) const fn service(self) -> Service {
        match self {
            Self::Alc2017 | Self::Alc2023 => Service::AlibabaCloud,
            Self::Alb2020 | Self::Alb2025 => Service::AlibabaCom,
            Self::Ae2020 => Service::AliExpress,
        }
    }

    /// Policy and version, such as `ALB` and `2025`.
    pub(crate) const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Alc2017 => ("ALC", "2017"),
            Self::Alc2023 => ("ALC", "2023"),
            Self::Alb2020 => ("ALB", "2020"),
            Self::Alb2025 => ("ALB", "2025"),
            Self::Ae2020 => ("AE", "2020"),
        }
    }

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Alc2017 => "ALC-2017",
            Self::Alc2023 => "ALC-2023",
            Self::Alb2020 => "ALB-2020",
            Self::Alb2025 => "ALB-2025",
            Self::Ae2020 => "AE-2020",
        }
    }

    /// Whom the policy names as controller: ALC-2017 F, ALC-2023 H, ALB-2020
    /// I, ALB-2025 14, AE-2020 intro. ALB-2020 names one for Europe only; the
    /// seat of the others follows its successor.
    pub(crate) fn controller(self, jurisdiction: &str) -> &'static str {
        let region = Region::of(jurisdiction);
        match (self, region) {
            (Self::Alc2017, Region::Eea) => "alibaba-com-europe",
            (Self::Alc2023, Region::Eea) => "alibaba-netherlands",
            (Self::Alc2023, Region::Uk | Region::OtherEurope) => "alibaba-com-europe",
            // Europe as the United Nations count it.
            (Self::Alc2023, _) if matches!(country(jurisdiction), "RU" | "BY") => {
                "alibaba-com-europe"
            }
            (Self::Alc2017 | Self::Alc2023, _) => "alibaba-cloud-singapore",
            (Self::Alb2020 | Self::Alb2025, Region::GreaterChina) => "alibaba-com-hong-kong",
            (Self::Ae2020, Region::China) => "hangzhou-alibaba-advertising",
            (Self::Ae2020, Region::GreaterChina) if jurisdiction != "TW" => "alibaba-com-hong-kong",
            _ => "alibaba-com-singapore",
        }
    }

    /// Where the data is stored: the promised country where the policy
    /// promises one, else a usual one.
    pub(crate) fn storage(self, jurisdiction: &str) -> &'static str {
        match (self, Region::of(jurisdiction)) {
            (Self::Ae2020, Region::Eea | Region::Uk) => "DE",
            (Self::Ae2020, Region::China) => "CN",
            (Self::Alb2025, Region::Us) => "US",
            (Self::Alb2025, Region::Eea | Region::Uk | Region::OtherEurope) => "DE",
            (Self::Alb2020, Region::Eea | Region::Uk | Region::OtherEurope) => "US",
            (Self::Alc2017 | Self::Alc2023, Region::Eea) => "DE",
            (Self::Alc2017 | Self::Alc2023 | Self::Ae2020, Region::GreaterChina) => "HK",
            _ => "SG",
        }
    }

    /// Whether the policy asks for a legal basis of each act there.
    pub(crate) fn asks_basis(self, jurisdiction: &str) -> bool {
        match Region::of(jurisdiction) {
            Region::Eea | Region::Uk => self != Self::Alc2017,
            _ => false,
        }
    }

    /// Whether the policy says that it takes no data of people under 18.
    pub(crate) const fn takes_no_minors(self) -> bool {
        matches!(self, Self::Alc2023 | Self::Alb2025 | Self::Ae2020)
    }

    /// Whether the policy is not for people there.
    pub(crate) fn excludes(self, jurisdiction: &str) -> bool {
        match self {
            Self::Ae2020 => Region::of(jurisdiction) == Region::RussiaAndNeighbours,
            Self::Alb2025 => Region::of(jurisdiction) == Region::China,
            Self::Alc2017 | Self::Alc2023 | Self::Alb2020 => false,
        }
    }

    /// From when it is in force, milliseconds since 1970 UTC.
    pub(crate) fn in_force_ms(self) -> i64 {
        let found = VERSIONS.iter().find(|(version, _)| *version == self);
        found.map_or(0, |(_, from)| *from)
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::Alc2017 => &ALC_2017,
            Self::Alc2023 => &ALC_2023,
            Self::Alb2020 => &ALB_2020,
            Self::Alb2025 => &ALB_2025,
            Self::Ae2020 => &AE_2020,
        }
    }
}

const ALC_2017: Words = Words {
    account: "account",
    order: "orders",
    delivery: "service_provision",
    customs: "legal_compliance",
    communication: "service_provision",
    support: "customer_service",
    aftersales: "disputes",
    recommendation: "research",
    marketing: "direct_marketing",
    cookie_statistics: "cookie_statistics",
    cookie_ads: "cookie_ads",
    fraud: "fraud_prevention",
    identity_check: "sanctions_screening",
    credit: "risk_control",
    research: "research",
    compliance: "legal_compliance",
    claims: "legal_claims",
    contact: "contact",
    account_data: "account",
    browsing: "browsing_activity",
    device: "device_statistics",
    transaction: "transactions",
    payment: "third_party_payment_data",
    messages: "support_communications",
    interests: "purchasing_patterns",
    identity: "identity_documents",
    business: "sub_account_contact",
    cookies: "cookies",
    seen: &["browsing_activity", "device_statistics"],
    promoted: &["contact"],
    studied: &["browsing_activity", "transactions"],
    review: "support_communications",
    analytics: &["service_provider"],
    advertiser: "ad_partner",
    partners: &["service_provider.marketing_contact"],
    checker: "service_provider.risk_control",
    messenger: "service_provider.customer_service",
    statistician: None,
};

const ALC_2023: Words = Words {
    communication: "personalised_communication",
    identity: "identity_verification",
    statistician: Some("anonymised_recipient"),
    ..ALC_2017
};

const ALB_2020: Words = Words {
    account: "account",
    order: "communication",
    delivery: "logistics",
    customs: "customs",
    communication: "communication",
    support: "customer_service",
    aftersales: "customer_service",
    recommendation: "cookie_personalisation",
    marketing: "tailored_marketing",
    cookie_statistics: "cookie_statistics",
    cookie_ads: "cross_device_marketing",
    fraud: "security_fraud",
    identity_check: "kyc_aml",
    credit: "withdrawal_assessment",
    research: "research",
    compliance: "legal_compliance",
    claims: "legal_claims",
    contact: "contact",
    account_data: "contact",
    browsing: "browsing",
    device: "device",
    transaction: "transactions",
    payment: "payment",
    messages: "correspondence",
    interests: "buyer_preferences",
    identity: "verification",
    business: "business",
    cookies: "cookies",
    seen: &["browsing", "device", "coarse_location"],
    promoted: &["buyer_preferences", "contact"],
    studied: &["browsing", "transactions"],
    review: "reviews",
    analytics: &["google_analytics", "analytics_provider"],
    advertiser: "cookie_vendor",
    partners: &["ad_platform", "business_partner", "ad_platform"],
    checker: "verification_provider",
    messenger: "platform_user",
    statistician: Some("anonymised_recipient"),
};

const ALB_2025: Words = Words {
    account: "account",
    order: "purchase_delivery",
    delivery: "purchase_delivery",
    customs: "customs",
    communication: "communication",
    support: "customer_service",
    aftersales: "customer_service",
    recommendation: "recommendations",
    marketing: "marketing",
    cookie_statistics: "cookies",
    cookie_ads: "marketing",
    fraud: "fraud_prevention",
    identity_check: "kyc_aml",
    credit: "credit_scoring",
    research: "research",
    compliance: "legal_compliance",
    claims: "legal_claims",
    contact: "contact",
    account_data: "account",
    browsing: "online_activity",
    device: "device",
    transaction: "transaction",
    payment: "payment",
    messages: "communication",
    interests: "marketing_advertising",
    identity: "verification",
    business: "business",
    cookies: "online_activity",
    seen: &["online_activity", "location"],
    promoted: &["marketing_advertising", "contact"],
    studied: &["online_activity", "location"],
    review: "reviews",
    analytics: &["analytics_provider"],
    advertiser: "ad_platform",
    partners: &["ad_platform", "business_partner", "ad_platform"],
    checker: "verification_provider",
    messenger: "dingtalk",
    statistician: Some("anonymised_recipient"),
};

const AE_2020: Words = Words {
    account: "account",
    order: "service_provision",
    delivery: "logistics",
    customs: "customs",
    communication: "service_provision",
    support: "customer_service",
    aftersales: "warranty_aftersales",
    recommendation: "membership_benefits",
    marketing: "tailored_marketing",
    cookie_statistics: "cookie_analytics",
    cookie_ads: "cookie_advertising",
    fraud: "security_fraud",
    identity_check: "kyc_aml",
    credit: "withdrawal_assessment",
    research: "research",
    compliance: "legal_compliance",
    claims: "legal_claims",
    contact: "contact",
    account_data: "contact",
    browsing: "browsing",
    device: "device",
    transaction: "purchases",
    payment: "payment",
    messages: "correspondence",
    interests: "inferences",
    identity: "identity_documents",
    business: "business",
    cookies: "browsing",
    seen: &["browsing", "device", "coarse_location"],
    promoted: &["inferences", "contact"],
    studied: &["browsing", "purchases"],
    review: "questionnaire",
    analytics: &["google_analytics", "analytics_provider"],
    advertiser: "cookie_vendor",
    partners: &["ad_platform", "business_partner", "ad_platform"],
    checker: "verification_provider",
    messenger: "platform_user",
    statistician: None,
};
