//! How long a sleeping subscriber takes to receive a message: blocked, and in tokio. In turns, so that both see the same
//! machine: `cargo run --release -p feed-ring-tokio --example wakeup [MESSAGES] [GAP IN MICROSECONDS]`
// Cargo.toml: hdrhistogram = "7"
// Cargo.toml: tokio = { version = "1", features = ["net", "rt"] }

use std::error::Error;
use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Subscriber, WaitStrategy};
use feed_ring_tokio::AsyncSubscriber;
use hdrhistogram::Histogram;

/// Messages of a round, of which there are as many as it takes, in turns.
const ROUND: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let messages = arguments.next().transpose()?.unwrap_or(20_000);
    let gap = Duration::from_micros(arguments.next().transpose()?.unwrap_or(200));
    let name = format!("wakeup-{}", std::process::id());
    let began = Instant::now();
    let now = || began.elapsed().as_nanos() as u64;

    let mut publisher = Publisher::<u64>::options(&name).create()?;
    let open = || Subscriber::<u64>::options(&name).join(Join::Latest).wait(WaitStrategy::Block).open();
    let (mut blocked, mut in_tokio) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    for _ in 0..messages.div_ceil(ROUND) {
        for of in [&mut blocked, &mut in_tokio].into_iter().enumerate() {
            let subscriber = open()?;
            std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
                // The message is the time at which it is published, in ns.
                scope.spawn(|| {
                    for _ in 0..ROUND {
                        std::thread::sleep(gap); // the subscriber falls asleep
                        publisher.publish(&now());
                    }
                });
                match of {
                    (0, histogram) => {
                        let mut subscriber = subscriber;
                        for _ in 0..ROUND {
                            let published = subscriber.recv()?;
                            histogram.record(now() - published)?;
                        }
                    }
                    (_, histogram) => runtime.block_on(async {
                        let mut subscriber = AsyncSubscriber::new(subscriber);
                        for _ in 0..ROUND {
                            let published = subscriber.recv().await?;
                            histogram.record(now() - published)?;
                        }
                        Ok::<_, Box<dyn Error>>(())
                    })?,
                }
                Ok(())
            })?;
        }
    }
    publisher.close()?;
    println!("{:>6} {:>12} {:>12} {:>8}", "", "blocked, ns", "tokio, ns", "ratio");
    for (quantile, label) in [(0.1, "p10"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99")] {
        let (blocked, in_tokio) = (blocked.value_at_quantile(quantile), in_tokio.value_at_quantile(quantile));
        println!("{label:>6} {blocked:>12} {in_tokio:>12} {:>8.2}", in_tokio as f64 / blocked as f64);
    }
    Ok(())
}
