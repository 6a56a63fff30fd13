//! A messaging system within the test, whose links can be cut and lose frames, and bridges over it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use feed_bridge::engine::{Answer, Engine, Held, Inlet, Outlet};
use feed_bridge::far::FarOptions;
use feed_bridge::receiver::{ReceiveOptions, Receiver};
use feed_bridge::sender::{SendOptions, Sender};
use feed_program::bridge::{ReceiveStatus, SendStatus};
use feed_ring::WaitStrategy;
use feed_testing::PrivateRoot;

type Listeners<T> = Arc<Mutex<HashMap<String, Vec<(u64, Arc<T>)>>>>;

/// The system. It delivers within the call.
#[derive(Clone, Default)]
pub(crate) struct Network {
    inlets: Listeners<Inlet>,
    answers: Listeners<Answer>,
    pub(crate) link: Arc<Link>,
}

/// What is between the two machines.
#[derive(Default)]
pub(crate) struct Link {
    pub(crate) cut: AtomicBool,
    /// Of so many frames one is lost. 0: none.
    pub(crate) loses: AtomicU64,
    /// Of so many frames one comes twice. 0: none.
    pub(crate) repeats: AtomicU64,
    /// Replies after which an answer ends. 0: it is whole.
    pub(crate) answers: AtomicU64,
    frames: AtomicU64,
    next: AtomicU64,
    last: Mutex<Vec<u8>>,
}

struct Listening<T> {
    of: Listeners<T>,
    key: String,
    id: u64,
}

impl<T: Send + Sync> Held for Listening<T> {}

impl<T> Drop for Listening<T> {
    fn drop(&mut self) {
        self.of.lock().unwrap().get_mut(&self.key).unwrap().retain(|(id, _)| *id != self.id);
    }
}

impl Network {
    fn listen<T: Send + Sync + 'static>(&self, of: &Listeners<T>, key: &str, listener: T) -> Box<dyn Held> {
        let id = self.link.next.fetch_add(1, Relaxed);
        of.lock().unwrap().entry(key.to_owned()).or_default().push((id, Arc::new(listener)));
        Box::new(Listening { of: of.clone(), key: key.to_owned(), id })
    }

    fn listeners<T>(&self, of: &Listeners<T>, key: &str) -> Vec<Arc<T>> {
        let of = of.lock().unwrap();
        of.get(key).into_iter().flatten().map(|(_, listener)| Arc::clone(listener)).collect()
    }

    /// The frame that was put last.
    pub(crate) fn last_frame(&self) -> Vec<u8> {
        self.link.last.lock().unwrap().clone()
    }

    /// Puts a frame, whoever it is of.
    pub(crate) fn put(&self, key: &str, frame: &[u8]) {
        let number = self.link.frames.fetch_add(1, Relaxed);
        let is_turn = |of: &AtomicU64| of.load(Relaxed).checked_sub(1).is_some_and(|of| number.is_multiple_of(of + 1));
        if self.link.cut.load(Relaxed) || is_turn(&self.link.loses) {
            return;
        }
        *self.link.last.lock().unwrap() = frame.to_vec();
        for inlet in self.listeners(&self.inlets, key) {
            inlet(frame);
            if is_turn(&self.link.repeats) {
                inlet(frame);
            }
        }
    }
}

struct Put {
    network: Network,
    key: String,
}

impl Outlet for Put {
    fn put(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.network.put(&self.key, frame);
        Ok(())
    }

    fn has_subscribers(&self) -> bool {
        !self.network.listeners(&self.network.inlets, &self.key).is_empty()
    }
}

impl Engine for Network {
    fn outlet(&self, key: &str) -> anyhow::Result<Box<dyn Outlet>> {
        Ok(Box::new(Put { network: self.clone(), key: key.to_owned() }))
    }

    fn subscribe(&self, key: &str, inlet: Inlet) -> anyhow::Result<Box<dyn Held>> {
        Ok(self.listen(&self.inlets, key, inlet))
    }

    fn answer(&self, key: &str, answer: Answer) -> anyhow::Result<Box<dyn Held>> {
        Ok(self.listen(&self.answers, key, answer))
    }

    fn ask(&self, key: &str, question: &[u8], _: Duration, reply: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        for answer in self.listeners(&self.answers, key) {
            let most = self.link.answers.load(Relaxed);
            let mut given = 0;
            answer(question, &mut |bytes| {
                given += 1;
                if self.link.cut.load(Relaxed) || most > 0 && given > most {
                    anyhow::bail!("cut");
                }
                reply(bytes);
                Ok(())
            });
        }
        Ok(())
    }

    fn peers(&self) -> usize {
        1
    }
}

/// Two machines.
pub(crate) struct Sites {
    pub(crate) near: PrivateRoot,
    pub(crate) far: PrivateRoot,
    pub(crate) network: Network,
}

impl Sites {
    pub(crate) fn new() -> Self {
        Sites { near: PrivateRoot::new(), far: PrivateRoot::new(), network: Network::default() }
    }

    pub(crate) fn send_options(&self) -> SendOptions {
        SendOptions {
            root: self.near.path().to_owned(),
            ring: "r".to_owned(),
            prefix: "test".to_owned(),
            linger: Duration::ZERO,
            batch_bytes: 100,
            wait: WaitStrategy::Block,
            once: false,
        }
    }

    pub(crate) fn receive_options(&self) -> ReceiveOptions {
        ReceiveOptions {
            ring: "r".to_owned(),
            prefix: "test".to_owned(),
            far: FarOptions {
                root: self.far.path().to_owned(),
                name: "r".to_owned(),
                // More than any test publishes: what a subscriber misses there, it missed on the way.
                capacity: Some(1 << 14),
                mode: 0o600,
                replace: false,
            },
            from_oldest: true,
            refill_timeout: Duration::from_secs(60),
            once: false,
        }
    }

    /// Runs the near end.
    pub(crate) fn send<'s>(&'s self, scope: &'s Scope<'s, '_>) -> End<'s, SendStatus> {
        let options = self.send_options();
        self.send_with(scope, options)
    }

    pub(crate) fn send_with<'s>(&'s self, scope: &'s Scope<'s, '_>, options: SendOptions) -> End<'s, SendStatus> {
        End::run(scope, move |stop| Sender::new(&self.network, &options, stop)?.run())
    }

    /// Runs the far end.
    pub(crate) fn receive<'s>(&'s self, scope: &'s Scope<'s, '_>) -> End<'s, ReceiveStatus> {
        let options = self.receive_options();
        self.receive_with(scope, options)
    }

    pub(crate) fn receive_with<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        options: ReceiveOptions,
    ) -> End<'s, ReceiveStatus> {
        End::run(scope, move |stop| Receiver::new(&self.network, &options, stop)?.run())
    }
}

/// An end that runs on a thread of its own. Dropped, it stops.
pub(crate) struct End<'s, T> {
    stop: Arc<AtomicBool>,
    running: Option<ScopedJoinHandle<'s, anyhow::Result<T>>>,
}

impl<'s, T: Send + 's> End<'s, T> {
    fn run(scope: &'s Scope<'s, '_>, run: impl FnOnce(&AtomicBool) -> anyhow::Result<T> + Send + 's) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        End { stop, running: Some(scope.spawn(move || run(&asked))) }
    }

    /// Stops it, and returns what it counted.
    pub(crate) fn stop(self) -> T {
        self.stop.store(true, Relaxed);
        self.ended().unwrap()
    }

    /// What it ends with by itself.
    pub(crate) fn ended(mut self) -> anyhow::Result<T> {
        self.running.take().unwrap().join().unwrap()
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Checks that every message is accounted for.
#[track_caller]
pub(crate) fn conserved(counted: &ReceiveStatus) {
    let sum = counted.first + counted.published_messages + counted.lost_near + counted.lost_wire + counted.lost_far;
    assert_eq!(sum, counted.next, "{counted:?}");
}
