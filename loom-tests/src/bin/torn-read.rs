//! Shows the torn read on this processor, and that messages of the ring are never torn: `make torn-read`.
//!
//! Two processes: this one reads, its child writes. `torn-read [MILLISECONDS [OFFSET...]]`. MILLISECONDS is the time
//! for each offset, by default 200; up to ten times that at an offset that crosses a line, until something is torn.
//! OFFSET is a byte offset in a segment of 8192 bytes, by default 1008 to 1032 and a few more. The ring gets a second or
//! more. The last line is the verdict. Exits with 1 if an aligned word or a message of the ring was torn.

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    match program::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("torn-read: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(loom))]
mod program {
    use std::error::Error;
    use std::io::Read;
    use std::path::Path;
    use std::process::{Child, Command, ExitCode, Stdio};
    use std::time::Duration;

    use feed_testing::PrivateRoot;
    use loom_tests::torn::{Count, HERE, Segment, nameless, publish, subscribe};
    use loom_tests::torn_verdict::{ENOUGH, Place, Through, explain, grouped, verdict};

    const USAGE: &str = "usage: torn-read [MILLISECONDS [OFFSET...]], offsets from 0 to 8184";

    /// A child that is killed when this program ends.
    struct Writer(Child);

    impl Drop for Writer {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn child(command: &mut Command) -> Result<Writer, Box<dyn Error>> {
        Ok(Writer(command.spawn()?))
    }

    pub(super) fn run() -> Result<ExitCode, Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.first().map(String::as_str) {
            Some("--store") => {
                die_with_parent();
                Segment::map(std::io::stdin())?.serve();
                return Ok(ExitCode::SUCCESS);
            }
            Some("--publish") => {
                die_with_parent();
                let root = arguments.get(1).ok_or(USAGE)?;
                // Publishes until standard input ends.
                let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
                let seen = stop.clone();
                std::thread::spawn(move || {
                    let _ = std::io::stdin().read(&mut [0]);
                    seen.store(true, std::sync::atomic::Ordering::Relaxed);
                });
                publish(Path::new(root), || stop.load(std::sync::atomic::Ordering::Relaxed))?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let time = arguments.first().map_or(Ok(200), |time| time.parse()).map_err(|_| USAGE)?;
        let time = Duration::from_millis(time);
        let mut offsets = Vec::new();
        for offset in arguments.iter().skip(1) {
            offsets.push(offset.parse().ok().filter(|&offset: &usize| offset <= 8184).ok_or(USAGE)?);
        }
        if offsets.is_empty() {
            offsets = [1001].into_iter().chain(1008..=1032).chain([4088, 4094]).collect();
        }
        let found = if HERE {
            words(&offsets, time)?
        } else {
            println!("torn-read: not on this processor: the misaligned instruction is written for x86-64");
            Vec::new()
        };
        println!();
        let through = ring(time.max(Duration::from_secs(1)))?;
        let verdict = verdict(&found, &through);
        println!("\n{}", verdict.sentence);
        Ok(if verdict.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn die_with_parent() {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }

    fn words(offsets: &[usize], time: Duration) -> Result<Vec<(usize, Count)>, Box<dyn Error>> {
        let file = nameless()?;
        let segment = Segment::map(&file)?;
        let _writer = child(Command::new(std::env::current_exe()?).arg("--store").stdin(Stdio::from(file)))?;
        println!("Two processes: one stores 8 bytes at an offset, the other loads them, each with one mov");
        println!("offset  place              ms        loads     torn  per million  example");
        let mut found = Vec::new();
        for &offset in offsets {
            let place = Place::of(offset);
            let patience = time * if place == Place::AcrossLines { 10 } else { 1 };
            let (count, took) = segment.watch(offset, time, patience);
            let share = 1e6 * count.torn as f64 / count.reads as f64;
            let (place, took) = (place.name(), took.as_millis());
            let example = count.example.map_or("-".to_owned(), |value| format!("{value:#018x}"));
            let Count { reads, torn, .. } = count;
            println!("{offset:>6}  {place:<13}  {took:>5}  {reads:>11}  {torn:>7}  {share:>11.1}  {example}");
            found.push((offset, count));
        }
        segment.stop();
        println!();
        explain(&found).iter().for_each(|line| println!("{line}"));
        Ok(found)
    }

    fn ring(time: Duration) -> Result<Through, Box<dyn Error>> {
        let root = PrivateRoot::new();
        let mut command = Command::new(std::env::current_exe()?);
        let writer = child(command.arg("--publish").arg(root.path()).stdin(Stdio::piped()))?;
        let (count, lost) = subscribe(root.path(), time, time * 10, ENOUGH)?;
        let mut writer = writer;
        drop(writer.0.stdin.take());
        writer.0.wait()?;
        println!(
            "The same values through a ring of 4 slots, 56 bytes a message, in bursts that overwrite what is being read"
        );
        let Count { reads, torn, .. } = count;
        println!("{} messages received, {} lost and counted, {torn} torn", grouped(reads), grouped(lost));
        Ok(Through { count, lost })
    }
}
