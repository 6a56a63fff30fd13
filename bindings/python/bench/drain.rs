//! The Rust subscriber beside which `bench.py` measures Python's: `drain ROOT RING BATCH`.
//!
//! For each line of standard input it receives what the ring has, in batches of bytes into one buffer, and prints how many messages
//! that were and how many nanoseconds it took.

use std::io::{BufRead, stdin};
use std::time::Instant;

use feed_ring::{TryRecvError, raw};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, root, ring, batch] = &arguments[..] else { return Err("drain ROOT RING BATCH".into()) };
    let mut subscriber = raw::Subscriber::options(ring).root(root).open_raw()?;
    let mut messages = vec![0; batch.parse::<usize>()? * subscriber.format().size()];
    println!("ready");
    for line in stdin().lock().lines() {
        line?;
        let (begun, mut count) = (Instant::now(), 0);
        loop {
            match subscriber.recv_batch_into(&mut messages) {
                Ok(received) => count += received,
                Err(TryRecvError::Empty) => break,
                Err(error) => return Err(error.into()),
            }
        }
        println!("{count} {}", begun.elapsed().as_nanos());
    }
    Ok(())
}
