use std::fmt;

use crate::Malformed;

/// Seconds from 0001-01-01T00:00:00Z, where the stored count begins, to 1970-01-01T00:00:00Z.
const UNIX_EPOCH: i64 = 62_135_596_800;
/// Days from 0000-03-01, where the calendar sums below begin, to 0001-01-01.
const DAYS_TO_YEAR_ONE: i64 = 306;
const DAY_SECONDS: i64 = 86_400;
/// The days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// The offset that stands for UTC. An offset of minus one minute therefore cannot be stored.
const UTC: i16 = -1;

/// An instant to the nanosecond, and the offset from UTC in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Seconds since 0001-01-01T00:00:00Z.
    seconds: i64,
    nanos: u32,
    /// Minutes east of UTC; -1 is UTC itself.
    offset_minutes: i16,
    /// The seconds beyond the minutes of the offset, of stored version 2 alone.
    offset_seconds: Option<i8>,
}

/// Year, month, day, hour, minute, second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

impl DateTime {
    /// The instant `seconds` and `nanos` (below 10^9) after 1970-01-01T00:00:00Z, shown in UTC. `None` if it is beyond
    /// what can be stored.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<DateTime> {
        let seconds = seconds.checked_add(UNIX_EPOCH)?;
        (nanos < 1_000_000_000).then_some(DateTime { seconds, nanos, offset_minutes: UTC, offset_seconds: None })
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.seconds.saturating_sub(UNIX_EPOCH)
    }

    /// The nanoseconds beyond the whole seconds, below 10^9.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// What orders datetimes: the offset does not count.
    pub(crate) fn instant(self) -> (i64, u32) {
        (self.seconds, self.nanos)
    }

    /// The calendar in UTC, which index tokens are made of.
    pub(crate) fn utc(self) -> Civil {
        civil(self.seconds)
    }

    /// Appends the stored form: 15 bytes, or 16 if the offset has odd seconds.
    pub(crate) fn put_bytes(self, out: &mut Vec<u8>) {
        out.push(if self.offset_seconds.is_some() { 2 } else { 1 });
        out.extend_from_slice(&self.seconds.to_be_bytes());
        out.extend_from_slice(&self.nanos.to_be_bytes());
        out.extend_from_slice(&self.offset_minutes.to_be_bytes());
        out.extend(self.offset_seconds.map(i8::cast_unsigned));
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<DateTime, Malformed> {
        let bad = Malformed { what: "datetime value" };
        let (version, rest) = bytes.split_first().ok_or(bad.clone())?;
        let (seconds, rest) = rest.split_first_chunk().ok_or(bad.clone())?;
        let (nanos, rest) = rest.split_first_chunk().ok_or(bad.clone())?;
        let (offset, rest) = rest.split_first_chunk().ok_or(bad.clone())?;
        let offset_seconds = match (version, rest) {
            (1, []) => None,
            (2, [seconds]) => Some(seconds.cast_signed()),
            _ => return Err(bad),
        };
        let nanos = u32::from_be_bytes(*nanos);
        let at = DateTime {
            seconds: i64::from_be_bytes(*seconds),
            nanos,
            offset_minutes: i16::from_be_bytes(*offset),
            offset_seconds,
        };
        if nanos < 1_000_000_000 { Ok(at) } else { Err(bad) }
    }

    /// Reads `2006`, `2006-01`, `2006-01-02`, `2006-01-02T15:04:05` (all UTC), and the last with a zone, `Z` or `+05:30`.
    /// Seconds may have a fraction, of which nine digits count. `None` for anything else and for days that do not exist.
    pub fn parse(text: &str) -> Option<DateTime> {
        let mut text = text.as_bytes();
        let year = digits(&mut text, 4)?;
        let month = if take(&mut text, b'-') { digits(&mut text, 2)? } else { return utc_day(text, year, 1, 1) };
        let day = if take(&mut text, b'-') { digits(&mut text, 2)? } else { return utc_day(text, year, month, 1) };
        if !take(&mut text, b'T') {
            return utc_day(text, year, month, day);
        }
        let hour = digits(&mut text, 2)?;
        let minute = take(&mut text, b':').then(|| digits(&mut text, 2))??;
        let second = take(&mut text, b':').then(|| digits(&mut text, 2))??;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let nanos = fraction(&mut text)?;
        let offset = zone(text)?;
        let at = day_start(year, month, day)? + i64::from(hour * 3600 + minute * 60 + second);
        let seconds = at - i64::from(offset) * 60;
        let offset_minutes = if offset == 0 { UTC } else { offset };
        Some(DateTime { seconds, nanos, offset_minutes, offset_seconds: None })
    }

    /// Seconds east of UTC.
    fn offset(self) -> i64 {
        match (self.offset_minutes, self.offset_seconds) {
            (UTC, _) => 0,
            (minutes, seconds) => i64::from(minutes) * 60 + i64::from(seconds.unwrap_or(0)),
        }
    }
}

/// RFC 3339 in the offset of the datetime; the fraction without trailing zeros.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset();
        let Civil { year, month, day, hour, minute, second } = civil(self.seconds.saturating_add(offset));
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos != 0 {
            write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))?;
        }
        if offset == 0 {
            return f.write_str("Z");
        }
        let minutes = (offset / 60).abs();
        write!(f, "{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

fn utc_day(rest: &[u8], year: u32, month: u32, day: u32) -> Option<DateTime> {
    let seconds = day_start(year, month, day)?;
    rest.is_empty().then_some(DateTime { seconds, nanos: 0, offset_minutes: UTC, offset_seconds: None })
}

fn take(text: &mut &[u8], byte: u8) -> bool {
    match text.split_first() {
        Some((first, rest)) if *first == byte => {
            *text = rest;
            true
        }
        _ => false,
    }
}

fn digits(text: &mut &[u8], count: usize) -> Option<u32> {
    let (number, rest) = text.split_at_checked(count)?;
    *text = rest;
    number.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

/// Nanoseconds of `.5` or `,5`; a point without digits is an error.
fn fraction(text: &mut &[u8]) -> Option<u32> {
    if !take(text, b'.') && !take(text, b',') {
        return Some(0);
    }
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(count);
    *text = rest;
    let nanos = (0..9).fold(0, |n, i| n * 10 + number.get(i).map_or(0, |b| u32::from(b - b'0')));
    (count > 0).then_some(nanos)
}

/// Minutes east of UTC of `Z`, `+05:30`, or nothing, which is UTC.
fn zone(mut text: &[u8]) -> Option<i16> {
    if text.is_empty() || text == b"Z" {
        return Some(0);
    }
    let negative = take(&mut text, b'-');
    if !negative && !take(&mut text, b'+') {
        return None;
    }
    let hours = digits(&mut text, 2)?;
    let minutes = take(&mut text, b':').then(|| digits(&mut text, 2))??;
    let offset = i16::try_from(hours * 60 + minutes).ok()?;
    let offset = if negative { -offset } else { offset };
    (text.is_empty() && hours <= 24 && minutes < 60 && offset != UTC).then_some(offset)
}

/// Seconds from 0001-01-01 to the start of a day, if there is such a day.
fn day_start(year: u32, month: u32, day: u32) -> Option<i64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    // A year from March on keeps the leap day at its end.
    let year = i64::from(year) - i64::from(month < 3);
    let month = i64::from((month + 9) % 12);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let days = era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    Some((days - DAYS_TO_YEAR_ONE) * DAY_SECONDS)
}

/// The calendar `seconds` after 0001-01-01T00:00:00.
fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(DAY_SECONDS) + DAYS_TO_YEAR_ONE;
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let small = |n: i64| u8::try_from(n).expect("months, days, hours, minutes and seconds are below 60");
    Civil {
        year: era * 400 + year_of_era + i64::from(month < 3),
        month: small(month),
        day: small(day_of_year - (153 * from_march + 2) / 5 + 1),
        hour: small(of_day / 3600),
        minute: small(of_day / 60 % 60),
        second: small(of_day % 60),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form_of_a_date_is_read_and_shown_as_rfc_3339() {
        for (text, shown) in [
            ("2006", "2006-01-01T00:00:00Z"),
            ("2006-07", "2006-07-01T00:00:00Z"),
            ("2006-07-09", "2006-07-09T00:00:00Z"),
            ("2006-01-02T15:04:05", "2006-01-02T15:04:05Z"),
            ("2006-01-02T15:04:05Z", "2006-01-02T15:04:05Z"),
            ("2006-01-02T15:04:05+00:00", "2006-01-02T15:04:05Z"),
            ("2006-01-02T15:04:05.1200+05:30", "2006-01-02T15:04:05.12+05:30"),
            ("2006-01-02T15:04:05.123456789999-11:45", "2006-01-02T15:04:05.123456789-11:45"),
            ("0000-02-29", "0000-02-29T00:00:00Z"),
            ("0001-01-01", "0001-01-01T00:00:00Z"),
            ("2000-02-29", "2000-02-29T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(DateTime::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "206",
            "20066",
            "2006-",
            "2006-1",
            "2006-13",
            "2006-00",
            "2006-01-00",
            "2006-02-29",
            "1900-02-29",
            "2006-04-31",
            "2006-01-02T",
            "2006-01-02t15:04:05Z",
            "2006-01-02 15:04:05",
            "2006-01-02T15:04Z",
            "2006-01-02T24:00:00Z",
            "2006-01-02T15:60:00Z",
            "2006-01-02T15:04:60Z",
            "2006-01-02T15:04:05.Z",
            "2006-01-02T15:04:05z",
            "2006-01-02T15:04:05+0530",
            "2006-01-02T15:04:05+05:60",
            "2006-01-02T15:04:05Zx",
            "2006-01-02T15:04:05-00:01",
            "+2006",
            "2006-01-02Z",
            "２００６",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_calendar_agrees_with_itself_day_by_day() {
        let mut before = civil(day_start(0, 1, 1).unwrap() - 1);
        for days in 0..800_000 {
            let seconds = day_start(0, 1, 1).unwrap() + days * DAY_SECONDS;
            let now = civil(seconds);
            let next_day = now.day == before.day + 1 && now.month == before.month;
            let next_month = now.day == 1 && now.month == before.month + 1 && now.year == before.year;
            let next_year = (now.month, now.day) == (1, 1) && now.year == before.year + 1;
            assert!(next_day || next_month || next_year, "{before:?} {now:?}");
            let year = u32::try_from(now.year).unwrap();
            assert_eq!(day_start(year, now.month.into(), now.day.into()), Some(seconds));
            before = now;
        }
    }

    #[test]
    fn the_ends_of_time_are_shown_without_overflow() {
        for (seconds, offset_minutes) in [(i64::MIN, i16::MIN), (i64::MAX, i16::MAX), (i64::MIN, UTC), (i64::MAX, UTC)]
        {
            let at = DateTime { seconds, nanos: 999_999_999, offset_minutes, offset_seconds: Some(-59) };
            assert!(!at.to_string().is_empty());
        }
    }
}
