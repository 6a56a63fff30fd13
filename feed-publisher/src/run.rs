//! Opens the input, creates the ring, publishes, closes the ring and prints the summary.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use feed::Message;
use feed::board::Digest;
use feed::pacing::{Cuts, Moment, Pacer};
use feed::records::{self, Encoding};
use feed::source::synthetic::Synthetic;
use feed::source::{Reason, SourceError, input};
use feed::summary::{Board, Published, Sequences, Summary, Tally};
use feed_program::args::SummaryFormat;
use feed_program::failure::Failure;
use feed_program::readable;
use feed_program::say::say;
use feed_program::{remedy, stdout, stop};
use feed_ring::{Ahead, CreateError, Publisher, PublisherOptions, RecordPublisher, Wake};
use tracing::{info, warn};

use crate::attendance::Attendance;
use crate::choices::{FormatChoice, WakeChoice};
use crate::message_outlet::{OfMessages, TablePublisher, WithTable};
use crate::messages::Messages;
use crate::options::Options;
use crate::outlet::{Outlet, Refused, Ring};
use crate::progress::Progress;
use crate::record_outlet::OfRecords;

/// Runs the program.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.check().map_err(Failure::Usage)?;
    let stop = stop::on_signals().map_err(remedy::failed("handle signals"))?;
    let leave = stop::leave_on_signal(&stop).map_err(remedy::failed("handle signals"))?;
    feed_ring::guard::install().map_err(remedy::failed("guard against SIGBUS"))?;
    let attendance = Attendance::prepare(options);
    options.placement.bind()?;
    let messages = match open(options, &stop) {
        // Stopped before the first bytes of the input arrived.
        Err(SourceError { reason: Reason::Stopped, .. }) => {
            let empty = empty_summary(options);
            let board = options.table.then(|| Board::new(Digest::default(), 0));
            let empty = Summary { board, published: Some(Published::default()), ..empty };
            return Ok(print(&empty, &stop, options.summary)?);
        }
        opened => opened.map_err(anyhow::Error::new)?,
    };
    if let Some(encoding) = messages.encoding() {
        let created = RecordPublisher::options(&options.ring, encoding.format()).slot_size(options.slot_size());
        let publisher = configure(options, created).create_records().map_err(|error| explain(error, options))?;
        return go_on(options, messages, OfRecords::new(publisher, encoding), &attendance, &stop, &leave);
    }
    if options.table {
        let publisher = configure(options, TablePublisher::options(&options.ring)).rows(options.rows()).create_keyed();
        let publisher = WithTable::new(publisher.map_err(|error| explain(error, options))?);
        return go_on(options, messages, OfMessages::new(publisher), &attendance, &stop, &leave);
    }
    let publisher = configure(options, Publisher::<Message>::options(&options.ring)).create();
    let publisher = publisher.map_err(|error| explain(error, options))?;
    go_on(options, messages, OfMessages::new(publisher), &attendance, &stop, &leave)
}

/// The summary of nothing.
fn empty_summary(options: &Options) -> Summary {
    if options.is_of_records() {
        return Summary::of_records(&records::tally::Tally::new(Encoding::Bytes), Sequences::default(), 0.0);
    }
    Summary::new(&Tally::default(), Sequences::default(), 0.0)
}

/// Publishes, and ends the ring.
fn go_on(
    options: &Options,
    messages: Messages,
    publisher: impl Outlet,
    attendance: &Attendance,
    stop: &AtomicBool,
    leave: &AtomicBool,
) -> Result<(), Failure> {
    report(options, publisher.ring());
    if let Err(error) = options.placement.lock() {
        if publisher.ring().published() > 0 {
            // Not closed: its subscribers wait for a publisher that can lock it.
            publisher.leave();
        }
        return Err(error.into());
    }
    // After locking, so that the mapping of the watching thread is not locked.
    attendance.begin(options);
    let mut run = Run { options, messages, publisher, span: None, cuts: Cuts::default() };
    let first = run.publisher.ring().published();
    let epoch = run.publisher.ring().epoch();
    let result = run.publish(stop);
    let next = run.publisher.ring().published();
    let seconds = run.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9);
    let summary = run.publisher.summary(Sequences { first, next, lost: 0, skipped: 0 }, seconds);
    let left_out = run.publisher.left_out();
    // The segment of a publisher that is cut off is damaged: nobody could go on with it.
    let leaves = (options.keep_open || leave.load(Ordering::Relaxed)) && !run.publisher.is_cut_off();
    let closed = if leaves {
        run.publisher.leave();
        info!(ring = options.title(), published = next - first, sequence = next, "ring left open");
        let how = match options.serve {
            None => "left open for the next publisher",
            Some(_) => "left to the next publisher, whose ring is a new one",
        };
        say(format_args!("feed-publisher: {}: {how}, at sequence {next}", options.title()));
        Ok(())
    } else {
        let closed = run.publisher.close();
        info!(ring = options.title(), published = next - first, sequence = next, "ring closed");
        closed
    };
    let passed = run.messages.passed_over();
    if passed.total() > 0 {
        say(format_args!("feed-publisher: {}: passed over {passed} (--strict ends there)", run.messages.name()));
    }
    let published = Published {
        epoch,
        passed_over: passed.counts().into_iter().chain(left_out).collect(),
        gaps_cut: run.cuts.count,
        seconds_cut: run.cuts.nanoseconds as f64 / 1e9,
    };
    let printed = print(&Summary { published: Some(published), ..summary }, stop, options.summary);
    result?;
    closed.map_err(anyhow::Error::new)?;
    Ok(printed?)
}

/// Reports on standard error what was found under the ring's name, and which options could not be met.
fn report(options: &Options, publisher: &impl Ring) {
    let (ring, epoch, next) = (options.title(), publisher.epoch(), publisher.published());
    log_created(options, publisher);
    if epoch > 1 {
        say(format_args!("feed-publisher: {ring}: taken over: epoch {epoch} begins at sequence {next}"));
    } else if next > 0 {
        say(format_args!("feed-publisher: {ring}: replaced by a new ring, which begins at sequence {next}"));
    }
    if options.wake != Some(WakeChoice::Fence) && publisher.wake() == Wake::Fence {
        let refused = match options.wake {
            Some(WakeChoice::Thread) => "another thread",
            Some(_) => "membarrier",
            None => "membarrier or another thread",
        };
        say(format_args!(
            "feed-publisher: {ring}: the kernel refuses {refused}: fencing after each message (--wake fence)"
        ));
    }
    if options.placement.huge_pages || options.placement.numa_node.is_some() {
        let placed = match publisher.placement() {
            Ok(placed) => placed,
            Err(error) => return say(format_args!("feed-publisher: {ring}: cannot tell where its memory is: {error}")),
        };
        if let Some(missing) = placed.huge_pages_missing().filter(|_| options.placement.huge_pages) {
            say(format_args!("feed-publisher: {ring}: huge pages: {missing}"));
        }
        if let Some(node) = options.placement.numa_node
            && let Some(missing) = placed.missing_from_node(node)
        {
            say(format_args!("feed-publisher: {ring}: NUMA node {node}: {missing} (--fresh)"));
        }
    }
}

/// Logs how the ring was created, and how it wakes its subscribers.
fn log_created(options: &Options, publisher: &impl Ring) {
    let (epoch, sequence) = (publisher.epoch(), publisher.published());
    let what = match (epoch, sequence) {
        (2.., _) => "ring taken over",
        (_, 1..) => "ring made, which supersedes an older one",
        _ => "ring created",
    };
    let wake = publisher.wake().name();
    info!(ring = options.title(), epoch, sequence, capacity = publisher.capacity(), wake, "{what}");
    if options.wake != Some(WakeChoice::Fence) && publisher.wake() == Wake::Fence {
        warn!(ring = options.title(), "the kernel refuses membarrier or another thread: fencing after each message");
    }
}

fn open(options: &Options, stop: &Arc<AtomicBool>) -> Result<Messages, SourceError> {
    Ok(match &options.input {
        Some(path) => {
            let format = options.format.and_then(FormatChoice::format);
            let input = input::open_as(options.carried.into(), path, format, Arc::clone(stop))?;
            Messages::Input(input.strict(options.strict))
        }
        None => Messages::Synthetic(Box::new(Synthetic::new(options.seed))),
    })
}

/// The options of a ring, or of one with its table.
fn configure<T>(options: &Options, created: PublisherOptions<T>) -> PublisherOptions<T> {
    let created = created
        .capacity(options.capacity)
        .mode(options.mode)
        .ahead(if options.ahead == 2 { Ahead::Two } else { Ahead::One })
        .huge_pages(options.placement.huge_pages);
    let created = match options.placement.numa_node {
        Some(node) => created.numa_node(node),
        None => created,
    };
    let created = match options.group {
        Some(gid) => created.group(gid),
        None => created,
    };
    let created = match options.wake {
        Some(wake) => created.wake(wake.into()),
        None => created,
    };
    match &options.serve {
        Some(path) => {
            let served = options.allow_uid.iter().fold(created.serve(path), |created, &uid| created.allow_uid(uid));
            let served = options.allow_gid.iter().fold(served, |created, &gid| created.allow_gid(gid));
            served.max_clients(options.max_clients())
        }
        None => created.root(&options.root).keep(options.keep).fresh(options.fresh),
    }
}

/// The error with the flag that helps, if there is one.
fn explain(error: CreateError, options: &Options) -> Failure {
    match error {
        CreateError::Capacity { .. } => Failure::Usage(format!("--capacity: {error}")),
        CreateError::SlotSize { .. } => Failure::Usage(format!("--slot-size: {error}")),
        CreateError::Mode { .. } => Failure::Usage(format!("--mode: {error}")),
        CreateError::Io { ref source, .. }
            if options.group.is_some() && source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Failure::Runtime(anyhow::anyhow!(
                "{error}: a publisher may only give a group that it is in (--group NAME|GID)"
            ))
        }
        CreateError::AlreadyPublished { .. } | CreateError::Owner { .. } | CreateError::NotARing { .. } => {
            let flag = if options.serve.is_some() { "--serve PATH" } else { "--ring NAME" };
            Failure::Runtime(anyhow::anyhow!("{error} ({flag})"))
        }
        CreateError::Io { ref source, .. } => {
            let (directory, place) = match &options.serve {
                Some(socket) => (socket.parent().unwrap_or(socket), "--serve PATH"),
                None => (&*options.root, "--root DIR"),
            };
            Failure::Runtime(anyhow::anyhow!("{error}: {}", remedy::ring(source, directory, place)))
        }
        CreateError::NoRoom { .. }
        | CreateError::MemoryLimit { .. }
        | CreateError::NoMemory { .. }
        | CreateError::FileSizeLimit { .. } => Failure::Runtime(anyhow::anyhow!("{error} (--capacity N)")),
        CreateError::NoInodes { .. } if options.serve.is_none() => {
            Failure::Runtime(anyhow::anyhow!("{error}, or choose another (--root DIR)"))
        }
        other => Failure::Runtime(anyhow::Error::new(other)),
    }
}

struct Run<'a, P> {
    options: &'a Options,
    messages: Messages,
    publisher: P,
    /// The times of the first and the last message, ns since 1970.
    span: Option<(u64, u64)>,
    cuts: Cuts,
}

impl<P: Outlet> Run<'_, P> {
    /// Publishes until the input ends, the count is reached, or `stop` is set.
    fn publish(&mut self, stop: &AtomicBool) -> Result<(), anyhow::Error> {
        self.wait_for_subscribers(stop)?;
        let mut pacer = Pacer::new(self.options.pace(), self.options.max_gap());
        let mut progress = Progress::new(self.options.count, self.messages.bytes());
        // The `clear` message is not part of --count.
        let count = self.options.count.unwrap_or(u64::MAX).saturating_add(self.clear(stop));
        let result = loop {
            if self.publisher.count() == count || stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            let next = self.publisher.take(&mut self.messages);
            if let Some(warning) = self.messages.take_warning() {
                let name = self.messages.name();
                progress.say(format_args!("feed-publisher: {name}: {warning}; the feed goes on (said once)"));
            }
            let captured = match next {
                Ok(Some(captured)) => captured,
                Ok(None) | Err(SourceError { reason: Reason::Stopped, .. }) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            if let Some(gap) = pacer.schedule(captured) {
                self.cut(gap, &progress);
                self.cuts = pacer.cuts();
            }
            let messages = self.publisher.count();
            let Some(moment) = pacer.wait(stop, |left| progress.waiting(messages, left)) else { break Ok(()) };
            if let Err(refused) = self.send(moment)
                && let Err(error) = self.say_refused(refused, &progress)
            {
                break Err(error);
            }
            if self.publisher.is_cut_off() {
                break Err(anyhow::anyhow!(
                    "{}: its segment was cut short by somebody who may write to it: see to that, and start again",
                    self.publisher.ring().path().unwrap_or(&self.options.root).display()
                ));
            }
            progress.update(moment.now, self.publisher.count(), || self.messages.bytes_read());
        };
        progress.finish();
        result
    }

    /// Says at the first gap that gaps are cut.
    #[cold]
    fn cut(&self, gap: Duration, progress: &Progress) {
        if self.cuts.count == 0 {
            progress.say(format_args!(
                "feed-publisher: {}: {} without an event in the capture: waiting at most {} (--max-gap SECONDS, 0 for no \
                 limit); further ones are counted in the summary",
                self.messages.name(),
                readable::duration(gap),
                readable::duration(self.options.max_gap().unwrap_or_default()),
            ));
        }
    }

    #[inline]
    fn send(&mut self, moment: Moment) -> Result<(), Refused> {
        let sent = self.publisher.publish(moment, &self.messages);
        self.note(moment);
        sent
    }

    fn note(&mut self, moment: Moment) {
        let first = self.span.map_or(moment.now, |(first, _)| first);
        self.span = Some((first, moment.now));
    }

    /// Says that there is no room for something. An error if --strict asks for it.
    #[cold]
    fn say_refused(&self, refused: Refused, progress: &Progress) -> Result<(), anyhow::Error> {
        let Refused { what, consequence } = refused;
        let what = format!("{}: {what}", self.options.title());
        if self.options.strict {
            return Err(anyhow::anyhow!("{what}"));
        }
        progress.say(format_args!("feed-publisher: {what}: {consequence}; further ones are counted in the summary"));
        Ok(())
    }

    /// Publishes the `clear` message if --clear asks for it and the ring had messages before. Returns the number of
    /// messages published.
    fn clear(&mut self, stop: &AtomicBool) -> u64 {
        if !self.options.clear || self.publisher.ring().published() == 0 || stop.load(Ordering::Relaxed) {
            return 0;
        }
        let cleared = self.publisher.clear(&self.messages);
        cleared.into_iter().for_each(|moment| self.note(moment));
        u64::from(cleared.is_some())
    }

    fn wait_for_subscribers(&self, stop: &AtomicBool) -> Result<(), anyhow::Error> {
        /// After this long it reports that it is waiting.
        const PATIENCE: Duration = Duration::from_secs(1);
        let wanted = self.options.wait_for_subscribers;
        let begun = Instant::now();
        let mut reported = false;
        loop {
            if wanted == 0 || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let attached = self.publisher.ring().subscribers().map_err(remedy::failed("count the subscribers"))?;
            if attached >= wanted {
                return Ok(());
            }
            if !reported && begun.elapsed() > PATIENCE {
                reported = true;
                say(format_args!(
                    "feed-publisher: {}: {attached} of {wanted} subscribers attached, waiting (Ctrl-C to give up)",
                    self.options.title()
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Prints the summary to standard output. A closed pipe is not an error.
fn print(summary: &Summary, stop: &AtomicBool, format: SummaryFormat) -> Result<(), anyhow::Error> {
    let text = match format {
        SummaryFormat::Text => summary.to_text(),
        SummaryFormat::Json => summary.to_json() + "\n",
    };
    stdout::print_summary(&text, stop).context("cannot print the summary")
}
