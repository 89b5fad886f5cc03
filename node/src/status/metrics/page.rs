use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use crate::figures::Spread;

pub(super) const SECONDS: Option<&str> = Some("seconds");
pub(super) const BYTES: Option<&str> = Some("bytes");

/// The labels of one series.
pub(super) type Labels<'a> = Vec<(&'a str, &'a str)>;

/// The page as it grows, one family of metrics after the other. Units become the end of a name.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    pub(super) fn gauge(&mut self, name: &str, unit: Option<&str>, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, unit, help, [(vec![], value)])
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, None, help, [(vec![], value as f64)])
    }

    /// One of several states: 1 for the one that it is.
    pub(super) fn state(&mut self, name: &str, help: &str, states: &[(&str, bool)]) -> fmt::Result {
        let rows = states
            .iter()
            .map(|(state, is)| (vec![("state", *state)], f64::from(u8::from(*is))));
        self.gauges(name, None, help, rows)
    }

    pub(super) fn gauges<'l>(
        &mut self,
        name: &str,
        unit: Option<&str>,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.family(name, unit, help, MetricType::Gauge, rows, |series, value| {
            series.encode_gauge(value)
        })
    }

    pub(super) fn counters<'l>(
        &mut self,
        name: &str,
        unit: Option<&str>,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.family(name, unit, help, MetricType::Counter, rows, |series, value| {
            series.encode_counter::<NoLabelSet, f64, f64>(value, None)
        })
    }

    pub(super) fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l>, &'l Spread)>,
    ) -> fmt::Result {
        self.family(
            name,
            SECONDS,
            help,
            MetricType::Histogram,
            rows,
            |series, spread| {
                series.encode_histogram::<NoLabelSet>(spread.seconds, spread.count(), &spread.buckets, None)
            },
        )
    }

    fn family<'l, V>(
        &mut self,
        name: &str,
        unit: Option<&str>,
        help: &str,
        kind: MetricType,
        rows: impl IntoIterator<Item = (Labels<'l>, V)>,
        write: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let unit = unit.map(|unit| Unit::Other(unit.to_owned()));
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                write(&mut family, &value)?;
            } else {
                write(&mut family.encode_family(&labels)?, &value)?;
            }
        }
        Ok(())
    }
}
