//! What can be followed: the four kinds of subscribers, and what following asks of each.

use std::io;
use std::time::{Duration, Instant};

use crate::error::TryRecvError;
use crate::format::payload::Payload;
use crate::keyed::{Holds, KeyedSubscriber};
use crate::protocol::place::Place;
use crate::protocol::wait::Interrupter;
use crate::records::{Record, RecordSubscriber};
use crate::subscriber::handle::Subscriber;
use crate::subscriber::notify::Notifier;
use crate::subscriber::raw::{Account, RawSubscriber};
use crate::subscriber::received::Received;
use crate::subscriber::receiver::{PublisherWait, Receiver};

/// A subscriber with which a ring can be followed: [`Subscriber`], [`raw::Subscriber`](crate::raw::Subscriber),
/// [`RecordSubscriber`] and [`KeyedSubscriber`].
pub trait Followed: sealed::Sealed + Sized {
    /// What it receives.
    type Message<'a>
    where
        Self: 'a;

    /// What is kept of a message until it is returned.
    #[doc(hidden)]
    type Taken;

    /// Receives the next message, if there is one, or waits for it for `patience`. `bytes` is a buffer, for whoever needs it.
    #[doc(hidden)]
    fn take(&mut self, bytes: &mut Vec<u8>, patience: Option<Duration>) -> Result<Received<Self::Taken>, TryRecvError>;

    /// The message that was just taken.
    #[doc(hidden)]
    fn show<'a>(&'a self, bytes: &'a [u8], taken: Self::Taken) -> Self::Message<'a>;

    #[doc(hidden)]
    fn core(&self) -> &dyn sealed::Core;

    #[doc(hidden)]
    fn core_mut(&mut self) -> &mut dyn sealed::Core;
}

/// What nobody outside this crate can name.
mod sealed {
    use super::*;

    /// Only this crate's subscribers can be followed.
    pub trait Sealed {}

    /// What every subscriber has, whatever it receives.
    pub trait Core {
        fn account(&self) -> Account;

        /// Number of slots.
        fn capacity(&self) -> usize;

        /// The ring's first number.
        fn base(&self) -> u64;

        /// From now on this one interrupts its waits.
        fn set_interrupter(&mut self, interrupter: Interrupter);

        /// Waits for a publisher, or for another event to return. Returns whether it was interrupted.
        fn wait_for_publisher(&mut self, until: Instant) -> bool;

        fn notifier(&self) -> io::Result<Notifier>;

        fn arm(&self, notifier: &Notifier);

        fn arm_for_publisher(&self, notifier: &Notifier);
    }
}

impl<M, P: Place> sealed::Core for Receiver<M, P> {
    fn account(&self) -> Account {
        Account::of(self.cursor())
    }

    fn capacity(&self) -> usize {
        self.cursor().view().capacity() as usize
    }

    fn base(&self) -> u64 {
        self.cursor().view().layout().base
    }

    fn set_interrupter(&mut self, interrupter: Interrupter) {
        Receiver::set_interrupter(self, interrupter);
    }

    fn wait_for_publisher(&mut self, until: Instant) -> bool {
        self.wait_for_publisher_until(Some(until)) == PublisherWait::Interrupted
    }

    fn notifier(&self) -> io::Result<Notifier> {
        Receiver::notifier(self)
    }

    fn arm(&self, notifier: &Notifier) {
        notifier.arm_for_receiver(self);
    }

    fn arm_for_publisher(&self, notifier: &Notifier) {
        notifier.arm_receiver_for_publisher(self);
    }
}

impl<T: Payload> sealed::Sealed for Subscriber<T> {}

impl<T: Payload> Followed for Subscriber<T> {
    type Message<'a> = T;
    type Taken = T;

    #[inline]
    fn take(&mut self, _: &mut Vec<u8>, patience: Option<Duration>) -> Result<Received<T>, TryRecvError> {
        match patience {
            None => self.try_recv_numbered(),
            Some(patience) => self.recv_timeout_numbered(patience),
        }
    }

    #[inline]
    fn show<'a>(&'a self, _: &'a [u8], taken: T) -> T {
        taken
    }

    fn core(&self) -> &dyn sealed::Core {
        &self.receiver
    }

    fn core_mut(&mut self) -> &mut dyn sealed::Core {
        &mut self.receiver
    }
}

impl<K: Payload, V: Holds<T>, T: Payload> sealed::Sealed for KeyedSubscriber<K, V, T> {}

impl<K: Payload, V: Holds<T>, T: Payload> Followed for KeyedSubscriber<K, V, T> {
    type Message<'a>
        = T
    where
        Self: 'a;
    type Taken = T;

    #[inline]
    fn take(&mut self, _: &mut Vec<u8>, patience: Option<Duration>) -> Result<Received<T>, TryRecvError> {
        match patience {
            None => self.try_recv(),
            Some(patience) => self.recv_timeout(patience),
        }
    }

    #[inline]
    fn show<'a>(&'a self, _: &'a [u8], taken: T) -> T {
        taken
    }

    fn core(&self) -> &dyn sealed::Core {
        &self.ring().receiver
    }

    fn core_mut(&mut self) -> &mut dyn sealed::Core {
        &mut self.ring_mut().receiver
    }
}

impl sealed::Sealed for RawSubscriber {}

impl Followed for RawSubscriber {
    type Message<'a> = &'a [u8];
    type Taken = ();

    fn take(&mut self, bytes: &mut Vec<u8>, patience: Option<Duration>) -> Result<Received<()>, TryRecvError> {
        bytes.resize(self.format().size(), 0);
        let received = match patience {
            None => self.try_recv_numbered(bytes),
            Some(patience) => self.recv_timeout_numbered(bytes, patience),
        };
        Ok(received?.map(|_| ()))
    }

    fn show<'a>(&'a self, bytes: &'a [u8], _: ()) -> &'a [u8] {
        bytes
    }

    fn core(&self) -> &dyn sealed::Core {
        &self.receiver
    }

    fn core_mut(&mut self) -> &mut dyn sealed::Core {
        &mut self.receiver
    }
}

impl sealed::Sealed for RecordSubscriber {}

impl Followed for RecordSubscriber {
    type Message<'a> = Record<'a>;
    /// The kind and the length.
    type Taken = (u8, usize);

    #[inline]
    fn take(&mut self, _: &mut Vec<u8>, patience: Option<Duration>) -> Result<Received<(u8, usize)>, TryRecvError> {
        let received = match patience {
            None => self.try_recv_numbered(),
            Some(patience) => self.recv_timeout_numbered(patience),
        }?;
        Ok(received.map(|record| (record.kind, record.bytes.len())))
    }

    #[inline]
    fn show<'a>(&'a self, _: &'a [u8], taken: (u8, usize)) -> Record<'a> {
        self.last(taken)
    }

    fn core(&self) -> &dyn sealed::Core {
        &self.receiver
    }

    fn core_mut(&mut self) -> &mut dyn sealed::Core {
        &mut self.receiver
    }
}
