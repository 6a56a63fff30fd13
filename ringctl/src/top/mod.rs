//! `top`: all rings live, on the whole terminal.

mod screen;
mod state;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::{Rates, Survey, Targets};
use crate::top::state::State;

pub(crate) fn run(mut targets: Targets<'_>, interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    // So that a root that is not there is an error and no empty screen.
    let first = look(&mut targets)?;
    if out.json {
        return lines(&mut targets, interval, out);
    }
    anyhow::ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "top needs a terminal: use top --json, or stat --watch, where there is none"
    );
    let mut state = State::new(targets.root().display().to_string());
    state.update(first);
    let mut terminal = ratatui::try_init()?;
    let result = show(&mut targets, interval, &mut state, &mut terminal);
    ratatui::try_restore()?;
    result.map(|()| Outcome::Fine)
}

fn look(targets: &mut Targets<'_>) -> anyhow::Result<Survey> {
    let (survey, root) = targets.look();
    root.map(|()| survey)
}

/// Without a terminal: a line of JSON each time.
fn lines(targets: &mut Targets<'_>, interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut rates = Rates::default();
    loop {
        let mut survey = look(targets)?;
        rates.apply(&mut survey.rings);
        out.json(&survey)?;
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn show(
    targets: &mut Targets<'_>,
    interval: Duration,
    state: &mut State,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    let mut next = Instant::now() + interval;
    loop {
        terminal.draw(|frame| screen::draw(frame, state))?;
        // Whatever happens on the keyboard, the next look comes when it is due.
        while event::poll(next.saturating_duration_since(Instant::now()))? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    let control = key.modifiers.contains(KeyModifiers::CONTROL);
                    match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                        KeyCode::Char('c') if control => return Ok(()),
                        KeyCode::Char('s') => state.sort_by_next(),
                        KeyCode::Char('r') => state.reverse(),
                        KeyCode::Down | KeyCode::Char('j') => state.select(1),
                        KeyCode::Up | KeyCode::Char('k') => state.select(-1),
                        _ => {}
                    }
                }
                Event::Resize(..) => {}
                _ => continue,
            }
            terminal.draw(|frame| screen::draw(frame, state))?;
        }
        state.update(look(targets)?);
        next += interval;
        // After a stop (Ctrl-Z, a suspended machine) there is nothing to catch up with.
        next = next.max(Instant::now());
    }
}
