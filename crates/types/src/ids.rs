use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A node of the graph. Valid uids are `1 ..= 2^64 - 2`; text form is lower-case hex with `0x`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u64);

/// A logical timestamp: one counter gives both `start_ts` and `commit_ts`, so byte order is time order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ts(pub u64);

/// Predicates that are served and backed up together. The first group is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// A tenant's space of predicates. The root namespace is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(pub u64);

impl Namespace {
    /// The namespace of everybody who does not name one.
    pub const ROOT: Namespace = Namespace(0);
}

impl Ts {
    /// Before every commit.
    pub const ZERO: Ts = Ts(0);
    /// After every commit.
    pub const MAX: Ts = Ts(u64::MAX);
}

impl Uid {
    /// Whether a node may have this uid: 0 and `2^64 - 1` mark absence and plain values.
    pub fn is_valid(self) -> bool {
        self.0 != 0 && self.0 != u64::MAX
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl FromStr for Uid {
    type Err = ParseIntError;

    /// Reads `0x1f`, decimal, or octal with a leading `0`, as Dgraph's clients write them.
    fn from_str(text: &str) -> Result<Uid, ParseIntError> {
        let parsed = if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            u64::from_str_radix(hex, 16)
        } else if text.len() > 1 && text.starts_with('0') {
            u64::from_str_radix(text.trim_start_matches("0o"), 8)
        } else {
            text.parse()
        };
        parsed.map(Uid)
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_read_in_hex_decimal_and_octal() {
        for (text, uid) in [("0x1f", 31), ("31", 31), ("037", 31), ("0", 0)] {
            assert_eq!(text.parse::<Uid>(), Ok(Uid(uid)), "{text}");
        }
        assert!("0x".parse::<Uid>().is_err() && "-1".parse::<Uid>().is_err() && "".parse::<Uid>().is_err());
        assert_eq!(Uid(31).to_string(), "0x1f");
    }
}
