//! The times of captions.

use std::time::Duration;

/// Reads `start --> end`, with whatever settings follow; an end before the start is moved to it.
pub(super) fn interval(line: &str) -> Option<(Duration, Duration)> {
    let (start, rest) = line.split_once("-->").or_else(|| line.split_once("->"))?;
    let start = timestamp(start)?;
    let end = timestamp(rest.split_whitespace().next()?)?;
    Some((start, end.max(start)))
}

/// Reads `[hours:]minutes:seconds[.fraction]`; a comma will do for the point, as in `SubRip`.
fn timestamp(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.trim().split_once(['.', ',']).unwrap_or((text.trim(), "0"));
    let mut parts = whole.rsplit(':');
    let seconds = number(parts.next()?).filter(|s| *s < 60)?;
    let minutes = number(parts.next()?).filter(|m| *m < 60)?;
    let hours = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() {
        return None;
    }
    let total = Duration::from_secs(hours * 3600 + minutes * 60 + seconds);
    Some(total + Duration::from_millis(milliseconds(fraction)?))
}

/// Six digits of hours are more than a century: enough, and far from any overflow.
fn number(digits: &str) -> Option<u64> {
    let valid = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| digits.parse().ok()).flatten()
}

fn milliseconds(fraction: &str) -> Option<u64> {
    let millis = number(fraction)?;
    Some(match fraction.len() {
        1 => millis * 100,
        2 => millis * 10,
        n => millis / 10_u64.pow(n as u32 - 3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u64, u64)>) {
        let millis = |d: Duration| d.as_millis() as u64;
        assert_eq!(interval(line).map(|(a, b)| (millis(a), millis(b))), expected, "{line:?}");
    }

    #[test]
    fn times_are_read_in_every_form_in_use() {
        check("00:01.000 --> 00:02.000", Some((1_000, 2_000)));
        check("01:00:00.500 --> 01:00:01.250", Some((3_600_500, 3_601_250)));
        check("123:00:00.000 --> 123:00:01.000", Some((442_800_000, 442_801_000)));
        check("00:00:01,000 --> 00:00:02,000", Some((1_000, 2_000)));
        check("0:0:1,5-->0:0:2", Some((1_500, 2_000)));
        check("  00:00:01,000  -->  00:00:02,04  ", Some((1_000, 2_040)));
        check("00:00:01.000 -> 00:00:02.000", Some((1_000, 2_000)));
        check("00:01.000 --> 00:02.000 align:start position:0%", Some((1_000, 2_000)));
        check("00:01.000\t-->\t00:02.000\tline:1", Some((1_000, 2_000)));
        check("00:00:01,123456 --> 00:00:02,000", Some((1_123, 2_000)));
    }

    #[test]
    fn an_end_before_its_start_is_moved_to_it() {
        check("00:05.000 --> 00:02.000", Some((5_000, 5_000)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for bad in [
            "",
            "-->",
            "00:01.000 -->",
            "--> 00:01.000",
            "1 --> 2",
            "00:60.000 --> 01:01.000",
            "60:00:.000 --> 00:01.000",
            "00:-1.000 --> 00:02.000",
            "00:+1.000 --> 00:02.000",
            "1:2:3:4 --> 1:2:3:5",
            "99999999999:00:00.000 --> 99999999999:00:01.000",
            "00:01.٣ --> 00:02.000",
        ] {
            check(bad, None);
        }
    }
}
