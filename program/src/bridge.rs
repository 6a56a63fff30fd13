//! What the two ends of a bridge (`feed-bridge`) tell of themselves, each in a cell beside its ring.
//!
//! The cell outlives its writer: what it told last can be read after a death.

use feed_ring::Payload;

/// The name of the cell in which a ring's sender tells how it does.
pub fn sending_name(ring: &str) -> String {
    format!("{ring}.sending")
}

/// The name of the cell in which a far ring's receiver tells how it does.
pub fn receiving_name(ring: &str) -> String {
    format!("{ring}.receiving")
}

/// How the near end does. All counters are since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Payload)]
#[repr(C)]
pub struct SendStatus {
    /// The number of the next message to be sent.
    pub next: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Messages sent. Those that were sent again are counted apart.
    pub sent_messages: u64,
    /// Frames sent, those without a message included.
    pub sent_frames: u64,
    /// Bytes of these frames.
    pub sent_bytes: u64,
    /// Messages that were overwritten in the near ring before they were sent.
    pub lost_messages: u64,
    /// How often somebody asked for messages again.
    pub refill_requests: u64,
    /// Messages that were sent again.
    pub refilled_messages: u64,
    /// 1 if anybody receives, else 0.
    pub receivers: u64,
    /// Frames that the messaging system refused.
    pub failures: u64,
    /// When this was stored, in ns since 1970.
    pub updated: u64,
}

/// How the far end does. All counters are since its start, or since the far ring began anew.
///
/// `first + published_messages + lost_near + lost_wire + lost_far = next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Payload)]
#[repr(C)]
pub struct ReceiveStatus {
    /// The number at which it began.
    pub first: u64,
    /// The number of the next message.
    pub next: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Messages published into the far ring.
    pub published_messages: u64,
    /// Messages that the sender lost, or that nobody sent.
    pub lost_near: u64,
    /// Messages that were sent, did not come, and could not be had again.
    pub lost_wire: u64,
    /// Messages that were sent before this end was there, and could not be had any more.
    pub lost_far: u64,
    /// How many of the published ones were asked for.
    pub refilled_messages: u64,
    /// Frames received.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// Messages that came once more, and were published once.
    pub repeated_messages: u64,
    /// Frames that were not understood.
    pub refused_frames: u64,
    /// Frames of a sender whose place another had taken.
    pub stale_frames: u64,
    /// Frames that found no room while messages were asked for; they are asked for, too.
    pub dropped_frames: u64,
    /// Senders that were followed so far.
    pub senders: u64,
    /// How often the far ring was begun anew.
    pub fresh_rings: u64,
    /// How often messages were asked for.
    pub refills: u64,
    /// 1 while a sender is heard.
    pub connected: u64,
    /// When the last frame came, in ns since 1970.
    pub last_frame: u64,
    /// When this was stored, in ns since 1970.
    pub updated: u64,
}
