//! The screen of `top`: the rings above, and below them the selected one with its rate and its subscribers.

use feed_ring::inspect::REPORTED_EVERY;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, RenderDirection, Sparkline, TableState};

use crate::format::{count, rate};
use crate::screen::{keys, table};
use crate::subscribers::{COLUMNS, cells, share};
use crate::survey::{Snapshot, Subscriber};
use crate::table::{ALWAYS, Column};
use crate::top::state::State;

const RINGS: [Column<'static>; 8] = [
    Column { title: "NAME", right: false, rank: ALWAYS },
    Column { title: "PUBLISHER", right: false, rank: 5 },
    Column { title: "PUBLISHED", right: true, rank: 2 },
    Column { title: "RATE", right: true, rank: ALWAYS },
    Column { title: "CAPACITY", right: true, rank: 0 },
    Column { title: "SUBS", right: true, rank: 3 },
    Column { title: "LAG", right: true, rank: 6 },
    Column { title: "LOST", right: true, rank: 4 },
];

/// The remark follows the columns that `stat` has, too.
const REMARK: Column<'static> = Column { title: "", right: false, rank: 4 };

/// The height of the sparkline, if there is room.
const SPARKLINE: u16 = 4;

/// What the keys do.
const KEYS: [&str; 4] = ["q ends", "s sorts", "r reverses", "arrows select"];

pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) {
    let rings = state.survey.rings.len() as u16;
    let area = frame.area();
    // The rings take at most half of the screen.
    let lines = (rings + 1).min((area.height / 2).max(2));
    let keys = keys(&KEYS, area);
    let keys_lines = keys.len() as u16;
    let sparkline = if area.height >= lines + SPARKLINE + 5 + keys_lines { SPARKLINE } else { 0 };
    let areas: [Rect; 6] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(lines),
        Constraint::Length(1),
        Constraint::Length(sparkline),
        Constraint::Min(0),
        Constraint::Length(keys_lines),
    ])
    .areas(area);
    let [title, table_area, name, graph, subscribers, footer] = areas;
    let direction = if state.reversed { ", reversed" } else { "" };
    let others = match state.survey.others.len() {
        0 => String::new(),
        count => format!(", {count} not readable"),
    };
    let tables = match state.survey.tables.len() {
        0 => String::new(),
        1 => ", 1 table".to_owned(),
        count => format!(", {count} tables"),
    };
    let plural = if rings == 1 { "" } else { "s" };
    let heading = format!("{}: {rings} ring{plural}{tables}{others}, by {}{direction}", state.root, state.sort.name());
    frame.render_widget(Line::from(heading).bold(), title);
    frame.render_widget(Paragraph::new(keys.join("\n")).dim(), footer);
    let Some(selected) = state.selected() else {
        let tables = if state.survey.tables.is_empty() { "" } else { "; a table: ringctl table NAME --watch" };
        frame.render_widget(Paragraph::new(format!("no rings{tables}")), table_area);
        return;
    };
    draw_rings(frame, state, selected, table_area);
    let ring = &state.survey.rings[selected];
    draw_name(frame, ring, name);
    if graph.height > 0 {
        let history = state.history(&ring.name);
        // The newest on the right.
        let newest = history.iter().rev().copied();
        let sparkline = Sparkline::default().data(newest).direction(RenderDirection::RightToLeft);
        frame.render_widget(sparkline.style(Style::new().fg(Color::Cyan)), graph);
    }
    draw_subscribers(frame, ring, subscribers);
}

fn draw_rings(frame: &mut Frame<'_>, state: &State, selected: usize, area: Rect) {
    let cells = |ring: &Snapshot| {
        vec![
            ring.name.clone(),
            ring.publisher.to_owned(),
            count(ring.published),
            ring.rate.map_or("-".to_owned(), rate),
            count(ring.capacity),
            ring.subscribers.as_ref().map_or("?".to_owned(), |subscribers| subscribers.len().to_string()),
            ring.slowest_lag.map_or("-".to_owned(), count),
            count(ring.lost()),
        ]
    };
    let rows: Vec<_> = state.survey.rings.iter().map(cells).collect();
    let styles = state.survey.rings.iter().map(|ring| match ring.publisher {
        "alive" => Style::new(),
        "dead" | "unknown" => Style::new().fg(Color::Red),
        _ => Style::new().add_modifier(Modifier::DIM),
    });
    let table = table(&RINGS, &rows, styles.collect(), area.width, 0)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut at = TableState::new().with_selected(Some(selected));
    frame.render_stateful_widget(table, area, &mut at);
}

fn draw_name(frame: &mut Frame<'_>, ring: &Snapshot, area: Rect) {
    let now = ring.rate.map_or(String::new(), |now| format!(", {}", rate(now)));
    let text = format!("{} (pid {}, epoch {}{now}): {}", ring.name, ring.publisher_pid, ring.epoch, ring.message());
    frame.render_widget(Line::from(text).bold(), area);
}

fn draw_subscribers(frame: &mut Frame<'_>, ring: &Snapshot, area: Rect) {
    let Some(subscribers) = ring.subscribers.as_deref() else {
        frame
            .render_widget(Paragraph::new("subscribers unknown: the control file cannot be read").fg(Color::Red), area);
        return;
    };
    if subscribers.is_empty() {
        frame.render_widget(Paragraph::new("no subscribers").dim(), area);
        return;
    }
    // The slowest first: it is the one that users look for.
    let mut subscribers: Vec<&Subscriber> = subscribers.iter().collect();
    subscribers.sort_by(|a, b| b.lag.cmp(&a.lag).then(a.entry.cmp(&b.entry)));
    let slowest = subscribers.first().map_or(0, |subscriber| subscriber.lag);
    let share = |subscriber: &Subscriber| share(subscriber, ring.holds());
    let remark = |subscriber: &Subscriber| {
        // A subscriber reports its sequence only now and then: it may be this much further.
        if subscriber.lag >= ring.holds().saturating_add(REPORTED_EVERY) {
            "<- losing messages"
        } else if subscriber.lag == slowest && share(subscriber) >= 0.01 {
            "<- slowest"
        } else {
            ""
        }
    };
    let columns = [&COLUMNS[..], &[REMARK]].concat();
    let rows: Vec<_> = subscribers
        .iter()
        .map(|subscriber| [cells(subscriber, ring.holds()), vec![remark(subscriber).to_owned()]].concat())
        .collect();
    let styles = subscribers.iter().map(|subscriber| match share(subscriber) {
        share if share >= 0.5 => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        share if share >= 0.125 => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    });
    frame.render_widget(table(&columns, &rows, styles.collect(), area.width, 0), area);
}
