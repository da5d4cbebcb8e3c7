//! The W3C trace context of a message.

use std::fmt;

/// A `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceParent {
    /// Reads `00-<32 digits>-<16 digits>-<2 digits>`, digits being lower-case
    /// hexadecimal. Of versions after 00 the beginning is read, as the
    /// specification says. `None` where malformed: it is not what a message is
    /// rejected for.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (head, tail) = bytes.split_at_checked(55)?;
        let [version] = hex(&head[..2])?;
        if version == 0xff || (version == 0 && !tail.is_empty()) {
            return None;
        }
        if !tail.is_empty() && tail[0] != b'-' {
            return None;
        }
        if [head[2], head[35], head[52]] != [b'-'; 3] {
            return None;
        }
        let parent = Self {
            trace_id: u128::from_be_bytes(hex(&head[3..35])?),
            parent_id: u64::from_be_bytes(hex(&head[36..52])?),
            flags: u8::from_be_bytes(hex(&head[53..55])?),
        };
        (parent.trace_id != 0 && parent.parent_id != 0).then_some(parent)
    }

    /// The trace: 32 hexadecimal digits, not all zero.
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        let id = self.trace_id;
        fmt::from_fn(move |f| write!(f, "{id:032x}"))
    }

    /// The span that sent the message: 16 hexadecimal digits, not all zero.
    pub fn parent_id(&self) -> impl fmt::Display + use<> {
        let id = self.parent_id;
        fmt::from_fn(move |f| write!(f, "{id:016x}"))
    }

    /// Whether whoever sent the message recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// `N` bytes of lower-case hexadecimal digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_specification_s_example() {
        let parent =
            TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(parent.trace_id().to_string(), trace_id);
        assert_eq!(parent.parent_id().to_string(), "b7ad6b7169203331");
        assert!(parent.is_sampled());
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        assert_eq!(TraceParent::parse(later), Some(parent));
    }

    #[test]
    fn ignores_what_is_malformed() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}
