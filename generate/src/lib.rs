//! Traffic as the services of the five policies would send it, invented.
//!
//! A [`Generator`] turns a [`Profile`] into Kafka messages: sign-ups, browsing,
//! orders with payment, customs and carriers, marketing with consents given and
//! withdrawn, rights requests, transfers with and without safeguards, closed
//! accounts, and a share of redelivered and malformed ones. Equal profiles give
//! equal bytes on every machine. Persons, identifiers and most organisations
//! are invented; e-mail addresses end in `example.com` and the like, telephone
//! numbers begin with a country code that nobody has.
//!
//! Messages come in the order of their event times, and memory is bounded by
//! the persons active at a time. This crate knows no Kafka: sending is done
//! elsewhere. It does not try to be fair to anybody: how often something is
//! forgotten or forbidden here says nothing about a real service.
//!
//! ```
//! use custody_generate::{Generator, Profile};
//!
//! let profile = Profile { events: 100, persons: 10, ..Profile::default() };
//! let messages: Vec<_> = Generator::new(profile.clone())?.collect();
//! assert_eq!(messages.len(), 100);
//! assert!(Generator::new(profile)?.eq(messages));
//! # Ok::<(), custody_generate::ProfileError>(())
//! ```

mod dice;
mod profile;

mod person;
mod place;
mod policy;
mod recipient;

mod budget;
mod draft;
mod house;
mod journey;
mod spoil;

mod generator;
mod malformed;
mod message;
mod notable;

pub use generator::Generator;
pub use journey::RETENTION_DAYS;
pub use message::{Encoding, Message};
pub use notable::Notable;
pub use profile::{EncodingMix, Profile, ProfileError, ServiceMix};
