//! Times as people and browsers read them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// ISO 8601 with milliseconds in UTC: `2024-01-15T10:30:00.000Z`.
pub fn iso(unix_ms: u64) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default()
}

/// Milliseconds since 1970-01-01 UTC of such a time, with any offset from UTC; none if it is no time, or
/// before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds() {
        assert_eq!(super::iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(super::iso(1_705_314_600_042), "2024-01-15T10:30:00.042Z");
        assert_eq!(super::iso(u64::MAX), "", "beyond what a calendar holds");
    }

    #[test]
    fn a_time_is_read_with_its_offset() {
        for (text, ms) in [
            ("2024-01-15T10:30:00.042Z", Some(1_705_314_600_042)),
            ("2024-01-15T11:30:00.042999+01:00", Some(1_705_314_600_042)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", None),
            ("2024-01-15", None),
            ("now", None),
        ] {
            assert_eq!(super::parse(text), ms, "{text}");
        }
    }
}
