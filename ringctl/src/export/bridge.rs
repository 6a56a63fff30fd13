//! The metrics of bridges: what their ends tell in cells beside the rings.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::value::{Family, Labels, Value};
use crate::survey::{Bridge, End, TableSnapshot};

/// The counters that one or both ends tell: the metric, what it means, and the field of each end.
const COUNTERS: [(&str, &str, Option<&str>, Option<&str>); 12] = [
    ("messages", "Messages sent, or published into the far ring", Some("sent_messages"), Some("published_messages")),
    ("frames", "Frames sent or received", Some("sent_frames"), Some("frames")),
    ("frame_bytes", "Bytes of the frames, without compression", Some("sent_bytes"), Some("bytes")),
    ("refills", "Requests for messages that did not arrive", Some("refill_requests"), Some("refills")),
    (
        "refilled_messages",
        "Messages sent again on request, or received so",
        Some("refilled_messages"),
        Some("refilled_messages"),
    ),
    ("failures", "Frames that the messaging system refused", Some("failures"), None),
    ("repeated_messages", "Messages that arrived again, and were published once", None, Some("repeated_messages")),
    ("refused_frames", "Frames that were not understood", None, Some("refused_frames")),
    ("stale_frames", "Frames of a sender that another one took the place of", None, Some("stale_frames")),
    ("dropped_frames", "Frames that found no room, and were asked for again", None, Some("dropped_frames")),
    ("senders", "Senders that were followed", None, Some("senders")),
    ("fresh_rings", "Times that the far ring was begun anew", None, Some("fresh_rings")),
];

/// The places where messages are lost: the label, and the field of each end.
const LOSSES: [(&str, Option<&str>, Option<&str>); 3] = [
    ("near", Some("lost_messages"), Some("lost_near")),
    ("wire", None, Some("lost_wire")),
    ("far", None, Some("lost_far")),
];

/// The metrics of the bridges among these tables and cells.
pub(super) fn encode(tables: &[TableSnapshot], family: &mut Family<'_>) -> fmt::Result {
    let bridges = || tables.iter().filter_map(|table| Some((table, table.bridge.as_ref()?)));
    let mut of_bridges =
        |metric: &str, help: &str, value: &dyn Fn(&TableSnapshot, &Bridge) -> Option<Value>| -> fmt::Result {
            let values = bridges().filter_map(|(cell, bridge)| Some((labels(bridge), value(cell, bridge)?)));
            family(&format!("bridge_{metric}"), help, values.collect())
        };
    of_bridges("up", "Whether the end of a bridge is alive", &|cell, _| Some(Value::of(is_alive(cell))))?;
    of_bridges("status_age_seconds", "Since the end last told how it does", &|_, bridge| age(bridge, "updated"))?;
    of_bridges("next_sequence", "Sequence number of the next message to send, or to publish", &|_, bridge| {
        bridge.field("next").map(Value::Number)
    })?;
    of_bridges("epoch", "The epoch of the messages", &|_, bridge| bridge.field("epoch").map(Value::Number))?;
    of_bridges("receivers", "1 while anybody receives what is sent", &|cell, bridge| {
        bridge.field("receivers").map(|receivers| Value::Number(if is_alive(cell) { receivers } else { 0 }))
    })?;
    of_bridges("connected", "1 while a sender is heard", &|cell, bridge| {
        bridge.field("connected").map(|connected| Value::Number(if is_alive(cell) { connected } else { 0 }))
    })?;
    of_bridges("last_frame_age_seconds", "Since the last frame arrived", &|_, bridge| age(bridge, "last_frame"))?;
    for (metric, help, sent, received) in COUNTERS {
        of_bridges(metric, help, &|_, bridge| count(bridge, sent, received))?;
    }
    let losses = bridges().flat_map(|(_, bridge)| {
        LOSSES.iter().filter_map(move |&(at, sent, received)| {
            let lost = count(bridge, sent, received)?;
            Some(([labels(bridge), vec![("at", at.to_owned())]].concat(), lost))
        })
    });
    family(
        "bridge_lost_messages",
        "Messages lost: overwritten in the near ring, not arrived, or while nobody received",
        losses.collect(),
    )
}

fn labels(bridge: &Bridge) -> Labels {
    vec![("ring", bridge.ring.clone()), ("end", bridge.end.name().to_owned())]
}

fn is_alive(cell: &TableSnapshot) -> bool {
    cell.writer == "alive"
}

/// The counter that its end tells in one of these fields.
fn count(bridge: &Bridge, sent: Option<&str>, received: Option<&str>) -> Option<Value> {
    let field = match bridge.end {
        End::Send => sent,
        End::Receive => received,
    };
    bridge.field(field?).map(Value::Count)
}

/// The time since the moment that a field tells. `None` if there was none. A clock that was set back gives 0.
fn age(bridge: &Bridge, field: &str) -> Option<Value> {
    let then = Duration::from_nanos(bridge.field(field).filter(|&then| then > 0)?);
    Some(Value::age(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.saturating_sub(then)))
}
