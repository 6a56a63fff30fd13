//! Receives ticks until Ctrl-C, whatever happens to their publisher: `cargo run -p feed-ring --example subscriber [DIRECTORY]`
// Cargo.toml: signal-hook = "0.4"

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::follow::{Next, OnClose};
use feed_ring::{DEFAULT_ROOT, Join, Payload, Received, Subscriber, WaitStrategy};
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
            eprintln!("subscriber: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ROOT.to_owned());
    // The first ring is joined at its newest message. Of a ring that takes its place, all messages are new.
    let options = Subscriber::<Tick>::options("ticks").root(&root).join(Join::Latest).wait(WaitStrategy::Block);
    let mut ticks = options.open_timeout(Duration::MAX).follow().on_close(OnClose::Wait);

    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, interrupter) = (Arc::clone(&stop), ticks.interrupter());
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            stopped.store(true, Ordering::Relaxed);
            interrupter.interrupt();
        }
    });

    while !stop.load(Ordering::Relaxed) {
        match ticks.next()? {
            Next::Message(Received { number, message, .. }) => println!("{number} {message:?}"),
            // Whatever it is but `Waiting`: state that was built from earlier ticks has to be rebuilt.
            Next::Event(event) => eprintln!("{event}"),
            Next::Empty => {} // interrupted
            Next::End => break,
        }
    }
    let all = ticks.overall();
    eprintln!("received {}, lost {} of the ticks of {} rings", all.received, all.lost, all.reopened + 1);
    Ok(())
}
