//! Runs an end of a bridge: a thread for each ring, then the summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use feed_program::failure::Failure;
use feed_program::say::{say, with_causes};
use feed_program::{remedy, stop};

use crate::engine_options::EngineOptions;
use crate::options::{Command, Options, ReceiveArgs, SendArgs};
use crate::receiver::Receiver;
use crate::route::route;
use crate::sender::Sender;
use crate::summary::{self, Received, Sent};
use crate::zenoh::ZenohEngine;

/// Runs the program.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let stop = stop::on_signals().map_err(remedy::failed("handle signals"))?;
    feed_ring::guard::install().map_err(remedy::failed("guard against SIGBUS"))?;
    match &options.command {
        Command::Send(args) => send(args, &stop),
        Command::Receive(args) => receive(args, &stop),
        Command::Route(options) => Ok(route(options, &|| stop.load(Ordering::Relaxed))?),
    }
}

fn send(args: &SendArgs, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    connects(&args.engine)?;
    let engine = ZenohEngine::open(&args.engine)?;
    let each = args.each();
    let senders = each.iter().map(|options| Sender::new(&engine, options, stop)).collect::<Result<Vec<_>, _>>()?;
    let ran =
        in_threads(senders.into_iter().zip(&each).map(|(sender, options)| (&*options.ring, move || sender.run())));
    let summaries = ran.iter().filter_map(|(ring, result)| Some(Sent::of(ring, result.as_ref().ok()?)));
    summary::print(summaries.collect(), args.end.summary, stop)?;
    first_error(ran)
}

fn receive(args: &ReceiveArgs, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    connects(&args.engine)?;
    let engine = ZenohEngine::open(&args.engine)?;
    let each = args.each();
    let receivers = each.iter().map(|options| Receiver::new(&engine, options, stop)).collect::<Result<Vec<_>, _>>()?;
    let ran = in_threads(
        receivers.into_iter().zip(&each).map(|(receiver, options)| (&*options.far.name, move || receiver.run())),
    );
    let summaries = ran.iter().filter_map(|(ring, result)| Some(Received::of(ring, result.as_ref().ok()?)));
    summary::print(summaries.collect(), args.end.summary, stop)?;
    first_error(ran)
}

/// An end that neither connects nor listens reaches nobody.
fn connects(engine: &EngineOptions) -> Result<(), Failure> {
    if engine.connect.is_empty() && engine.listen.is_empty() {
        let remedy = "give --connect ADDRESS, or --listen ADDRESS for the other side to connect to";
        return Err(Failure::Usage(format!("nowhere to connect to: {remedy}")));
    }
    let addresses = engine.connect_to().and_then(|_| engine.listen_at());
    addresses.map_err(|error| Failure::Usage(format!("{error:#}")))?;
    Ok(())
}

/// Runs each on a thread of its own until all have ended. An error of one does not end the others: it is said at once.
fn in_threads<'a, T: Send>(
    all: impl Iterator<Item = (&'a str, impl FnOnce() -> anyhow::Result<T> + Send)>,
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
