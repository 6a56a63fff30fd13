//! A sealed ring of these tests: its socket, its publisher and its subscribers.

use std::path::PathBuf;

use feed_ring::{OpenError, Publisher, PublisherOptions, Subscriber, SubscriberOptions};
use feed_testing::PrivateRoot;

pub(crate) fn socket(root: &PrivateRoot) -> PathBuf {
    root.path().join("s")
}

pub(crate) fn publisher(root: &PrivateRoot) -> PublisherOptions<u64> {
    Publisher::options("sealed").capacity(8).serve(socket(root))
}

pub(crate) fn subscriber(root: &PrivateRoot) -> SubscriberOptions<u64> {
    Subscriber::connect(socket(root))
}

pub(crate) fn refused(root: &PrivateRoot) -> OpenError {
    subscriber(root).open().map(|_| ()).expect_err("it should be refused")
}
