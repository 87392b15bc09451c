//! What each event says: which one it is, and when it was published.

/// The first fields of an event's data: `{"seq":7,"at":123456,"pad":"…"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the events of a server's life.
    pub seq: u64,
    /// When it was published, in nanoseconds on the steady clock.
    pub at: u64,
}

impl Stamp {
    /// JSON that says this and is `bytes` long, or a little longer if that is too short.
    pub fn data(self, bytes: usize) -> String {
        let mut data = format!(r#"{{"seq":{},"at":{},"pad":""#, self.seq, self.at);
        let padding = bytes.saturating_sub(data.len() + 2);
        data.extend(std::iter::repeat_n('x', padding));
        data.push_str("\"}");
        data
    }

    /// Reads it back; nothing if it is somebody else's data.
    pub fn read(data: &[u8]) -> Option<Self> {
        let (seq, rest) = number(data.strip_prefix(b"{\"seq\":")?)?;
        let (at, _) = number(rest.strip_prefix(b",\"at\":")?)?;
        Some(Self { seq, at })
    }
}

/// The number that `text` starts with, and what follows it.
pub fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let add = |sum: u64, digit: &u8| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
    (digits > 0).then(|| (number.iter().fold(0, add), rest))
}
