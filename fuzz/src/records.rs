//! A valid ring of records to damage, and every operation of a subscriber on it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use feed_ring::records::RecordsFormat;
use feed_ring::{Join, RecordPublisher, RecordSubscriber};
use feed_testing::PrivateRoot;

/// The segment of a ring of records that was lapped and whose publisher is gone.
pub fn valid(root: &Path) -> Vec<u8> {
    let options = RecordPublisher::options("records", RecordsFormat::default()).root(root).capacity(16).keep(true);
    let mut publisher = options.create_records().expect("make a ring");
    for number in 0..40u8 {
        let bytes = vec![number; usize::from(number) * 37 % publisher.longest()];
        publisher.publish(number, &bytes).expect("it is short");
    }
    publisher.leave();
    fs::read(segment(root)).expect("read the segment")
}

fn segment(root: &Path) -> std::path::PathBuf {
    root.join("records.ring").join("segment")
}

/// A ring of records whose segment is rewritten for each input.
pub struct Target {
    root: PrivateRoot,
    file: fs::File,
}

impl Target {
    /// Makes the ring.
    pub fn new() -> Self {
        let root = PrivateRoot::new();
        valid(root.path());
        let file = fs::OpenOptions::new().write(true).open(segment(root.path())).expect("open the segment");
        Target { root, file }
    }

    /// Replaces the segment by the input and runs every operation of a subscriber on it. Each call must return, no copy may be
    /// longer than the longest record, and the counts of records must add up. The first byte of the input chooses where to join.
    pub fn exercise(&self, input: &[u8]) {
        let Some((&how, segment)) = input.split_first() else { return };
        self.file.set_len(segment.len() as u64).expect("resize");
        self.file.write_all_at(segment, 0).expect("write");
        let join = match how & 3 {
            0 => Join::Oldest,
            1 => Join::Latest,
            _ => Join::Sequence(u64::from(how >> 2)),
        };
        let opened = RecordSubscriber::options("records").root(self.root.path()).join(join).open_records();
        let mut subscriber = match opened {
            Ok(subscriber) => subscriber,
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                return;
            }
        };
        let (longest, mut bytes) = (subscriber.longest(), Vec::new());
        for _ in 0..8 {
            let _ = subscriber.try_recv().map(|record| assert!(record.bytes.len() <= longest));
            let _ = subscriber.recv_batch(4, |record| assert!(record.bytes.len() <= longest));
            let _ = subscriber.latest().map(|record| assert!(record.bytes.len() <= longest));
            let _ = subscriber.try_recv_into(&mut bytes);
            assert!(bytes.len() <= longest, "{} bytes were copied", bytes.len());
            let _ = subscriber.recv_timeout(Duration::ZERO).map(|record| assert!(record.bytes.len() <= longest));
            let (account, _) = (subscriber.account(), subscriber.lag());
            let parts = [account.received, account.lost, account.skipped];
            let next = parts.iter().fold(account.first, |sum, part| sum.wrapping_add(*part));
            assert_eq!(next, account.sequence, "{account:?}");
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}
