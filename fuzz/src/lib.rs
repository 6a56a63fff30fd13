//! Common parts of the fuzz targets: a valid ring to damage, and every operation of a subscriber on it.

pub mod records;
pub mod rows;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use feed_ring::{Join, Publisher, Subscriber};
use feed_testing::PrivateRoot;

/// The message type of the fuzzed ring.
pub type Payload = [u64; 3];

/// The segment and the control file of a ring that was lapped and whose publisher is gone.
pub fn valid(root: &Path) -> (Vec<u8>, Vec<u8>) {
    let options = Publisher::<Payload>::options("fuzz").root(root).capacity(8).keep(true);
    let mut publisher = options.create().expect("make a ring");
    for number in 0..20 {
        publisher.publish(&[number; 3]);
    }
    let ring = publisher.path().expect("a ring on disk").to_owned();
    drop(publisher);
    let read = |name: &str| fs::read(ring.join(name)).expect("read the ring");
    (read("segment"), read("control"))
}

/// A ring whose files are rewritten for each input.
pub struct Target {
    root: PrivateRoot,
    segment: fs::File,
    control: fs::File,
    /// The words of a valid control file that have a meaning.
    head: Vec<u8>,
}

impl Target {
    /// Makes the ring.
    pub fn new() -> Self {
        let root = PrivateRoot::new();
        let (_, control) = valid(root.path());
        let open = |name: &str| {
            let path = root.path().join("fuzz.ring").join(name);
            fs::OpenOptions::new().read(true).write(true).open(path).expect("open the ring")
        };
        let (segment, control_file) = (open("segment"), open("control"));
        Target { segment, control: control_file, head: control[..512].to_vec(), root }
    }

    /// Replaces the segment by the input and runs every operation of a subscriber on it. Each call must return, and the
    /// counts of received and lost messages must add up. The first byte of the input chooses where to join. It also
    /// chooses whether to repair the pairing of the two files; else most inputs would only be refused.
    pub fn exercise(&self, input: &[u8]) {
        let Some((&how, segment)) = input.split_first() else { return };
        self.segment.set_len(segment.len() as u64).expect("resize");
        self.segment.write_all_at(segment, 0).expect("write");
        let mut head = self.head.clone();
        if how & 4 != 0
            && let Some(nonce) = segment.get(55 * 8..56 * 8)
        {
            // The nonce pairs the two files: word 55 of the segment, word 2 of the control file.
            head[16..24].copy_from_slice(nonce);
        }
        self.control.write_all_at(&head, 0).expect("write");
        let join = match how & 3 {
            0 => Join::Oldest,
            1 => Join::Latest,
            _ => Join::Sequence(u64::from(how >> 3)),
        };
        let opened = Subscriber::<Payload>::options("fuzz").root(self.root.path()).join(join).open();
        let mut subscriber = match opened {
            Ok(subscriber) => subscriber,
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                return;
            }
        };
        let mut batch = [[0; 3]; 4];
        for _ in 0..8 {
            let _ = subscriber.try_recv();
            let _ = subscriber.recv_batch(&mut batch);
            let _ = subscriber.latest();
            let _ = subscriber.recv_timeout(Duration::ZERO);
            let _ = (subscriber.lag(), subscriber.epoch());
            let parts = [subscriber.received(), subscriber.lost(), subscriber.skipped()];
            let next = parts.iter().fold(subscriber.first(), |sum, part| sum.wrapping_add(*part));
            assert_eq!(next, subscriber.sequence(), "{subscriber:?}");
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}
