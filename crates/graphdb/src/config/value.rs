//! Texts of flags into values.

use std::time::Duration;

/// Reads `90s`, `30m`, `24h` or `7d`; `0` is none at all.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write a whole number and s, m, h or d, as in 24h");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.char_indices().last().ok_or_else(wrong)?;
    let seconds = match unit.1 {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..unit.0].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

/// Reads `on`, `off`, `true` or `false`.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither on nor off")),
    }
}

/// Reads a whole number between two others.
pub(crate) fn number<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let value = text.parse().ok().filter(|value| (&least..=&most).contains(&value));
    value.ok_or_else(|| format!("{text:?} is no number from {least} to {most}"))
}

/// Reads Dgraph's `member=value; member=value;`. Dashes and underscores of members are alike.
pub(crate) fn members(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((member, value)) => Ok((member.trim().replace('_', "-").to_lowercase(), value.trim().to_owned())),
            None => Err(format!("{part:?} is not of the form member=value; members are separated by semicolons")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("0", 0), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "24", "-1h", "1.5h", "1 h", "99999999999s", "5µ"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_keep_within_their_limits() {
        assert_eq!(number("12", 1, 12), Ok(12));
        for text in ["0", "13", "-1", "x", "", "256"] {
            assert!(number::<u8>(text, 1, 12).is_err(), "{text}");
        }
    }

    #[test]
    fn members_of_super_flags_are_split_and_trimmed() {
        let read = members("whitelist=10.0.0.1:10.0.0.9, a ; Key_File=/x=y;").unwrap_or_default();
        assert_eq!(read, [("whitelist".into(), "10.0.0.1:10.0.0.9, a".into()), ("key-file".into(), "/x=y".into())]);
        assert!(members("whitelist").is_err());
    }
}
