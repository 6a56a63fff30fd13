//! This project's ring as a contender.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use feed_ring::{Ahead, CreateError, Join, Mapping, Publisher, RecvError, Subscriber, WaitStrategy, Wake};

use crate::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use crate::harness::fork;
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::row::{Kind, Row};

const NAME: &str = "feed";

/// The settings of a ring, its publisher and its subscriber.
#[derive(Clone, Copy, Debug)]
pub struct FeedRing {
    /// Slots.
    pub capacity: usize,
    /// How the subscriber waits.
    pub wait: WaitStrategy,
    /// Whether the subscriber maps the ring read-only or read-write.
    pub mapping: Mapping,
    /// How the publisher finds out that a subscriber sleeps.
    pub wake: Wake,
    /// How many messages ahead the publisher takes over cache lines.
    pub ahead: Ahead,
    /// Whether the subscriber holds back in a stream, so that the publisher keeps a distance.
    pub hold_back: bool,
    /// Whether both sides ask for huge pages.
    pub huge: bool,
    /// Further subscribers, each in a process of its own on the subscriber's core.
    pub extra_subscribers: usize,
}

/// The settings of a row whose name says nothing else.
const DEFAULTS: FeedRing = FeedRing {
    capacity: 65_536,
    wait: WaitStrategy::Spin,
    mapping: Mapping::ReadOnly,
    wake: Wake::Membarrier,
    ahead: Ahead::One,
    hold_back: true,
    huge: false,
    extra_subscribers: 0,
};

impl FeedRing {
    fn name(self, payload: usize) -> String {
        let wait = match self.wait {
            WaitStrategy::Yield => "yield",
            WaitStrategy::Block => "block",
            _ => "spin",
        };
        let extra_subscribers =
            if self.extra_subscribers > 0 { format!(" x{}", self.extra_subscribers + 1) } else { String::new() };
        let fence = if self.wake == Wake::Fence { " fence" } else { "" };
        let mapping = match self.mapping {
            Mapping::ReadWrite => "rw",
            _ => "ro",
        };
        let ahead = if self.ahead == Ahead::Two { " ahead 2" } else { "" };
        let huge = if self.huge { " huge pages" } else { "" };
        let no_hold_back = if self.hold_back { "" } else { " close" };
        format!(
            "feed-ring {wait} {mapping} {payload} {}{ahead}{no_hold_back}{huge}{fence}{extra_subscribers}",
            self.capacity
        )
    }

    fn row<const W: usize>(self) -> Row {
        Row::new::<_, W>(Kind::Ring, self.name(W * 8), Some(self.capacity), self)
    }
}

/// The rows: every payload, capacity and mapping with spinning and yielding subscribers, and the other settings one by
/// one.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for wait in [WaitStrategy::Spin, WaitStrategy::Yield] {
        for capacity in [65_536, 1_024] {
            for mapping in [Mapping::ReadOnly, Mapping::ReadWrite] {
                let ring = FeedRing { capacity, wait, mapping, ..DEFAULTS };
                let is_default = wait == WaitStrategy::Spin && capacity == 65_536;
                rows.push(ring.row::<7>());
                for row in [ring.row::<1>(), ring.row::<15>(), ring.row::<31>(), ring.row::<127>()] {
                    rows.push(if is_default { row } else { row.only_full() });
                }
                rows.push(ring.row::<511>().only_full());
            }
        }
    }
    // Lines taken over two messages ahead. Compare with one ahead, above.
    for mapping in [Mapping::ReadOnly, Mapping::ReadWrite] {
        let ring = FeedRing { mapping, ahead: Ahead::Two, ..DEFAULTS };
        rows.extend([ring.row::<7>(), ring.row::<15>().only_full(), ring.row::<31>().only_full()]);
    }
    // Subscribers that do not hold back. Compare with holding back, above.
    for mapping in [Mapping::ReadOnly, Mapping::ReadWrite] {
        let ring = FeedRing { mapping, hold_back: false, ..DEFAULTS };
        rows.extend([ring.row::<7>(), ring.row::<31>().only_full()]);
    }
    // The lengths of records. Compare with the ring of records.
    rows.extend([DEFAULTS.row::<3>(), DEFAULTS.row::<6>(), FeedRing { capacity: 2_048, ..DEFAULTS }.row::<188>()]);
    // Huge pages. Compare with pages of 4 KiB, above.
    let huge = FeedRing { mapping: Mapping::ReadWrite, huge: true, ..DEFAULTS };
    rows.extend([huge.row::<7>().only_full(), huge.row::<127>().only_full()]);
    // Four subscribers on one core. Compare with one, above.
    for wait in [WaitStrategy::Yield, WaitStrategy::Block] {
        rows.push(FeedRing { wait, extra_subscribers: 3, ..DEFAULTS }.row::<7>());
    }
    // Sleeping subscribers, and the cost of `Wake::Fence` for them and for spinning ones.
    for (wait, wake) in
        [(WaitStrategy::Block, Wake::Membarrier), (WaitStrategy::Block, Wake::Fence), (WaitStrategy::Spin, Wake::Fence)]
    {
        rows.push(FeedRing { wait, wake, ..DEFAULTS }.row::<7>());
    }
    rows
}

impl<const W: usize> Contender<W> for FeedRing {
    type Link = PathBuf;
    type Sender = Publisher<Message<W>>;
    type Receiver = RingReceiver<W>;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        let root = dir.join(direction.name());
        std::fs::create_dir(&root)?;
        Ok(root)
    }

    fn sender(&self, root: &PathBuf) -> anyhow::Result<Self::Sender> {
        let options = Publisher::options(NAME)
            .root(root)
            .capacity(self.capacity)
            .wake(self.wake)
            .ahead(self.ahead)
            .huge_pages(self.huge);
        options.create().map_err(|error| match error {
            CreateError::NoRoom { .. } | CreateError::MemoryLimit { .. } => Unavailable(error.to_string()).into(),
            error => anyhow::Error::from(error),
        })
    }

    fn receiver(&self, root: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let open = || {
            let options = Subscriber::options(NAME)
                .root(root)
                .wait(self.wait)
                .map(self.mapping)
                .join(Join::Oldest)
                .hold_back(self.hold_back)
                .huge_pages(self.huge);
            options.open_timeout(Duration::from_secs(10)).open()
        };
        let is_ping = root.ends_with(Direction::Ping.name());
        let mut extra_subscribers = Vec::new();
        for _ in 0..if is_ping { self.extra_subscribers } else { 0 } {
            extra_subscribers.push(fork::child(|| {
                RingReceiver::<W> { subscriber: open()?, message: [0; W], _extra_subscribers: Vec::new() }
                    .receive_forever()
            })?);
        }
        Ok(RingReceiver { subscriber: open()?, message: [0; W], _extra_subscribers: extra_subscribers })
    }

    fn shares_core(&self) -> bool {
        self.extra_subscribers > 0
    }
}

impl<const W: usize> Sender<W> for Publisher<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.publish(message);
        Ok(())
    }
}

/// A subscriber, with the other subscribers on its core.
#[derive(Debug)]
pub struct RingReceiver<const W: usize> {
    subscriber: Subscriber<Message<W>>,
    message: Message<W>,
    _extra_subscribers: Vec<fork::Child>,
}

impl<const W: usize> RingReceiver<W> {
    /// Receives until the process is killed.
    fn receive_forever(mut self) -> anyhow::Result<()> {
        loop {
            self.receive(|message| {
                black_box(message);
            })?;
        }
    }
}

impl<const W: usize> Receiver<W> for RingReceiver<W> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.subscriber.recv_into(&mut self.message) {
                Ok(()) => return Ok(look(&self.message)),
                Err(RecvError::Lagged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
