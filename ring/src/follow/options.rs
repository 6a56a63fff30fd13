//! How following begins: from the options that would open the ring.

use std::sync::Arc;

use super::follow::Follow;
use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::format::records::RecordsFormat;
use crate::keyed::{Holds, Keyed, KeyedSubscriber};
use crate::records::{AnyRecords, RecordSubscriber};
use crate::subscriber::handle::Subscriber;
use crate::subscriber::options::SubscriberOptions;
use crate::subscriber::raw::RawSubscriber;

impl<T: Payload> SubscriberOptions<T> {
    /// Follows the ring of this name with these options, whatever happens to it: see [`follow`](crate::follow). Opens nothing
    /// yet.
    pub fn follow(self) -> Follow<Subscriber<T>> {
        Follow::new(self, SubscriberOptions::open)
    }
}

impl SubscriberOptions<MessageFormat> {
    /// As [`follow`](SubscriberOptions::follow), for messages of any format. The first ring's is expected of later ones.
    pub fn follow_raw(self) -> Follow<RawSubscriber> {
        let mut format = None;
        Follow::new(self, move |options| {
            let subscriber = options.of::<MessageFormat>(format.clone()).open_raw()?;
            format = Some(subscriber.format().clone());
            Ok(subscriber)
        })
    }
}

impl SubscriberOptions<AnyRecords> {
    /// As [`follow`](SubscriberOptions::follow), for records of any format. The first ring's is expected of later ones.
    pub fn follow_records(self) -> Follow<RecordSubscriber> {
        let mut format: Option<RecordsFormat> = None;
        Follow::new(self, move |options| {
            let subscriber = match &format {
                Some(format) => options.open_records_of(format),
                None => options.open_records(),
            }?;
            format = Some(subscriber.format().cloned().unwrap_or_default());
            Ok(subscriber)
        })
    }

    /// As [`follow`](SubscriberOptions::follow), for records of this format.
    pub fn follow_records_of(self, format: RecordsFormat) -> Follow<RecordSubscriber> {
        Follow::new(self, move |options| options.open_records_of(&format))
    }
}

impl<K: Payload, V: Holds<T>, T: Payload> SubscriberOptions<Keyed<K, V, T>> {
    /// As [`follow`](SubscriberOptions::follow), for a ring and its table: see
    /// [`open_keyed`](SubscriberOptions::open_keyed). Take a snapshot, through [`Follow::ring_mut`], after each event.
    pub fn follow_keyed(
        self,
        key: impl Fn(&T) -> Option<K> + Send + Sync + 'static,
    ) -> Follow<KeyedSubscriber<K, V, T>> {
        let key = Arc::new(key);
        Follow::new(self, move |options| {
            let key = Arc::clone(&key);
            options.open_keyed(move |message| key(message))
        })
    }
}
