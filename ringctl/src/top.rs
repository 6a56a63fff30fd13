//! `top`: all rings live, on the whole terminal.

mod screen;
mod state;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::Outcome;
use crate::output::Output;
use crate::survey::{Rates, Survey};
use crate::top::state::State;

pub(crate) fn run(root: &Path, names: &[String], interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    // So that a root that is not there is an error and no empty screen.
    let first = Survey::take(root, names)?;
    if out.json {
        return lines(root, names, interval, out);
    }
    anyhow::ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "top needs a terminal: use top --json, or stat --watch, where there is none"
    );
    let mut state = State::new(root.display().to_string());
    state.update(first);
    let mut terminal = ratatui::try_init()?;
    let result = show(root, names, interval, &mut state, &mut terminal);
    ratatui::try_restore()?;
    result.map(|()| Outcome::Fine)
}

/// Without a terminal: a line of JSON each time.
fn lines(root: &Path, names: &[String], interval: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut rates = Rates::default();
    loop {
        let mut survey = Survey::take(root, names)?;
        rates.apply(&mut survey.rings);
        out.json(&survey)?;
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn show(
    root: &Path,
    names: &[String],
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
        state.update(Survey::take(root, names)?);
        next += interval;
        // After a stop (Ctrl-Z, a suspended machine) there is nothing to catch up with.
        next = next.max(Instant::now());
    }
}
