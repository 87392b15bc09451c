//! Times as people and browsers read them.

use time::OffsetDateTime;
use time::macros::format_description;

/// ISO 8601 with milliseconds in UTC: `2024-01-15T10:30:00.000Z`.
pub fn iso(unix_ms: u64) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds() {
        assert_eq!(super::iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(super::iso(1_705_314_600_042), "2024-01-15T10:30:00.042Z");
        assert_eq!(super::iso(u64::MAX), "", "beyond what a calendar holds");
    }
}
