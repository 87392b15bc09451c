//! Medians and spreads.

use std::fmt;

/// The same thing measured several times.
#[derive(Debug, Clone, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Adds one round's value.
    pub fn add(&mut self, value: f64) {
        let place = self.0.partition_point(|&other| other < value);
        self.0.insert(place, value);
    }

    /// The value in the middle.
    pub fn median(&self) -> Option<f64> {
        let upper = *self.0.get(self.0.len() / 2)?;
        let lower = *self.0.get((self.0.len() - 1) / 2)?;
        Some(f64::midpoint(lower, upper))
    }
}

/// The median, and the range if there was more than one round.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.median(), self.0.as_slice()) {
            (Some(median), [least, .., greatest]) => {
                write!(f, "{} ({}–{})", plain(median), plain(*least), plain(*greatest))
            }
            (Some(median), _) => f.write_str(&plain(median)),
            (None, _) => f.write_str("–"),
        }
    }
}

/// Three digits that count, and thousands set apart.
pub fn plain(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Rounded to three digits, as `1,230,000`.
fn thousands(value: f64) -> String {
    let unit = 10_f64.powf(value.abs().log10().floor() - 2.0);
    let digits = format!("{:.0}", (value / unit).round() * unit);
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds as milliseconds.
pub fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}
