//! Measures what it costs a subscriber to report its sequence.
//!
//! `cargo run --release -p ringctl --example cost_of_cursors`
//!
//! The control file has entries for 1,024 subscribers; the next one reads the same ring without reporting. The two read
//! everything in the ring in turns, each before and after the other. The result is the median, over the turns, of the
//! ratio of their times.

use std::time::Instant;

use feed_ring::{Join, Publisher, Subscriber};
use feed_testing::PrivateRoot;

const CAPACITY: usize = 65_536;
const TURNS: usize = 400;
const LINES: usize = 1_024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<[u64; 7]>::options("cost").root(&root).capacity(CAPACITY).create()?;
    for number in 0..CAPACITY as u64 {
        publisher.publish(&[number; 7]);
    }
    let open = || Subscriber::<[u64; 7]>::options("cost").root(&root).join(Join::Oldest).open();
    let time = |mut subscriber: Subscriber<[u64; 7]>| {
        let mut message = [0; 7];
        let began = Instant::now();
        while subscriber.try_recv_into(&mut message).is_ok() {}
        assert_eq!(subscriber.received(), CAPACITY as u64 - 1);
        began.elapsed().as_secs_f64() * 1e9 / CAPACITY as f64
    };
    // All entries but one. The subscriber with an entry gets that one; for the other subscriber it is taken, too.
    let mut taken = (1..LINES).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let with_line = || -> Result<f64, feed_ring::OpenError> { Ok(time(open()?)) };
    let (mut ratios, mut noise) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let before = with_line()?;
        taken.push(open()?);
        let without = time(open()?);
        taken.pop();
        let after = with_line()?;
        ratios.push((before + after) / 2.0 / without);
        noise.push(before / after);
    }
    for (what, values) in [("with a line, over without", &mut ratios), ("with, over with (the noise)", &mut noise)] {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((TURNS - 1) as f64 * share) as usize];
        println!("{what:<32} median {:.3}  p10 {:.3}  p90 {:.3}", at(0.5), at(0.1), at(0.9));
    }
    Ok(())
}
