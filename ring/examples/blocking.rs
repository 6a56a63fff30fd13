//! Sleeps until a tick or Ctrl-C comes, and uses no processor meanwhile: `cargo run -p feed-ring --example blocking [DIRECTORY]`
// Cargo.toml: signal-hook = "0.4"

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::{DEFAULT_ROOT, Payload, Subscriber, TryRecvError, WaitStrategy};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[derive(Clone, Copy, Debug, Payload)]
#[repr(C)]
struct Tick {
    time: u64,  // ns since 1970
    price: i64, // 1e-9
    size: u64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("blocking: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ROOT.to_owned());
    let ring = Subscriber::<Tick>::options("ticks").root(&root).wait(WaitStrategy::Block);
    let mut subscriber = ring.open_timeout(Duration::from_secs(10)).open()?;
    eprintln!("opened {root}/ticks.ring at sequence {}", subscriber.first());

    // A signal may come just before the wait begins. The interruption is then kept, and ends the wait at once.
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, interrupter) = (Arc::clone(&stop), subscriber.interrupter());
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            stopped.store(true, Ordering::Relaxed);
            interrupter.interrupt();
        }
    });

    while !stop.load(Ordering::Relaxed) {
        match subscriber.recv_timeout(Duration::MAX) {
            Ok(tick) => println!("{} {tick:?}", subscriber.sequence() - 1),
            Err(TryRecvError::Empty) => {} // interrupted
            Err(TryRecvError::Closed) => break,
            // Asleep until another publisher takes the ring over, or until it is interrupted.
            Err(TryRecvError::PublisherDead) => _ = subscriber.wait_for_publisher(Duration::MAX),
            Err(
                event @ (TryRecvError::Lagged { .. }
                | TryRecvError::Restarted { .. }
                | TryRecvError::RestartsUnknown { .. }),
            ) => eprintln!("{event}"),
            Err(error) => return Err(error.into()),
        }
    }
    eprintln!("received {}, lost {}", subscriber.received(), subscriber.lost());
    Ok(())
}
