//! `top`: all rings live, on a terminal.

mod screen;
mod state;

use std::io::{self, IsTerminal};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use feed_program::stdout::OutputError;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind};

use crate::outcome::Outcome;
use crate::output::Output;
use crate::screen::{Woken, ends, next as next_look, on_terminal, wait};
use crate::survey::{Rates, Survey, Targets};
use crate::top::state::State;

pub(crate) fn run(mut targets: Targets<'_>, interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    // A root that cannot be read is an error, not an empty screen.
    let first = survey(&mut targets)?;
    if out.json {
        return write_json(&mut targets, interval, out);
    }
    anyhow::ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "top needs a terminal: use top --json, or stat --watch, where there is none"
    );
    let mut state = State::new(targets.root().display().to_string());
    state.update(first);
    on_terminal(|stop, terminal| show(&mut targets, interval, &mut state, stop, terminal))
}

fn survey(targets: &mut Targets<'_>) -> anyhow::Result<Survey> {
    let (survey, root) = targets.survey();
    root.map(|()| survey)
}

/// JSON needs no terminal: one line for each survey.
fn write_json(targets: &mut Targets<'_>, interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    let (mut rates, mut of_tables) = (Rates::default(), Rates::default());
    loop {
        let mut survey = survey(targets)?;
        rates.apply(&mut survey.rings);
        of_tables.apply(&mut survey.tables);
        out.json(&survey)?;
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn show(
    targets: &mut Targets<'_>,
    interval: Duration,
    state: &mut State,
    stop: &AtomicBool,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    let mut next = Instant::now() + interval;
    loop {
        terminal.draw(|frame| screen::draw(frame, state)).map_err(OutputError::from)?;
        // Keys do not delay the next survey.
        match wait(next, stop)? {
            Woken::Signal => return Ok(()),
            Woken::Event(Event::Key(key)) if key.kind != KeyEventKind::Release => match key.code {
                _ if ends(&key) => return Ok(()),
                KeyCode::Char('s') => state.sort_by_next(),
                KeyCode::Char('r') => state.reverse(),
                KeyCode::Down | KeyCode::Char('j') => state.select(1),
                KeyCode::Up | KeyCode::Char('k') => state.select(-1),
                _ => {}
            },
            Woken::Event(_) => {}
            Woken::Due => {
                state.update(survey(targets)?);
                next = next_look(next, interval);
            }
        }
    }
}
