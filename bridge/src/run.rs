//! Runs an end of a bridge: a thread for each ring, then the summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use feed_program::failure::Failure;
use feed_program::say::{say, with_causes};
use feed_program::{remedy, stop};

use crate::options::{Command, Options, ReceiveArgs, RouteArgs, SendArgs};
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::summary::{self, Received, Sent};
use crate::zenoh::{Role, ZenohEngine};

/// Runs the program.
pub fn run(options: &Options) -> Result<(), Failure> {
    let stop = stop::on_signals().map_err(remedy::failed("handle signals"))?;
    feed_ring::guard::install().map_err(remedy::failed("guard against SIGBUS"))?;
    match &options.command {
        Command::Send(args) => send(args, &stop),
        Command::Receive(args) => receive(args, &stop),
        Command::Route(args) => route(args, &stop),
    }
}

fn send(args: &SendArgs, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    args.engine.check().map_err(Failure::Usage)?;
    let engine = ZenohEngine::open(&args.engine, Role::End)?;
    let each = args.each();
    let senders = each.iter().map(|options| Sender::new(&engine, options, stop)).collect::<Result<Vec<_>, _>>()?;
    let ran = in_threads(
        senders.into_iter().zip(&each).map(|(sender, options)| (&*options.ring, move || sender.run())),
        stop,
    );
    let summaries = ran.iter().filter_map(|(ring, result)| Some(Sent::of(ring, result.as_ref().ok()?)));
    summary::print(summaries.collect(), args.end.summary, stop)?;
    first_error(ran)
}

fn receive(args: &ReceiveArgs, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    args.engine.check().map_err(Failure::Usage)?;
    let engine = ZenohEngine::open(&args.engine, Role::End)?;
    let each = args.each();
    let receivers = each.iter().map(|options| Receiver::new(&engine, options, stop)).collect::<Result<Vec<_>, _>>()?;
    let ran = in_threads(
        receivers.into_iter().zip(&each).map(|(receiver, options)| (&*options.far.name, move || receiver.run())),
        stop,
    );
    let summaries = ran.iter().filter_map(|(ring, result)| Some(Received::of(ring, result.as_ref().ok()?)));
    summary::print(summaries.collect(), args.end.summary, stop)?;
    first_error(ran)
}

fn route(args: &RouteArgs, stop: &AtomicBool) -> Result<(), Failure> {
    args.engine.check().map_err(Failure::Usage)?;
    let _engine = ZenohEngine::open(&args.engine, Role::Router)?;
    say("feed-bridge: forwards");
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Runs each on a thread of its own until all have ended. An error of one does not end the others: it is said at once.
fn in_threads<'a, T: Send>(
    all: impl Iterator<Item = (&'a str, impl FnOnce() -> anyhow::Result<T> + Send)>,
    _stop: &AtomicBool,
) -> Vec<(&'a str, anyhow::Result<T>)> {
    thread::scope(|scope| {
        let running: Vec<_> = all
            .map(|(ring, run)| {
                let said = move || {
                    let result = run();
                    if let Err(error) = &result {
                        say(format_args!("feed-bridge: {}", with_causes(&**error)));
                    }
                    result
                };
                (ring, scope.spawn(said))
            })
            .collect();
        let joined = |(ring, thread): (&'a str, thread::ScopedJoinHandle<'_, anyhow::Result<T>>)| {
            (ring, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        };
        running.into_iter().map(joined).collect()
    })
}

/// Fails if any of them did. What it was has been said.
fn first_error<T>(ran: Vec<(&str, anyhow::Result<T>)>) -> Result<(), Failure> {
    let failed: Vec<_> = ran.iter().filter(|(_, result)| result.is_err()).map(|(ring, _)| *ring).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(anyhow::anyhow!("ended with an error: {}", failed.join(", ")).into()),
    }
}
