//! The fields of our lines: each has one spelling only, so that what was read
//! is written again to the byte.

use std::fmt::Write as _;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::tree::Hash;

/// What stands for a name that is not known.
const ABSENT: &str = "-";

/// A number or an id as it is written: decimal without leading zeros or a plus
/// sign, hexadecimal in lower case.
pub(crate) fn canonical<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>()
        .ok()
        .filter(|value| value.to_string() == text)
}

/// A hash in base64 (RFC 4648, section 4), with padding.
pub(crate) fn hash_text(hash: &Hash) -> String {
    STANDARD.encode(hash.as_bytes())
}

/// A hash in base64. The decoder refuses a second spelling.
pub(crate) fn hash(text: &str) -> Option<Hash> {
    // Before anything is allocated: 32 bytes have 44 characters.
    if text.len() != 44 {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Hash)
}

/// A hash in hexadecimal.
pub(crate) fn hex_hash(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let hash = Hash(bytes);
    (hash.to_string() == text).then_some(hash)
}

/// A name of Kafka's: what is no visible ASCII character, and `%`, in percent
/// encoding (RFC 3986, section 2.1), so that it is one word of a line.
pub(crate) fn name_text(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// The name of a word of a line; not empty.
pub(crate) fn name(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let mut decoded = [0];
        hex::decode_to_slice(digits, &mut decoded).ok()?;
        bytes.push(decoded[0]);
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.is_empty() && name_text(&name) == text).then_some(name)
}

/// A name, or `-` for an empty one. A name that is a hyphen is `%2D`.
pub(crate) fn name_or_absent_text(name: &str) -> String {
    match name {
        "" => ABSENT.to_owned(),
        ABSENT => "%2D".to_owned(),
        name => name_text(name),
    }
}

/// A name, empty for `-`.
pub(crate) fn name_or_absent(text: &str) -> Option<String> {
    match text {
        ABSENT => Some(String::new()),
        "%2D" => Some(ABSENT.to_owned()),
        text => name(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(canonical::<u64>("0"), Some(0));
        assert_eq!(canonical::<u64>("18446744073709551615"), Some(u64::MAX));
        assert_eq!(canonical::<i64>("-1"), Some(-1));
        for wrong in ["", "00", "01", "+1", "-0", " 1", "1 ", "1e1", "0x1"] {
            assert_eq!(canonical::<u64>(wrong), None, "{wrong:?}");
            assert_eq!(canonical::<i64>(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(name_text("orders.eu-1_x"), "orders.eu-1_x");
        assert_eq!(name_text("a b%\n"), "a%20b%25%0A");
        assert_eq!(name_or_absent_text("-"), "%2D");
        for wrong in ["", "a b", "a%2", "a%", "%41", "a%2b", "a%ff", "ä", "%C3"] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
        assert_eq!(name_or_absent("-a").as_deref(), Some("-a"));
    }

    proptest! {
        #[test]
        fn any_name_comes_back(said in "\\PC{0,12}|[\u{0}-\u{7f}]{0,12}|-") {
            let text = name_or_absent_text(&said);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(name_or_absent(&text), Some(said));
        }
    }
}
