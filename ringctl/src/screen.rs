//! What `top` and `table --watch` have in common on a terminal: waiting for keys, the line of keys, and tables.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed_program::{remedy, stop};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table};

use crate::outcome::Outcome;
use crate::table::{Column, GAP, fitting, widths};

/// A signal is noticed this late.
const SIGNAL_NOTICED: Duration = Duration::from_millis(50);

/// Runs `show` on the terminal, which is as it was afterwards. A signal is told by the flag: unhandled, it would leave the terminal
/// without lines, echo and cursor.
pub(crate) fn on_terminal(
    show: impl FnOnce(&AtomicBool, &mut ratatui::DefaultTerminal) -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let stop = stop::on_signals().map_err(remedy::failed("handle signals"))?;
    let mut terminal = ratatui::try_init()?;
    let result = show(&stop, &mut terminal);
    ratatui::try_restore()?;
    result.map(|()| Outcome::Fine)
}

/// Whether a key ends what is shown: q, Esc or Ctrl-C.
pub(crate) fn ends(key: &KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

/// What ended a wait.
pub(crate) enum Woken {
    Event(Event),
    /// The time has come.
    Due,
    Signal,
}

/// Waits for a key, a new size of the terminal, the time `due`, or a signal.
pub(crate) fn wait(due: Instant, stop: &AtomicBool) -> io::Result<Woken> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(Woken::Signal);
        }
        let left = due.saturating_duration_since(Instant::now());
        if event::poll(left.min(SIGNAL_NOTICED))? {
            return event::read().map(Woken::Event);
        }
        if left <= SIGNAL_NOTICED {
            return Ok(Woken::Due);
        }
    }
}

/// When the look after the one that was due at `due` is due. After a stop (Ctrl-Z, a suspended machine) missed looks are not
/// caught up.
pub(crate) fn next(due: Instant, interval: Duration) -> Instant {
    (due + interval).max(Instant::now())
}

/// What the keys do, in as many lines as the width takes, but at most a quarter of the screen.
pub(crate) fn keys(keys: &[&str], area: Rect) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for key in keys {
        match lines.last_mut() {
            Some(line) if line.len() + GAP + key.len() <= area.width.into() => {
                line.push_str(&" ".repeat(GAP));
                line.push_str(key);
            }
            _ => lines.push((*key).to_owned()),
        }
    }
    lines.truncate((area.height / 4).max(1).into());
    lines
}

/// A table of the columns that fit, without its first `skipped` rows. The columns are as wide as all rows need.
pub(crate) fn table(
    columns: &[Column<'_>],
    rows: &[Vec<String>],
    styles: Vec<Style>,
    width: u16,
    skipped: usize,
) -> Table<'static> {
    let widths = widths(columns, rows);
    let shown = fitting(columns, &widths, width.into());
    let cell = |text: &str, index: usize| {
        let line = Line::from(text.to_owned());
        Cell::from(if columns[index].right { line.right_aligned() } else { line })
    };
    let titles = shown.iter().map(|&index| cell(columns[index].title, index));
    let header = Row::new(titles.collect::<Vec<_>>()).style(Style::new().add_modifier(Modifier::DIM));
    let rows = rows.iter().zip(styles).skip(skipped).map(|(row, style)| {
        Row::new(shown.iter().map(|&index| cell(&row[index], index)).collect::<Vec<_>>()).style(style)
    });
    let lengths = shown.iter().map(|&index| Constraint::Length(widths[index] as u16));
    Table::new(rows.collect::<Vec<_>>(), lengths.collect::<Vec<_>>()).header(header).column_spacing(GAP as u16)
}
