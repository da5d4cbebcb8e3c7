//! Where persons are, and what follows from it.

/// What law a place stands under, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    /// European Economic Area.
    Eea,
    /// United Kingdom.
    Uk,
    /// European, but neither of these.
    OtherEurope,
    /// Brazil.
    Brazil,
    /// Republic of Korea.
    Korea,
    /// United States.
    Us,
    /// Mainland China.
    China,
    /// Hong Kong, Macao, Taiwan.
    GreaterChina,
    /// Russia and the neighbours that AliExpress lists with it.
    RussiaAndNeighbours,
    /// Anywhere else.
    Elsewhere,
}

/// Jurisdictions with their weights.
pub(crate) const JURISDICTIONS: [(&str, u32); 32] = [
    ("DE", 90),
    ("FR", 70),
    ("GB", 75),
    ("NL", 25),
    ("IT", 45),
    ("ES", 50),
    ("PL", 40),
    ("SE", 12),
    ("IE", 8),
    ("CH", 12),
    ("US", 70),
    ("US-CA", 40),
    ("US-NY", 20),
    ("BR", 50),
    ("BR-SP", 25),
    ("RU", 40),
    ("RU-MOW", 12),
    ("KZ", 15),
    ("BY", 6),
    ("KR", 45),
    ("JP", 35),
    ("SG", 25),
    ("HK", 22),
    ("MO", 3),
    ("TW", 22),
    ("CN", 25),
    ("IN", 45),
    ("AU", 22),
    ("MX", 25),
    ("TR", 25),
    ("SA", 12),
    ("NG", 10),
];

/// The country of a place: `US` of `US-CA`.
pub(crate) fn country(place: &str) -> &str {
    place.split_once('-').map_or(place, |(country, _)| country)
}

impl Region {
    pub(crate) fn of(place: &str) -> Self {
        match country(place) {
            "DE" | "FR" | "NL" | "IT" | "ES" | "PL" | "SE" | "IE" | "LU" => Self::Eea,
            "GB" => Self::Uk,
            "CH" => Self::OtherEurope,
            "BR" => Self::Brazil,
            "KR" => Self::Korea,
            "US" => Self::Us,
            "CN" => Self::China,
            "HK" | "MO" | "TW" => Self::GreaterChina,
            "RU" | "KZ" | "BY" => Self::RussiaAndNeighbours,
            _ => Self::Elsewhere,
        }
    }

    /// Whether the GDPR or its British twin asks for a basis and a safeguard.
    pub(crate) fn is_gdpr(self) -> bool {
        matches!(self, Self::Eea | Self::Uk)
    }

    /// Whether an adequacy decision of the EU held for the place all the time
    /// from 2022 on.
    pub(crate) fn is_adequate(place: &str) -> bool {
        matches!(
            Self::of(place),
            Self::Eea | Self::Uk | Self::OtherEurope | Self::Korea
        ) || country(place) == "JP"
    }
}
