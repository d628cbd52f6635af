//! Parameters of a URL or a form, read by the rules of the Go programs whose clients call us.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::reply::Failure;

/// Decoded parameters in the order they were written.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &str) -> Params {
        let pairs = encoded.split('&').filter(|pair| !pair.is_empty());
        Params(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A Boolean; absent or empty means false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name) {
            None | Some("") => Ok(false),
            Some(text) => read_bool(text)
                .ok_or_else(|| Failure::request(format!("parameter {name}: {text:?} is not true or false"))),
        }
    }

    /// A number that is not negative; absent or empty means 0. `0x`, `0o`, `0b` and a leading `0` give the base.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Failure> {
        match self.get(name) {
            None | Some("") => Ok(0),
            Some(text) => read_number(text).ok_or_else(|| {
                Failure::request(format!("parameter {name}: {text:?} is not a number from 0 to 2^64-1"))
            }),
        }
    }

    /// A time span as in `300ms` or `1m30s`; absent, empty or 0 means none. Negative ones are over at once.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, Failure> {
        match self.get(name) {
            None | Some("" | "0") => Ok(None),
            Some(text) => read_duration(text).map(Some).ok_or_else(|| {
                Failure::request(format!("parameter {name}: {text:?} is not a time span such as 300ms, 5s or 2m"))
            }),
        }
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

pub(crate) fn read_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a number whose base is given by its beginning.
pub(crate) fn read_number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_str() {
        hex if hex.starts_with("0x") => (&hex[2..], 16),
        binary if binary.starts_with("0b") => (&binary[2..], 2),
        octal if octal.starts_with("0o") => (&octal[2..], 8),
        octal if octal.len() > 1 && octal.starts_with('0') => (&octal[1..], 8),
        decimal => (decimal, 10),
    };
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

fn read_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number * unit_seconds(&rest[..unit])?;
        rest = &rest[unit..];
    }
    if negative { Some(Duration::ZERO) } else { Duration::try_from_secs_f64(seconds).ok() }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let params = Params::parse("query=%7Bq%7D+x&a=1&a=2&live");
        assert_eq!(
            (params.get("query"), params.get("a"), params.get("live"), params.get("b")),
            (Some("{q} x"), Some("1"), Some(""), None)
        );
    }

    #[test]
    fn flags_take_what_go_takes() {
        for (text, expected) in [
            ("", Some(false)),
            ("t", Some(true)),
            ("TRUE", Some(true)),
            ("0", Some(false)),
            ("yes", None),
            ("tRUE", None),
        ] {
            assert_eq!(Params::parse(&format!("f={text}")).flag("f").ok(), expected, "{text}");
        }
        assert!(!Params::parse("").flag("f").unwrap());
    }

    #[test]
    fn numbers_take_their_base_from_their_beginning() {
        for (text, expected) in [
            ("12", Some(12)),
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("-1", None),
            ("1e3", None),
            ("", Some(0)),
            ("18446744073709551616", None),
        ] {
            assert_eq!(Params::parse(&format!("n={text}")).number("n").ok(), expected, "{text}");
        }
    }

    #[test]
    fn time_spans_need_a_unit() {
        for (text, expected) in [("300ms", Some(300)), ("1m30s", Some(90_000)), ("1.5s", Some(1500)), ("-1s", Some(0))]
        {
            let span = Params::parse(&format!("t={text}")).duration("t").unwrap();
            assert_eq!(span.map(|span| u64::try_from(span.as_millis()).unwrap()), expected, "{text}");
        }
        for text in ["x", "5", "1s2", "s", "-"] {
            assert!(Params::parse(&format!("t={text}")).duration("t").is_err(), "{text}");
        }
        assert_eq!(Params::parse("t=0").duration("t").unwrap(), None);
    }
}
