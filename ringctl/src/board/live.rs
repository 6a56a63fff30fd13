//! The rows of a table live on a terminal.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use feed_program::stdout::OutputError;
use ratatui::Frame;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::look::Look;
use crate::format::printable;
use crate::outcome::Outcome;
use crate::screen::{self, Woken, keys};

/// What the keys do.
const KEYS: [&str; 2] = ["q ends", "arrows and pages scroll"];

/// What is on the screen.
struct State {
    look: Look,
    /// Why the last look failed. The rows are those of the look before.
    problem: Option<String>,
    /// The first row that is shown.
    offset: usize,
    /// How many rows there is room for.
    room: usize,
}

/// Shows `first`, and what `look` returns each `interval`, until a key or a signal ends it.
pub(super) fn run(
    first: Look,
    interval: Duration,
    mut look: impl FnMut() -> anyhow::Result<Look>,
) -> anyhow::Result<Outcome> {
    let mut state = State { look: first, problem: None, offset: 0, room: 1 };
    screen::on_terminal(|stop, terminal| show(&mut state, interval, &mut look, stop, terminal))
}

fn show(
    state: &mut State,
    interval: Duration,
    look: &mut dyn FnMut() -> anyhow::Result<Look>,
    stop: &AtomicBool,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    let mut next = Instant::now() + interval;
    loop {
        terminal.draw(|frame| state.draw(frame)).map_err(OutputError::from)?;
        match screen::wait(next, stop)? {
            Woken::Signal => return Ok(()),
            Woken::Event(Event::Key(key)) if key.kind != KeyEventKind::Release => match key.code {
                _ if screen::ends(&key) => return Ok(()),
                KeyCode::Down | KeyCode::Char('j') => state.scroll(1),
                KeyCode::Up | KeyCode::Char('k') => state.scroll(-1),
                KeyCode::PageDown | KeyCode::Char(' ') => state.scroll(state.room as isize),
                KeyCode::PageUp => state.scroll(-(state.room as isize)),
                KeyCode::Home => state.offset = 0,
                KeyCode::End => state.scroll(isize::MAX),
                _ => {}
            },
            Woken::Event(_) => {}
            Woken::Due => {
                match look() {
                    Ok(look) => (state.look, state.problem) = (look, None),
                    // Its writer may come back, and make it again.
                    Err(error) => state.problem = Some(printable(&format!("{error:#}"))),
                }
                next = screen::next(next, interval);
            }
        }
    }
}

impl State {
    /// Moves by so many rows, down if positive. The last row stays at the bottom.
    fn scroll(&mut self, rows: isize) {
        let last = self.look.rows.len().saturating_sub(self.room);
        self.offset = self.offset.saturating_add_signed(rows).min(last);
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let keys = keys(&KEYS, area);
        let lines = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(keys.len() as u16)];
        let [title, rows, footer] = Layout::vertical(lines).areas(area);
        self.room = usize::from(rows.height.saturating_sub(1)).max(1);
        self.scroll(0);
        let heading = match (&self.problem, &self.look.unread) {
            (Some(problem), _) => Line::from(problem.clone()).fg(Color::Red).bold(),
            (None, Some((row, why))) => Line::from(format!("row {row}: {why}")).fg(Color::Red).bold(),
            (None, None) => Line::from(self.look.heading()).bold(),
        };
        frame.render_widget(heading, title);
        frame.render_widget(Paragraph::new(keys.join("\n")).dim(), footer);
        if self.look.rows.is_empty() {
            frame.render_widget(Paragraph::new("no rows").dim(), rows);
            return;
        }
        let style = |changed| match changed {
            true => Style::new().add_modifier(Modifier::BOLD),
            false => Style::new(),
        };
        // Widths are those of all rows, so that scrolling moves no column.
        let (cells, styles): (Vec<_>, Vec<_>) =
            self.look.cells().into_iter().zip(self.look.rows.iter().map(|row| style(row.changed))).unzip();
        let table = screen::table(&self.look.shape.columns(), &cells, styles, rows.width, self.offset);
        frame.render_widget(table, rows);
    }
}
