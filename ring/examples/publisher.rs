//! Publishes a tick every 10 ms until Ctrl-C: `cargo run -p feed-ring --example publisher [DIRECTORY]`
// Cargo.toml: signal-hook = "0.4"

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use feed_ring::{DEFAULT_ROOT, Payload, Publisher};
use signal_hook::consts::{SIGINT, SIGTERM};

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
            eprintln!("publisher: {error}");
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

    // If an earlier publisher was killed, this takes its ring over and continues its sequence.
    let mut publisher = Publisher::<Tick>::options("ticks").capacity(4096).root(&root).create()?;
    eprintln!("publishing to {root}/ticks.ring from sequence {}, epoch {}", publisher.published(), publisher.epoch());
    let mut price = 58_710_200_000_000;
    while !stop.load(Ordering::Relaxed) {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64;
        price += (time % 3) as i64 * 10_000_000 - 10_000_000;
        publisher.publish(&Tick { time, price, size: 1 + time % 50 });
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!("published up to sequence {}", publisher.published());
    publisher.close()?; // subscribers read what is there, then receive `Closed`
    Ok(())
}
