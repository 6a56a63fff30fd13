//! How fast the bridge is on loopback, beside bare zenoh in the same run: `cargo run --release --example speed` (`make bridge-bench`).
//!
//! Prints one JSON object: one-way latencies in ns of single messages, messages a second end to end, and the publisher's pace with and
//! without a bridge.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use feed_bridge::engine::Engine;
use feed_bridge::engine_options::EngineOptions;
use feed_bridge::zenoh::ZenohEngine;
use feed_program::bridge::{ReceiveStatus, receiving_name};
use feed_ring::{CellReader, Join, Payload, Publisher, RecvError, Subscriber, TryRecvError, WaitStrategy};

/// A message of 56 bytes.
#[derive(Clone, Copy, Debug, Default, Payload)]
#[repr(C)]
struct Tick {
    /// When it was published, in ns of the machine's monotonic clock.
    published: u64,
    rest: [u64; 6],
}

const SINGLES: usize = 5_000;
const BETWEEN: Duration = Duration::from_micros(500);
const STREAM: u64 = 20_000_000;
const RATE: u64 = 6_000_000;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bare-receive", port] => bare_receive(port),
        ["far-receive", root, what] => far_receive(Path::new(root), what),
        _ => measure(),
    }
}

fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn this(args: &[&str]) -> anyhow::Result<Running> {
    let program = std::env::current_exe()?;
    Ok(Running(Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?))
}

fn line(child: &mut Running) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut stdout = child.0.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut byte = [0];
    while stdout.read(&mut byte)? == 1 && byte[0] != b'\n' {
        text.push(byte[0] as char);
    }
    child.0.stdout = Some(stdout);
    Ok(text)
}

fn percentiles(mut latencies: Vec<u64>) -> (u64, u64) {
    latencies.sort_unstable();
    (latencies[latencies.len() / 2], latencies[latencies.len() * 99 / 100])
}

fn free_port() -> anyhow::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string())
}

/// Receives bare zenoh's messages; prints p50 and p99.
fn bare_receive(port: &str) -> anyhow::Result<()> {
    let options = EngineOptions { connect: vec![format!("127.0.0.1:{port}")], lease: 20, ..EngineOptions::default() };
    let engine = ZenohEngine::open(&options)?;
    let (give, took) = mpsc::channel();
    let _inlet = engine.subscribe(
        "bare",
        Box::new(move |bytes| {
            let published = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
            let _ = give.send(now() - published);
        }),
    )?;
    println!("ready");
    let latencies: Vec<u64> = took.iter().take(SINGLES).collect();
    let (p50, p99) = percentiles(latencies);
    println!("{p50} {p99}");
    Ok(())
}

/// Receives from the far ring; prints p50 and p99 of single messages, or messages, losses and ns of a stream.
fn far_receive(root: &Path, what: &str) -> anyhow::Result<()> {
    let wait = if what == "singles" { WaitStrategy::Yield } else { WaitStrategy::Block };
    let options = Subscriber::<Tick>::options("speed").root(root).join(Join::Latest).wait(wait);
    let mut far = options.open_timeout(Duration::from_secs(30)).open()?;
    println!("ready");
    if what == "singles" {
        let mut latencies = Vec::new();
        while latencies.len() < SINGLES {
            match far.recv() {
                Ok(tick) => latencies.push(now() - tick.published),
                // The receiver of the round before left the ring to the next one.
                Err(RecvError::PublisherDead) => drop(far.wait_for_publisher(Duration::from_secs(30))),
                Err(error) => anyhow::bail!("{error}"),
            }
        }
        let (p50, p99) = percentiles(latencies);
        println!("{p50} {p99}");
        return Ok(());
    }
    let mut batch = vec![Tick::default(); 256];
    let (mut began, mut last) = (None, 0);
    loop {
        match far.recv_batch(&mut batch) {
            Ok(count) => {
                last = now();
                began.get_or_insert(batch[0].published);
                if batch[..count].iter().any(|tick| tick.rest[0] == 1) {
                    break;
                }
            }
            Err(TryRecvError::Empty) => {
                if let Ok(tick) = far.recv_timeout(Duration::from_secs(20)) {
                    began.get_or_insert(tick.published);
                    if tick.rest[0] == 1 {
                        break;
                    }
                }
            }
            Err(TryRecvError::Lagged { .. }) => {}
            Err(TryRecvError::PublisherDead) => drop(far.wait_for_publisher(Duration::from_secs(30))),
            Err(error) => anyhow::bail!("{error}"),
        }
    }
    println!("{} {} {}", far.received(), far.lost(), last - began.unwrap_or(last));
    Ok(())
}

fn bridge_ends(near: &Path, far: &Path, wait: &str) -> anyhow::Result<[Running; 2]> {
    let program = std::env::current_exe()?.parent().and_then(Path::parent).map(|dir| dir.join("feed-bridge"));
    let program = program.ok_or_else(|| anyhow::anyhow!("no feed-bridge beside this program"))?;
    let port = free_port()?;
    let start = |args: &[&str]| -> anyhow::Result<Running> {
        Ok(Running(Command::new(&program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
    };
    let near = near.to_str().unwrap_or_default();
    let far = far.to_str().unwrap_or_default();
    let send = start(&["send", "--ring", "speed", "--root", near, "--listen", &port, "--wait", wait])?;
    let receive = start(&["receive", "--ring", "speed", "--root", far, "--connect", &format!("127.0.0.1:{port}")])?;
    await_connection(Path::new(far));
    Ok([send, receive])
}

/// Waits until the receiver hears the sender.
fn await_connection(far: &Path) {
    let began =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let heard = || {
        let cell = CellReader::<ReceiveStatus>::options(&receiving_name("speed")).root(far).open_cell();
        cell.ok()
            .and_then(|mut cell| cell.get().ok().flatten())
            .is_some_and(|told| told.value.connected == 1 && told.value.last_frame > began)
    };
    while !heard() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn publisher(root: &Path) -> anyhow::Result<Publisher<Tick>> {
    Ok(Publisher::options("speed").root(root).capacity(1 << 18).create()?)
}

/// Publishes a stream, at most `ahead` messages beyond what a pause lets through; returns ns per message.
fn stream(publisher: &mut Publisher<Tick>, count: u64, per_second: Option<u64>) -> f64 {
    let began = Instant::now();
    for number in 0..count {
        publisher.publish(&Tick { published: now(), rest: [u64::from(number + 1 == count), 0, 0, 0, 0, 0] });
        if let Some(rate) = per_second
            && number % 1_000 == 999
        {
            let due = Duration::from_nanos(number * 1_000_000_000 / rate);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    began.elapsed().as_nanos() as f64 / count as f64
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn measure() -> anyhow::Result<()> {
    let mut rows: Vec<serde_json::Value> = Vec::new();
    for _ in 0..ROUNDS {
        let roots = [root("near")?, root("far")?];
        // Bare zenoh, one message at a time.
        let port = free_port()?;
        let options = EngineOptions { listen: vec![port.clone()], lease: 20, ..EngineOptions::default() };
        let engine = ZenohEngine::open(&options)?;
        let mut outlet = engine.outlet("bare")?;
        let mut child = this(&["bare-receive", &port])?;
        line(&mut child)?;
        while !outlet.has_subscribers() {
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..SINGLES {
            let mut bytes = [0; 56];
            bytes[..8].copy_from_slice(&now().to_le_bytes());
            outlet.put(&bytes)?;
            std::thread::sleep(BETWEEN);
        }
        let bare = line(&mut child)?;
        drop((outlet, engine));
        // The bridge, one message at a time.
        let mut near = publisher(&roots[0].0)?;
        near.publish(&Tick::default());
        let ends = bridge_ends(&roots[0].0, &roots[1].0, "yield")?;
        let far = roots[1].0.to_str().unwrap_or_default().to_owned();
        let mut child = this(&["far-receive", &far, "singles"])?;
        line(&mut child)?;
        for _ in 0..SINGLES {
            near.publish(&Tick { published: now(), ..Tick::default() });
            std::thread::sleep(BETWEEN);
        }
        let bridged = line(&mut child)?;
        drop((child, ends));
        let ends = bridge_ends(&roots[0].0, &roots[1].0, "block")?;
        let mut child = this(&["far-receive", &far, "singles"])?;
        line(&mut child)?;
        for _ in 0..SINGLES {
            near.publish(&Tick { published: now(), ..Tick::default() });
            std::thread::sleep(BETWEEN);
        }
        let asleep = line(&mut child)?;
        drop(child);
        // A stream: at full speed, and as fast as nothing is lost.
        let mut child = this(&["far-receive", &far, "stream"])?;
        line(&mut child)?;
        let with = stream(&mut near, STREAM, None);
        let full = line(&mut child)?;
        let mut child = this(&["far-receive", &far, "stream"])?;
        line(&mut child)?;
        stream(&mut near, 2 * RATE, Some(RATE));
        let paced = line(&mut child)?;
        drop((child, ends));
        let without = stream(&mut near, STREAM, None);
        let mut child = this(&["far-receive", roots[0].0.to_str().unwrap_or_default(), "stream"])?;
        line(&mut child)?;
        let local = stream(&mut near, STREAM, None);
        line(&mut child)?;
        drop(child);
        rows.push(serde_json::json!({
            "bare_p50_p99_ns": bare, "bridge_yield_p50_p99_ns": bridged, "bridge_block_p50_p99_ns": asleep,
            "stream_received_lost_ns": full, "paced_received_lost_ns": paced, "publish_ns_with_bridge": with,
            "publish_ns_with_a_subscriber": local, "publish_ns_alone": without,
        }));
        near.close()?;
    }
    let number = |row: &serde_json::Value, key: &str, index: usize| -> f64 {
        row[key].as_str().and_then(|text| text.split(' ').nth(index)?.parse().ok()).unwrap_or(f64::NAN)
    };
    let of = |key: &str, index| median(rows.iter().map(|row| number(row, key, index)).collect());
    let bare = of("bare_p50_p99_ns", 0);
    let rate = |key: &str| median(rows.iter().map(|row| number(row, key, 0) * 1e3 / number(row, key, 2)).collect());
    let lost = median(rows.iter().map(|row| number(row, "paced_received_lost_ns", 1)).collect());
    let pace = |than: &str| {
        let of = |row: &serde_json::Value, key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        median(rows.iter().map(|row| of(row, "publish_ns_with_bridge") / of(row, than)).collect())
    };
    let result = serde_json::json!({
        "rounds": rows,
        "bare_p50_ns": bare,
        "bridge_yield_p50_of_bare": of("bridge_yield_p50_p99_ns", 0) / bare,
        "bridge_block_p50_of_bare": of("bridge_block_p50_p99_ns", 0) / bare,
        "stream_million_a_second": rate("stream_received_lost_ns"),
        "paced_million_a_second": rate("paced_received_lost_ns"),
        "paced_lost": lost,
        "publish_with_of_a_subscriber": pace("publish_ns_with_a_subscriber"),
        "publish_with_of_alone": pace("publish_ns_alone"),
    });
    std::io::stdout().write_all(format!("{result:#}\n").as_bytes())?;
    Ok(())
}

/// A directory that is removed with the value.
struct Root(PathBuf);

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn root(name: &str) -> anyhow::Result<Root> {
    let path = PathBuf::from(format!("/dev/shm/feed-bridge-speed.{}.{name}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(Root(path))
}
