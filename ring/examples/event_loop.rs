//! Receives ticks in an event loop, until Ctrl-C: `cargo run -p feed-ring --example event_loop [DIRECTORY]`
// Cargo.toml: rustix = { version = "1", features = ["event"] }
// Cargo.toml: signal-hook = "0.4"

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use feed_ring::{DEFAULT_ROOT, Notifier, Payload, Subscriber, TryRecvError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};

#[derive(Clone, Copy, Debug, Payload)]
#[repr(C)]
struct Tick {
    time: u64,  // ns since 1970
    price: i64, // 1e-9
    size: u64,
}

/// The most ticks that are received before the other sources get their turn.
const TURN: usize = 1_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ROOT.to_owned());
    let ring = Subscriber::<Tick>::options("ticks").root(&root).open_timeout(Duration::from_secs(10));
    let mut subscriber = ring.open()?;
    eprintln!("opened {root}/ticks.ring at sequence {}", subscriber.first());

    // One source is the ring, the other is a socket that becomes readable after a signal. Add your own.
    let notifier = subscriber.notifier()?;
    let (signals, signalled) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    loop {
        match receive(&mut subscriber, &notifier) {
            Ok(()) => {}
            Err(TryRecvError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
        let mut sources = [PollFd::new(&notifier, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        match poll(&mut sources, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !sources[1].revents().is_empty() {
            break;
        }
        notifier.clear();
    }
    eprintln!("received {}, lost {}", subscriber.received(), subscriber.lost());
    Ok(())
}

/// Receives what is there, at most a turn, and arms the notifier. If there is more, its descriptor is readable at once.
fn receive(subscriber: &mut Subscriber<Tick>, notifier: &Notifier) -> Result<(), TryRecvError> {
    for _ in 0..TURN {
        match subscriber.try_recv() {
            Ok(tick) => println!("{} {tick:?}", subscriber.sequence() - 1),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::PublisherDead) => {
                notifier.arm_for_publisher(subscriber); // readable once another publisher takes the ring over
                return Ok(());
            }
            Err(
                event @ (TryRecvError::Lagged { .. }
                | TryRecvError::Restarted { .. }
                | TryRecvError::RestartsUnknown { .. }),
            ) => eprintln!("{event}"),
            Err(error) => return Err(error),
        }
    }
    notifier.arm(subscriber);
    Ok(())
}
