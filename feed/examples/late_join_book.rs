//! An order book for whoever comes late: `cargo run --release -p feed --example late_join_book -- FILE`.
//!
//! A book of orders is too large for a message and too long in the making to be rebuilt. So one thread, in practice a
//! process of its own, follows the ring, keeps the book, and stores it into a cell now and then with the sequence number
//! that it is as of. Whoever comes late takes the newest book from the cell and reads the ring from that number on. A keeper
//! that is started again does the same. Here several come late while a file is replayed, and each ends with the book of one
//! that was there from the start.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed::message::{Kind, Message};
use feed::source::Source;
use feed::source::input::open;
use feed_ring::table::WaitError;
use feed_ring::{CellReader, CellWriter, Join, Payload, Publisher, RecvError, Subscriber};

/// The most orders of a book. A cell has room for this many, used or not.
pub const MOST: usize = 32_768;

/// An order as it rests in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Payload)]
#[repr(C)]
pub struct Order {
    /// The venue's id.
    pub id: u64,
    /// In units of 1e-9.
    pub price: i64,
    /// In units of 1e-9.
    pub size: u64,
    /// The letter of a `Side`.
    pub side: u64,
}

/// A book in a cell: some 1 MiB.
#[derive(Clone, Copy, Payload)]
#[repr(C)]
pub struct Snapshot {
    /// The sequence number of the first message that is not in it.
    pub as_of: u64,
    /// The number of orders.
    pub count: u64,
    /// The orders, by id.
    pub orders: [Order; MOST],
}

/// A book of resting orders, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    orders: BTreeMap<u64, Order>,
    digest: u64,
}

impl Book {
    /// Brings the book from before a message to after it.
    pub fn apply(&mut self, message: &Message) {
        let Message { order_id: id, price, size, side, .. } = *message;
        match message.kind() {
            Kind::Add | Kind::Modify => self.put(id, Some(Order { id, price, size, side: u64::from(side) })),
            Kind::Cancel => {
                let left = self.orders.get(&id).map(|order| Order { size: order.size.saturating_sub(size), ..*order });
                self.put(id, left.filter(|order| order.size > 0));
            }
            Kind::Clear => *self = Book::default(),
            // A fill is followed by the cancel of what was filled.
            Kind::Trade | Kind::Fill | Kind::Quote | Kind::Level | Kind::Other => {}
        }
    }

    fn put(&mut self, id: u64, order: Option<Order>) {
        let before = match order {
            Some(order) => self.orders.insert(id, order),
            None => self.orders.remove(&id),
        };
        for order in [before, order].into_iter().flatten() {
            self.digest ^= mixed(&order);
        }
    }

    /// A number that changes with every order. It does not depend on the way in which the book came about.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Writes the book into a snapshot.
    ///
    /// # Errors
    /// If it has more than [`MOST`] orders.
    pub fn save(&self, as_of: u64, snapshot: &mut Snapshot) -> Result<(), String> {
        if self.orders.len() > MOST {
            return Err(format!("{} orders, at most {MOST} expected: enlarge MOST", self.orders.len()));
        }
        (snapshot.as_of, snapshot.count) = (as_of, self.orders.len() as u64);
        for (place, order) in snapshot.orders.iter_mut().zip(self.orders.values()) {
            *place = *order;
        }
        Ok(())
    }

    /// The book of a snapshot.
    pub fn load(snapshot: &Snapshot) -> Self {
        let mut book = Book::default();
        for order in snapshot.orders.iter().take(snapshot.count as usize) {
            book.put(order.id, Some(*order));
        }
        book
    }

    /// The number of orders.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }
}

fn mixed(order: &Order) -> u64 {
    let words = [order.id, order.price.cast_unsigned(), order.size, order.side];
    words
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(17))
}

/// How long a publisher, or the first book, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives the next message. `None` at the ring's end. If the publisher died, this waits for the one that takes the ring over.
///
/// That one must go on with the message after the last that was published, as one can that replays a file. Then a restart
/// changes nothing. One that cannot must publish a `Kind::Clear` first.
fn next(ring: &mut Subscriber<Message>) -> Result<Option<Message>, RecvError> {
    loop {
        match ring.recv() {
            Ok(message) => return Ok(Some(message)),
            Err(RecvError::Closed) => return Ok(None),
            Err(RecvError::Restarted { .. } | RecvError::RestartsUnknown { .. }) => {}
            Err(RecvError::PublisherDead) if ring.wait_for_publisher(PATIENCE) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Follows the ring to its end, and stores the book into the cell after every `every` messages. Goes on with the book that a
/// keeper before this one stored last, or begins with the ring's oldest message.
///
/// # Errors
/// If messages are lost: the book would be wrong from there on. The ring must be large enough for what is published between
/// two stores, and while a keeper is started again.
pub fn keep(root: &Path, every: u64) -> Result<Book, Box<dyn Error + Send + Sync>> {
    let mut cell = CellWriter::<Snapshot>::options("orders.book").root(root).keep(true).create_cell()?;
    let mut snapshot = Snapshot::zeroed_box();
    let stored = CellReader::<Snapshot>::options("orders.book").root(root).open_cell()?.get_into(&mut snapshot)?;
    let (mut book, from) = match stored {
        Some(_) => (Book::load(&snapshot), Join::Sequence(snapshot.as_of)),
        None => (Book::default(), Join::Oldest),
    };
    let mut ring = Subscriber::<Message>::options("orders").root(root).join(from).open_timeout(PATIENCE).open()?;
    while let Some(message) = next(&mut ring)? {
        book.apply(&message);
        if ring.sequence().is_multiple_of(every) {
            book.save(ring.sequence(), &mut snapshot)?;
            cell.store(&snapshot);
        }
    }
    Ok(book)
}

/// Comes late: takes the newest book from the cell, waiting for the first, and goes on with the ring to its end. Calls
/// `at` after the snapshot and after each message, with the sequence number that the book is as of.
///
/// # Errors
/// If the ring or the cell cannot be read.
pub fn join(root: &Path, mut at: impl FnMut(u64, &Book)) -> Result<Book, Box<dyn Error + Send + Sync>> {
    let cell = CellReader::<Snapshot>::options("orders.book").root(root).open_timeout(PATIENCE);
    let mut cell = cell.open_cell()?;
    let mut snapshot = Snapshot::zeroed_box();
    let mut stores = 0;
    'from_the_cell: loop {
        wait_for_store(&mut cell, stores)?;
        let Some(number) = cell.get_into(&mut snapshot)? else { continue };
        stores = number + 1;
        let mut book = Book::load(&snapshot);
        let mut ring =
            Subscriber::<Message>::options("orders").root(root).join(Join::Sequence(snapshot.as_of)).open()?;
        at(snapshot.as_of, &book);
        loop {
            match next(&mut ring) {
                Ok(Some(message)) => book.apply(&message),
                Ok(None) => return Ok(book),
                // The ring has overwritten what came after this snapshot. A newer one is in the cell, or will be.
                Err(RecvError::Lagged { .. }) => continue 'from_the_cell,
                Err(error) => return Err(error.into()),
            }
            at(ring.sequence(), &book);
        }
    }
}

/// Waits until there were more stores than these. A keeper that died is waited for as well.
fn wait_for_store(cell: &mut CellReader<Snapshot>, stores: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let begin = Instant::now();
    while cell.stores() <= stores {
        match cell.wait(stores, PATIENCE.saturating_sub(begin.elapsed())) {
            Ok(true) => {}
            Err(WaitError::WriterDead) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            Ok(false) => return Err("no book was stored: is its keeper running?".into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(file) = std::env::args_os().nth(1) else {
        return Err("one argument expected: a file of orders, such as DBN MBO or ITCH 5.0".into());
    };
    let root = std::env::temp_dir().join(format!("late-join-book-{}", std::process::id()));
    std::fs::create_dir(&root)?;
    let result = run(Path::new(&file), &root);
    std::fs::remove_dir_all(&root)?;
    result
}

fn run(file: &Path, root: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut input = open(file, None, Arc::default())?;
    let mut publisher = Publisher::<Message>::options("orders").root(root).capacity(1 << 17).keep(true).create()?;
    let kept = std::thread::scope(|threads| {
        let keeper = threads.spawn(|| keep(root, 1000));
        let mut late = Vec::new();
        while let Some(message) = input.next_message()? {
            let number = publisher.publish(&message);
            if number % 10_000 == 5_000 {
                late.push(threads.spawn(|| {
                    let mut from = None;
                    join(root, |as_of, _| _ = from.get_or_insert(as_of)).map(|book| (from, book))
                }));
                std::thread::sleep(Duration::from_millis(20)); // a day has more time between two messages
            }
        }
        publisher.close()?;
        let kept = keeper.join().expect("it does not panic")?;
        for late in late {
            let (from, book) = late.join().expect("it does not panic")?;
            println!(
                "joined at {}: {} orders, {}",
                from.unwrap_or(0),
                book.len(),
                if book == kept { "equal" } else { "DIFFERENT" }
            );
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(kept)
    })?;
    println!("from the start: {} orders", kept.len());
    Ok(())
}
