//! A survey as OpenMetrics text.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::bridge;
use super::value::{Family, Labels, Value};
use crate::survey::{Snapshot, Subscriber, Survey, TableSnapshot};

/// The times since each ring and table of a survey last had another count, in its order.
#[derive(Debug, Default)]
pub(super) struct Ages {
    pub(super) rings: Vec<Option<Duration>>,
    pub(super) tables: Vec<Option<Duration>>,
}

/// The text of all metrics. `readable` says whether the root could be read.
pub(super) fn render(survey: Survey, readable: bool, ages: Ages) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics { readable, survey, ages }));
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => body,
        // Writing to a String cannot fail. A metric that cannot be encoded is a bug here, and must be seen.
        Err(error) => format!("# ringctl: {error}\n"),
    }
}

/// A survey as metrics.
#[derive(Debug)]
struct Metrics {
    readable: bool,
    survey: Survey,
    ages: Ages,
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Survey { rings, tables, .. } = &self.survey;
        let name = |ring: &Snapshot| vec![("ring", ring.name.clone())];
        let mut family = |name: &str, help: &str, values: Vec<(Labels, Value)>| {
            let kind = match values.first() {
                Some((_, Value::Count(_))) => MetricType::Counter,
                Some(_) => MetricType::Gauge,
                None => return Ok(()),
            };
            let name = format!("feed_{name}");
            let mut encoder = encoder.encode_descriptor(&name, help, None, kind)?;
            let (plain, labelled): (Vec<_>, Vec<_>) = values.into_iter().partition(|(labels, _)| labels.is_empty());
            for (labels, value) in labelled {
                value.encode(encoder.encode_family(&labels)?)?;
            }
            // At most one value has no labels: that of the family itself.
            if let Some((_, value)) = plain.into_iter().next() {
                value.encode(encoder)?;
            }
            Ok::<(), fmt::Error>(())
        };
        family(
            "rings_readable",
            "Whether the directory of the rings could be read",
            vec![(vec![], Value::of(self.readable))],
        )?;
        let readable = rings.iter().map(|ring| &ring.name).chain(tables.iter().map(|table| &table.name));
        let readable = readable.map(|name| (name.clone(), true));
        let unreadable = self.survey.others.iter().map(|other| (other.name.clone(), false));
        family(
            "ring_readable",
            "Whether a ring or table could be looked at: 0 if it is damaged, of another version, or not a ring",
            readable.chain(unreadable).map(|(name, fine)| (vec![("ring", name)], Value::of(fine))).collect(),
        )?;
        let mut of_rings = |metric: &str, help: &str, value: &dyn Fn(&Snapshot) -> Option<Value>| {
            family(metric, help, rings.iter().filter_map(|ring| Some((name(ring), value(ring)?))).collect())
        };
        of_rings("ring_published_messages", "Messages published since the ring's name began at 0", &|ring| {
            Some(Value::Count(ring.published))
        })?;
        of_rings("ring_publish_rate", "Messages a second over the exporter's --sample, or somewhat longer", &|ring| {
            ring.rate.map(Value::Float)
        })?;
        of_rings("ring_publisher_up", "Whether the publisher is alive", &|ring| {
            Some(Value::of(ring.publisher == "alive"))
        })?;
        of_rings("ring_closed", "Whether the publisher closed the ring", &|ring| {
            Some(Value::of(ring.publisher == "closed"))
        })?;
        of_rings(
            "ring_wakes",
            "Times the event word changed: wakes of sleeping subscribers, and one for each start and end of a publisher",
            &|ring| Some(Value::Count(ring.wakes)),
        )?;
        of_rings("ring_epoch", "The publisher's epoch: one more with each takeover", &|ring| {
            Some(Value::Number(ring.epoch))
        })?;
        of_rings("ring_capacity_slots", "Slots; a ring of messages holds one message less", &|ring| {
            Some(Value::Number(ring.capacity))
        })?;
        of_rings(
            "ring_room_messages",
            "How far a subscriber may be behind before it loses messages: the slots, or the records that are held",
            &|ring| Some(Value::Number(ring.holds())),
        )?;
        of_rings("ring_size_bytes", "Bytes of the ring's segment", &|ring| Some(Value::Number(ring.bytes)))?;
        of_rings("ring_subscribers", "Subscribers attached", &|ring| {
            ring.subscribers.as_ref().map(|subscribers| Value::Number(subscribers.len() as u64))
        })?;
        let of_records = || rings.iter().filter(|ring| ring.kind == "records");
        let encoding = |ring: &Snapshot| ring.encoding.clone().unwrap_or_default();
        family(
            "ring_records",
            "1 for a ring of records: messages of any length, in this encoding",
            of_records()
                .map(|ring| ([name(ring), vec![("encoding", encoding(ring))]].concat(), Value::of(true)))
                .collect(),
        )?;
        family(
            "ring_longest_record_bytes",
            "Bytes of the longest record that a ring of records can have",
            of_records().map(|ring| (name(ring), Value::Number(ring.message_bytes as u64))).collect(),
        )?;
        let ages = rings.iter().zip(&self.ages.rings).filter_map(|(ring, age)| Some((name(ring), Value::age((*age)?))));
        family(
            "ring_last_publish_age_seconds",
            "Since the exporter last saw the published count change, or first saw the ring",
            ages.collect(),
        )?;
        self.encode_tables(&mut family)?;
        bridge::encode(&self.survey.tables, &mut family)?;
        let mut of_subscribers = |metric: &str, help: &str, value: &dyn Fn(&Subscriber) -> Value| {
            let subscribers = rings.iter().flat_map(|ring| {
                ring.subscribers.iter().flatten().map(|subscriber| {
                    let (entry, pid) = (subscriber.entry.to_string(), subscriber.pid.to_string());
                    (vec![("ring", ring.name.clone()), ("entry", entry), ("pid", pid)], value(subscriber))
                })
            });
            family(metric, help, subscribers.collect())
        };
        of_subscribers(
            "ring_subscriber_lag_messages",
            "Messages published before the look and not read yet, up to 1,023 too many",
            &|subscriber| Value::Number(subscriber.lag),
        )?;
        of_subscribers("ring_subscriber_lost_messages", "Messages overwritten before they were read", &|subscriber| {
            Value::Count(subscriber.lost)
        })
    }
}

impl Metrics {
    /// The metrics of tables and cells.
    fn encode_tables(&self, family: &mut Family<'_>) -> fmt::Result {
        let tables = &self.survey.tables;
        let labels = |table: &TableSnapshot| vec![("table", table.name.clone())];
        let mut of_tables = |metric: &str, help: &str, value: &dyn Fn(&TableSnapshot) -> Option<Value>| {
            family(metric, help, tables.iter().filter_map(|table| Some((labels(table), value(table)?))).collect())
        };
        of_tables("table_stores", "Stores since the table began; of a ring's table, the ring's messages", &|table| {
            Some(Value::Count(table.stores))
        })?;
        of_tables("table_store_rate", "Stores a second over the exporter's --sample, or somewhat longer", &|table| {
            table.rate.map(Value::Float)
        })?;
        of_tables("table_writer_up", "Whether the writer is alive", &|table| Some(Value::of(table.writer == "alive")))?;
        of_tables("table_closed", "Whether the writer closed the table", &|table| {
            Some(Value::of(table.writer == "closed"))
        })?;
        of_tables("table_epoch", "The writer's epoch: one more with each takeover", &|table| {
            Some(Value::Number(table.epoch))
        })?;
        of_tables("table_rows", "Rows that have a key; 1 for a cell", &|table| Some(Value::Number(table.rows)))?;
        of_tables("table_capacity_rows", "The most rows", &|table| Some(Value::Number(table.capacity)))?;
        of_tables("table_size_bytes", "Bytes of the table's segment", &|table| Some(Value::Number(table.bytes)))?;
        of_tables("table_readers", "Readers attached", &|table| {
            table.readers.as_ref().map(|readers| Value::Number(readers.len() as u64))
        })?;
        let ages = tables.iter().zip(&self.ages.tables);
        family(
            "table_last_store_age_seconds",
            "Since the exporter last saw the count of stores change, or first saw the table",
            ages.filter_map(|(table, age)| Some((labels(table), Value::age((*age)?)))).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_cannot_be_read_is_a_metric() {
        let body = render(Survey::default(), false, Ages::default());
        assert!(body.contains("feed_rings_readable 0\n"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
