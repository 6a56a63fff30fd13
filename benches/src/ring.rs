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

/// A ring of so many slots, and how its subscriber waits.
#[derive(Clone, Copy, Debug)]
pub struct FeedRing {
    /// Slots.
    pub capacity: usize,
    /// How the subscriber waits.
    pub wait: WaitStrategy,
    /// Through which kind of pages it reads.
    pub mapping: Mapping,
    /// How the publisher finds out that a subscriber sleeps.
    pub wake: Wake,
    /// How many messages ahead the publisher takes lines over.
    pub ahead: Ahead,
    /// Whether the subscriber lets the publisher get ahead in a stream.
    pub hold_back: bool,
    /// Whether both sides ask for huge pages.
    pub huge: bool,
    /// Subscribers besides the one that answers, in processes of their own on its core.
    pub others: usize,
}

/// What the rows have in common that say nothing else: read-only pages, and nobody beside.
const DEFAULTS: FeedRing = FeedRing {
    capacity: 65_536,
    wait: WaitStrategy::Spin,
    mapping: Mapping::ReadOnly,
    wake: Wake::Membarrier,
    ahead: Ahead::One,
    hold_back: true,
    huge: false,
    others: 0,
};

impl FeedRing {
    fn name(self, payload: usize) -> String {
        let wait = match self.wait {
            WaitStrategy::Yield => "yield",
            WaitStrategy::Block => "block",
            _ => "spin",
        };
        let others = if self.others > 0 { format!(" x{}", self.others + 1) } else { String::new() };
        let fence = if self.wake == Wake::Fence { " fence" } else { "" };
        let mapping = match self.mapping {
            Mapping::ReadWrite => "rw",
            _ => "ro",
        };
        let ahead = if self.ahead == Ahead::Two { " ahead 2" } else { "" };
        let huge = if self.huge { " huge pages" } else { "" };
        let close = if self.hold_back { "" } else { " close" };
        format!("feed-ring {wait} {mapping} {payload} {}{ahead}{close}{huge}{fence}{others}", self.capacity)
    }

    fn row<const W: usize>(self) -> Row {
        Row::new::<_, W>(Kind::Ring, self.name(W * 8), Some(self.capacity), self)
    }
}

/// Its rows: every payload, capacity and mapping, spinning and yielding; sleeping and its kinds for one of them.
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
    // Lines owned two messages ahead, to be held against one ahead, above.
    for mapping in [Mapping::ReadOnly, Mapping::ReadWrite] {
        let ring = FeedRing { mapping, ahead: Ahead::Two, ..DEFAULTS };
        rows.extend([ring.row::<7>(), ring.row::<15>().only_full(), ring.row::<31>().only_full()]);
    }
    // Close on the publisher's heels, to be held against holding back, above.
    for mapping in [Mapping::ReadOnly, Mapping::ReadWrite] {
        let ring = FeedRing { mapping, hold_back: false, ..DEFAULTS };
        rows.extend([ring.row::<7>(), ring.row::<31>().only_full()]);
    }
    // Huge pages, to be held against 4 KiB.
    let huge = FeedRing { mapping: Mapping::ReadWrite, huge: true, ..DEFAULTS };
    rows.extend([huge.row::<7>().only_full(), huge.row::<127>().only_full()]);
    // Four subscribers on one core, to be held against the same with one.
    for wait in [WaitStrategy::Yield, WaitStrategy::Block] {
        rows.push(FeedRing { wait, others: 3, ..DEFAULTS }.row::<7>());
    }
    // Sleeping, and what the other way of noticing sleepers costs them and those who never sleep.
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
        let options = Publisher::options(NAME).root(root).capacity(self.capacity).wake(self.wake).huge_pages(self.huge);
        let created = options.create().map_err(|error| match error {
            CreateError::NoRoom { .. } | CreateError::MemoryLimit { .. } => Unavailable(error.to_string()).into(),
            error => anyhow::Error::from(error),
        });
        let mut publisher = created?;
        publisher.set_ahead(self.ahead);
        Ok(publisher)
    }

    fn receiver(&self, root: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let open = || {
            let options = Subscriber::options(NAME)
                .root(root)
                .wait(self.wait)
                .map(self.mapping)
                .join(Join::Oldest)
                .huge_pages(self.huge);
            let mut subscriber = options.open_timeout(Duration::from_secs(10)).open()?;
            subscriber.set_hold_back(self.hold_back);
            anyhow::Ok(subscriber)
        };
        let is_ping = root.ends_with(Direction::Ping.name());
        let mut others = Vec::new();
        for _ in 0..if is_ping { self.others } else { 0 } {
            others.push(fork::child(|| {
                RingReceiver::<W> { subscriber: open()?, message: [0; W], _others: Vec::new() }.listen()
            })?);
        }
        Ok(RingReceiver { subscriber: open()?, message: [0; W], _others: others })
    }

    fn shares_core(&self) -> bool {
        self.others > 0
    }
}

impl<const W: usize> Sender<W> for Publisher<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.publish(message);
        Ok(())
    }
}

/// A subscriber, and those that listen beside it.
#[derive(Debug)]
pub struct RingReceiver<const W: usize> {
    subscriber: Subscriber<Message<W>>,
    message: Message<W>,
    _others: Vec<fork::Child>,
}

impl<const W: usize> RingReceiver<W> {
    /// Receives until it is ended.
    fn listen(mut self) -> anyhow::Result<()> {
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
