//! Which backups of a list are wanted, by the time they were taken.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, time};
use time::{Date, Duration, OffsetDateTime};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A span of time; both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
}

impl Window {
    /// The window that a client asks for, at `now`. Days begin and end in UTC.
    ///
    /// # Errors
    /// A date that is none, and `last_days` beside `since`.
    pub(crate) fn new(
        since: Option<&str>,
        until: Option<&str>,
        last_days: Option<i32>,
        now: OffsetDateTime,
    ) -> Result<Window, String> {
        let since = since.filter(|text| !text.is_empty());
        let last_days = last_days.filter(|days| *days != 0);
        let since = match (since, last_days) {
            (Some(_), Some(_)) => return Err("lastNDays and sinceDate exclude each other".into()),
            (None, Some(days)) if days < 0 => return Err("lastNDays must not be below zero".into()),
            (None, Some(days)) => Some(now.saturating_sub(Duration::days(days.into()))),
            (Some(text), None) => Some(read("sinceDate", text, false)?),
            (None, None) => None,
        };
        let until = until.filter(|text| !text.is_empty()).map(|text| read("untilDate", text, true)).transpose()?;
        Ok(Window { since, until })
    }

    /// Whether a backup taken at `at`, as RFC 3339 text, is wanted. One whose time cannot be read is not hidden.
    pub(crate) fn holds(self, at: &str) -> bool {
        let Ok(at) = OffsetDateTime::parse(at, &Rfc3339) else { return true };
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at <= until)
    }
}

fn read(what: &str, text: &str, whole_day: bool) -> Result<OffsetDateTime, String> {
    if let Ok(instant) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(instant);
    }
    let day = Date::parse(text, DAY)
        .map_err(|_| format!("{what} {text:?} is no date such as 2026-01-31 or 2026-01-31T22:47:57Z"))?;
    let time = if whole_day { time!(23:59:59.999) } else { time!(0:00) };
    Ok(day.with_time(time).assume_utc())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-10 12:00 UTC);

    #[test]
    fn a_window_holds_both_its_ends() {
        let window = Window::new(Some("2026-03-01"), Some("2026-03-02"), None, NOW).unwrap();
        for (at, held) in [
            ("2026-02-28T23:59:59Z", false),
            ("2026-03-01T00:00:00Z", true),
            ("2026-03-02T23:59:59.5Z", true),
            ("2026-03-03T00:00:00Z", false),
            ("2026-03-03T01:00:00+02:00", true),
        ] {
            assert_eq!(window.holds(at), held, "{at}");
        }
        let days = Window::new(None, None, Some(3), NOW).unwrap();
        assert!(days.holds("2026-03-07T12:00:00Z") && !days.holds("2026-03-07T11:59:59Z"));
        assert!(Window::default().holds("2001-01-01T00:00:00Z"));
    }

    #[test]
    fn dates_that_make_no_sense_are_refused() {
        assert!(Window::new(Some("2026-03-01"), None, Some(1), NOW).is_err());
        assert!(Window::new(Some("yesterday"), None, None, NOW).unwrap_err().contains("yesterday"));
        assert!(Window::new(None, Some("2026-02-30"), None, NOW).is_err());
        assert!(Window::new(None, None, Some(-1), NOW).is_err());
        assert_eq!(Window::new(Some(""), Some(""), Some(0), NOW), Ok(Window::default()));
    }
}
