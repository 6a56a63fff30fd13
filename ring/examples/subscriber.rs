//! Receives ticks until Ctrl-C, whatever happens to their publisher: `cargo run -p feed-ring --example subscriber [DIRECTORY]`
// Cargo.toml: signal-hook = "0.4"

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::{DEFAULT_ROOT, Join, OpenError, Payload, Subscriber, TryRecvError, WaitStrategy};
use signal_hook::consts::{SIGINT, SIGTERM};

#[derive(Clone, Copy, Debug, Payload)]
#[repr(C)]
struct Tick {
    time: u64,  // ns since 1970
    price: i64, // 1e-9
    size: u64,
}

/// How late Ctrl-C may be noticed.
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("subscriber: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ROOT.to_owned());
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }

    // The first ring is joined at its newest message. Of a ring that replaces it, all messages are new.
    let mut join = Join::Latest;
    let mut ring: Option<Subscriber<Tick>> = None;
    let mut ended = None;
    let mut waiting = false;
    while !stop.load(Ordering::Relaxed) {
        let Some(subscriber) = &mut ring else {
            ring = open(&root, join)?;
            match &ring {
                Some(opened) => {
                    eprintln!("opened {root}/ticks.ring at sequence {}", opened.first());
                    (join, ended, waiting) = (Join::Oldest, None, false);
                }
                None if waiting => {}
                None => {
                    eprintln!("waiting for {root}/ticks.ring");
                    waiting = true;
                }
            }
            continue;
        };
        match subscriber.recv_timeout(PATIENCE) {
            Ok(tick) => {
                ended = None;
                println!("{} {tick:?}", subscriber.sequence() - 1);
            }
            Err(TryRecvError::Empty) => {}
            // This program was too slow.
            Err(TryRecvError::Lagged { missed }) => eprintln!("{missed} ticks lost"),
            // Another publisher took the ring over. State that was built from earlier ticks has to be rebuilt.
            Err(TryRecvError::Restarted { epoch, sequence }) => {
                eprintln!("epoch {epoch} begins at sequence {sequence}")
            }
            // Several did, and nobody knows which of them published the ticks before `until`.
            Err(TryRecvError::RestartsUnknown { until }) => eprintln!("epochs before sequence {until} are unknown"),
            // The ring stays, and a publisher may take it over: wait for that. Or it was removed, and the next publisher
            // makes another one of the same name: open that.
            Err(end @ (TryRecvError::PublisherDead | TryRecvError::Closed)) => {
                if ended.replace(end) != Some(end) {
                    eprintln!("{end}; waiting for a publisher");
                }
                if !subscriber.wait_for_publisher(PATIENCE)
                    && let Some(other) = open(&root, Join::Oldest)?
                    && other.publisher_is_alive()
                    && !subscriber.wait_for_publisher(Duration::ZERO)
                {
                    eprintln!("another ring; this one ended at sequence {}", subscriber.sequence());
                    ring = Some(other);
                }
            }
            // Another ring took the name while this one was open.
            Err(TryRecvError::Superseded) => {
                eprintln!("another ring; this one ended at sequence {}", subscriber.sequence());
                ring = None;
            }
            // The segment was cut short or damaged.
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(last) = ring {
        eprintln!("received {}, lost {} of the last ring's ticks", last.received(), last.lost());
    }
    Ok(())
}

/// Opens the ring, if there is one within a moment.
fn open(root: &str, join: Join) -> Result<Option<Subscriber<Tick>>, OpenError> {
    let options = Subscriber::options("ticks").root(root).join(join).wait(WaitStrategy::Block);
    match options.open_timeout(PATIENCE).open() {
        Ok(subscriber) => Ok(Some(subscriber)),
        Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
