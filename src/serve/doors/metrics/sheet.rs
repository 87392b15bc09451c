//! Writes families of figures, each with its name and help before its samples.
//!
//! Names end with their base unit; the format adds `_total` to counters by itself.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, MetricEncoder,
    NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::histogram::Distribution;

/// What a scrape is written on.
pub(super) struct Sheet<'a>(pub DescriptorEncoder<'a>);

/// A sample's labels and its value.
type Row<'a, V, const N: usize> = ([(&'static str, &'a str); N], V);

impl Sheet<'_> {
    /// What only grows.
    pub fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        let family = self.family(name, help, MetricType::Counter)?;
        ConstCounter::new(value).encode(family)
    }

    /// What only grows, by label.
    pub fn counters<'a, V: EncodeCounterValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<'a, V, N>>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Counter)?;
        rows.into_iter().try_for_each(|(labels, value)| {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)
        })
    }

    /// What is so much at this moment.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        let family = self.family(name, help, MetricType::Gauge)?;
        ConstGauge::new(value).encode(family)
    }

    /// What is so much at this moment, by label.
    pub fn gauges<'a, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<'a, V, N>>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        rows.into_iter().try_for_each(|(labels, value)| {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)
        })
    }

    /// How often which values occurred; `unit` is how many of what was counted make one of the base
    /// unit.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        seen: &Distribution,
        unit: f64,
    ) -> fmt::Result {
        let bounds = seen.bounds.iter().map(|&bound| bound as f64 / unit).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(seen.counts.iter().copied()).collect();
        // Counted here, so that it is what the buckets come to even while they grow.
        let count = seen.counts.iter().sum();
        let mut family = self.family(name, help, MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(seen.sum as f64 / unit, count, &buckets, None)
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        // As the library ends the help of what is registered with it.
        self.0.encode_descriptor(name, &format!("{help}."), None, kind)
    }
}
