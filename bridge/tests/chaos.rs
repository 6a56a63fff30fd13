//! Both ends and the router between them killed at random, the link cut and dropped, the near publisher restarted: nothing comes twice,
//! out of order or changed, every message is accounted for, and nothing is lost that the near ring still had.
//!
//! `FEED_BRIDGE_KILLS=50` makes it longer, and `FEED_BRIDGE_NAMESPACES=1` puts ends and router into network namespaces of their own:
//! `make bridge-chaos`. It prints its counts as one JSON object.

mod namespaces;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use feed_program::bridge::{ReceiveStatus, receiving_name};
use feed_ring::{CellReader, Join, Payload, Publisher, Subscriber, TryRecvError};
use feed_testing::{PrivateRoot, Program};
use namespaces::{HUB_FAR, HUB_NEAR, Namespaces};

/// A message of 56 bytes, all of which follow from its number.
#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Tick {
    words: [u64; 7],
}

impl Tick {
    fn of(number: u64) -> Self {
        Tick {
            words: std::array::from_fn(|at| {
                (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 * 9)
            }),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(120);

/// What is between the receiver and the router.
enum Between {
    Link(Link),
    Namespaces(Namespaces),
}

impl Between {
    fn cut(&self, cut: bool) {
        match self {
            Between::Link(link) => link.cut.store(cut, Relaxed),
            Between::Namespaces(namespaces) => namespaces.set_link(!cut),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Between::Link(_) => "a proxy",
            Between::Namespaces(_) => "network namespaces",
        }
    }
}

/// A link that can be cut, so that nothing passes, and dropped, so that both sides see it end.
struct Link {
    port: u16,
    cut: Arc<AtomicBool>,
    /// How often it was dropped.
    dropped: Arc<AtomicU64>,
}

impl Link {
    fn new(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let link = Link { port, cut: Arc::clone(&cut), dropped: Arc::clone(&dropped) };
        // Both end with the process.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (cut, dropped) = (Arc::clone(&cut), Arc::clone(&dropped));
                    thread::spawn(move || carry(from, to, &cut, &dropped));
                }
            }
        });
        link
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool, dropped: &AtomicU64) {
    let began = dropped.load(Relaxed);
    let mut bytes = vec![0; 1 << 16];
    let _ = from.set_read_timeout(Some(Duration::from_millis(5)));
    let _ = from.set_nodelay(true);
    while dropped.load(Relaxed) == began {
        if cut.load(Relaxed) {
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) if to.write_all(&bytes[..count]).is_err() => break,
            Ok(_) => {}
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// A process that is killed and started again.
struct Actor {
    command: Box<dyn Fn() -> Command>,
    running: Option<Program>,
    back: Instant,
    kills: u64,
}

impl Actor {
    fn new(command: impl Fn() -> Command + 'static) -> Self {
        let mut actor = Actor { command: Box::new(command), running: None, back: Instant::now(), kills: 0 };
        actor.start();
        actor
    }

    fn start(&mut self) {
        self.running = Some(Program::start(&mut (self.command)()));
    }

    fn kill(&mut self, away: Duration) {
        if let Some(mut running) = self.running.take() {
            running.kill();
            self.kills += 1;
            self.back = Instant::now() + away;
        }
    }

    /// Starts it again when it is time.
    fn tend(&mut self) {
        if self.running.is_none() && Instant::now() >= self.back {
            self.start();
        }
    }
}

/// What a subscriber of the far ring found, over all rings.
#[derive(Debug, Default)]
struct Found {
    received: u64,
    lost: u64,
    duplicated: u64,
    changed: u64,
    /// The epochs that were told, each with its first number.
    restarts: Vec<(u64, u64)>,
    reopened: u64,
    unaccounted: u64,
    next: u64,
}

fn follow(root: &PrivateRoot, until: &AtomicU64, at: &AtomicU64) -> Found {
    let mut found = Found::default();
    let open = || Subscriber::<Tick>::options("r").root(root).join(Join::Oldest).open_timeout(PATIENCE).open().unwrap();
    let mut far = open();
    let first = far.first();
    while found.next < until.load(Relaxed) {
        match far.recv_timeout(Duration::from_millis(50)) {
            Ok(tick) => {
                let number = far.sequence() - 1;
                found.duplicated += u64::from(number < found.next);
                found.changed += u64::from(tick != Tick::of(number));
                found.received += 1;
                found.next = number + 1;
                at.store(found.next, Relaxed);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Lagged { missed }) => {
                found.lost += missed;
                found.next = far.sequence();
            }
            Err(TryRecvError::Restarted { epoch, sequence }) => found.restarts.push((epoch, sequence)),
            Err(TryRecvError::RestartsUnknown { until }) => found.restarts.push((0, until)),
            Err(TryRecvError::PublisherDead) => drop(far.wait_for_publisher(Duration::from_millis(50))),
            Err(TryRecvError::Superseded) => {
                // Left at `next`; the ring after it may begin later.
                let next = far.sequence();
                far = open();
                found.reopened += 1;
                found.lost += far.first().saturating_sub(next);
                found.duplicated += next.saturating_sub(far.first());
            }
            Err(error) => panic!("{error} at {}", far.sequence()),
        }
    }
    found.unaccounted = found.next - first - found.received - found.lost;
    found
}

/// What came of a run.
struct Ran {
    found: Found,
    counted: ReceiveStatus,
    /// The near ring's epochs after the first, each with its first number.
    restarts: Vec<(u64, u64)>,
}

/// The program, and before it what ends it with this process, whatever ends that.
fn program() -> Vec<&'static str> {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_feed-bridge");
    match std::path::Path::new("/usr/bin/setpriv").exists() {
        true => vec!["/usr/bin/setpriv", "--pdeathsig", "KILL", PROGRAM],
        false => vec![PROGRAM],
    }
}

/// The router, the sender and the receiver, and what is between them.
fn sides(near_root: &PrivateRoot, far_root: &PrivateRoot) -> (Between, [Actor; 3]) {
    let [near, far] = [near_root, far_root].map(|root| root.path().to_str().unwrap().to_owned());
    let route = |listen: &str| ["route", "--listen", listen].map(str::to_owned);
    let send = |to: &str| ["send", "--ring", "r", "--root", &near, "--connect", to].map(str::to_owned);
    let receive = |from: &str| {
        ["receive", "--ring", "r", "--root", &far, "--connect", from, "--refill-timeout", "60"].map(str::to_owned)
    };
    let wanted = std::env::var_os("FEED_BRIDGE_NAMESPACES").is_some();
    if let Some(namespaces) = wanted.then(Namespaces::new).flatten() {
        let actor = |side: &str, args: &[String]| {
            let (names, side, args) = (namespaces.names(), side.to_owned(), args.to_vec());
            Actor::new(move || {
                let [first, rest @ ..] = &program()[..] else { unreachable!("a program has a path") };
                let mut command = names.command(&side, first);
                command.args(rest).args(&args);
                command
            })
        };
        let actors = [
            actor("hub", &route("tcp/0.0.0.0:7447")),
            actor("near", &send(&format!("{HUB_NEAR}:7447"))),
            actor("far", &receive(&format!("{HUB_FAR}:7447"))),
        ];
        return (Between::Namespaces(namespaces), actors);
    }
    if wanted {
        feed_testing::skipped("network namespaces are refused, or ip is missing: a proxy is between the processes");
    }
    let router = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let link = Link::new(router);
    let actor = |args: &[String]| {
        let args = args.to_vec();
        Actor::new(move || {
            let [first, rest @ ..] = &program()[..] else { unreachable!("a program has a path") };
            let mut command = Command::new(first);
            command.args(rest).args(&args);
            command
        })
    };
    let actors = [
        actor(&route(&router.to_string())),
        actor(&send(&format!("127.0.0.1:{router}"))),
        actor(&receive(&format!("127.0.0.1:{}", link.port))),
    ];
    (Between::Link(link), actors)
}

/// Runs until so many processes were killed.
fn run(kills: u64, capacity: usize, longest_cut_ms: u64, seed: u64) -> Ran {
    let (near_root, far_root) = (PrivateRoot::new(), PrivateRoot::new());
    let (between, actors) = sides(&near_root, &far_root);
    let mut actors = actors;
    let create = || Publisher::<Tick>::options("r").root(&near_root).capacity(capacity).create().unwrap();
    let mut publisher = Some(create());
    let mut state = seed | 1;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (until, at) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let (mut cuts, mut drops, mut restarts) = (0, 0, Vec::new());
    let found = thread::scope(|scope| {
        let following = scope.spawn(|| follow(&far_root, &until, &at));
        let publish = |publisher: &mut Option<Publisher<Tick>>| {
            let publisher = publisher.as_mut().unwrap();
            for _ in 0..20 {
                publisher.publish(&Tick::of(publisher.published()));
            }
            thread::sleep(Duration::from_millis(1));
        };
        // Once the first has arrived, all later ones count.
        while at.load(Relaxed) == 0 {
            publish(&mut publisher);
            assert!(!following.is_finished(), "the far ring was not there in time");
        }
        let (mut next_event, mut cut_until, mut calm_until) = (Instant::now(), None::<Instant>, Instant::now());
        while actors.iter().map(|actor| actor.kills).sum::<u64>() < kills {
            publish(&mut publisher);
            actors.iter_mut().for_each(Actor::tend);
            if cut_until.is_some_and(|until| Instant::now() >= until) {
                between.cut(false);
                cut_until = None;
            }
            if Instant::now() < next_event {
                continue;
            }
            next_event = Instant::now() + Duration::from_millis(100 + random(700));
            match random(6) {
                0..3 => {
                    let which = random(3) as usize;
                    let away = if random(2) == 0 { 0 } else { random(2_000) };
                    actors[which].kill(Duration::from_millis(away));
                }
                // A cut is followed by a time without one, at least as long, so that no outage is much longer than a cut.
                3 if Instant::now() >= calm_until => {
                    between.cut(true);
                    let length = Duration::from_millis(100 + random(longest_cut_ms));
                    cut_until = Some(Instant::now() + length);
                    calm_until = Instant::now() + 3 * length;
                    cuts += 1;
                }
                4 => {
                    if let Between::Link(link) = &between {
                        link.dropped.fetch_add(1, Relaxed);
                        drops += 1;
                    }
                }
                // No more of them than a ring can tell.
                _ if restarts.len() < 6 => {
                    publisher.take().unwrap().leave();
                    publisher = Some(create());
                    let now = publisher.as_ref().unwrap();
                    restarts.push((now.epoch(), now.published()));
                }
                _ => {}
            }
        }
        between.cut(false);
        actors.iter_mut().for_each(|actor| actor.back = Instant::now());
        actors.iter_mut().for_each(Actor::tend);
        publish(&mut publisher);
        let end = publisher.as_ref().unwrap().published();
        let began = Instant::now();
        while at.load(Relaxed) < end {
            assert!(began.elapsed() < PATIENCE, "{} of {end} arrived", at.load(Relaxed));
            thread::sleep(Duration::from_millis(10));
        }
        until.store(end, Relaxed);
        following.join().unwrap()
    });
    let mut cell = CellReader::<ReceiveStatus>::options(&receiving_name("r")).root(&far_root).open_cell().unwrap();
    let mut counted = cell.get().unwrap().unwrap().value;
    while counted.next < found.next {
        thread::sleep(Duration::from_millis(10));
        counted = cell.get().unwrap().unwrap().value;
    }
    let killed: Vec<u64> = actors.iter().map(|actor| actor.kills).collect();
    let line = format!(
        "{{\"between\":\"{}\",\"kills_of_router_sender_receiver\":{killed:?},\"cuts\":{cuts},\"drops\":{drops},\"near_restarts\":{},\
         \"published\":{},\"received\":{},\"lost\":{},\"restarts_told\":{},\"reopened\":{},\"duplicated\":{},\"changed\":{},\
         \"unaccounted\":{}}}",
        between.name(),
        restarts.len(),
        found.next,
        found.received,
        found.lost,
        found.restarts.len(),
        found.reopened,
        found.duplicated,
        found.changed,
        found.unaccounted
    );
    println!("{line}");
    Ran { found, counted, restarts }
}

fn kills(least: u64) -> u64 {
    std::env::var("FEED_BRIDGE_KILLS").ok().map_or(least, |kills| kills.parse().expect("a number in FEED_BRIDGE_KILLS"))
}

fn assert_fine(Ran { found, counted, .. }: &Ran) {
    assert_eq!((found.duplicated, found.changed, found.unaccounted), (0, 0, 0), "{found:?}");
    let sum = counted.first + counted.published_messages + counted.lost_near + counted.lost_wire + counted.lost_far;
    assert_eq!(sum, counted.next, "{counted:?}");
    assert_eq!((counted.refused_frames, counted.dropped_frames), (0, 0));
}

#[test]
fn nothing_is_lost_that_the_near_ring_still_has() {
    // Twenty thousand a second: fifty seconds.
    let ran = run(kills(8), 1 << 20, (kills(8) * 200).min(10_000), 0x5eed);
    assert_fine(&ran);
    assert_eq!(ran.found.lost, 0, "{:?}", ran.counted);
    assert_eq!(ran.found.restarts, ran.restarts, "each is told where it was");
}

#[test]
fn what_is_lost_is_told_exactly() {
    // A fifth of a second.
    assert_fine(&run(kills(8), 1 << 12, 1_000, 0xfeed));
}
