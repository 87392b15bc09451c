//! An event's place in the one order.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::{InvalidEvent, excerpt};

/// An event's place in the one order: `<unix-ms>-<n>`, strictly increasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId {
    /// Wall-clock milliseconds when it was given, or the predecessor's if the clock stepped back.
    pub ms: u64,
    /// Counts the events of one millisecond.
    pub n: u32,
}

impl EventId {
    /// The id that follows this one when the wall clock shows `unix_ms`.
    #[must_use]
    pub fn next(self, unix_ms: u64) -> Self {
        if unix_ms > self.ms {
            Self { ms: unix_ms, n: 0 }
        } else if let Some(n) = self.n.checked_add(1) {
            Self { ms: self.ms, n }
        } else {
            Self { ms: self.ms + 1, n: 0 }
        }
    }

    /// The greatest id that is smaller than this one, which is not the smallest.
    #[must_use]
    pub fn just_before(self) -> Self {
        match self.n.checked_sub(1) {
            Some(n) => Self { ms: self.ms, n },
            None => Self { ms: self.ms.saturating_sub(1), n: u32::MAX },
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.n)
    }
}

impl FromStr for EventId {
    type Err = InvalidEvent;

    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        // `u64::from_str` takes a leading plus sign; an id does not.
        let number = |digits: &str| {
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok())
        };
        text.split_once('-')
            .and_then(|(ms, n)| Some(Self { ms: number(ms)??, n: number(n)??.try_into().ok()? }))
            .ok_or_else(|| InvalidEvent::Id(excerpt(text)))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_as_they_were_written() {
        let id = EventId { ms: 1_700_000_000_000, n: 42 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "1", "1-", "-1", "+1-2", "1-+2", "1-2-3", "x-1", "1-4294967296", "1 -2"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_increase_whatever_the_clock_does() {
        let mut last = EventId::default();
        for unix_ms in [5, 5, 6, 2, 0, 6, 7, 7] {
            let next = last.next(unix_ms);
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert!(EventId { ms: 1, n: u32::MAX }.next(1) > EventId { ms: 1, n: u32::MAX });
    }
}
