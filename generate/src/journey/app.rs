//! The applications of a service, as CloudEvents sources.

use crate::policy::Service;

/// The application that speaks.
#[derive(Clone, Copy)]
pub(super) enum App {
    Signup,
    Web,
    Orders,
    Payments,
    Shipping,
    Marketing,
    Risk,
    Support,
    Privacy,
    Identity,
    Storage,
}

/// CloudEvents sources by application, then by service as in [`Service`].
const SOURCES: [[&str; 3]; 11] = [
    [
        "//signup.cloud.example",
        "//signup.alibaba.example",
        "//signup.aliexpress.example",
    ],
    [
        "//console.cloud.example",
        "//web.alibaba.example",
        "//web.aliexpress.example",
    ],
    [
        "//orders.cloud.example",
        "//orders.alibaba.example",
        "//orders.aliexpress.example",
    ],
    [
        "//payments.cloud.example",
        "//payments.alibaba.example",
        "//payments.aliexpress.example",
    ],
    [
        "//delivery.cloud.example",
        "//shipping.alibaba.example",
        "//shipping.aliexpress.example",
    ],
    [
        "//marketing.cloud.example",
        "//marketing.alibaba.example",
        "//marketing.aliexpress.example",
    ],
    [
        "//risk.cloud.example",
        "//risk.alibaba.example",
        "//risk.aliexpress.example",
    ],
    [
        "//support.cloud.example",
        "//support.alibaba.example",
        "//support.aliexpress.example",
    ],
    [
        "//privacy.cloud.example",
        "//privacy.alibaba.example",
        "//privacy.aliexpress.example",
    ],
    [
        "//kyc.cloud.example",
        "//kyc.alibaba.example",
        "//kyc.aliexpress.example",
    ],
    [
        "//storage.cloud.example",
        "//storage.alibaba.example",
        "//storage.aliexpress.example",
    ],
];

impl App {
    /// The CloudEvents `source` that it uses at a service.
    pub(super) const fn source(self, service: Service) -> &'static str {
        SOURCES[self as usize][service as usize]
    }
}
