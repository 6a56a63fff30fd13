//! The plots: horizontal bars on a logarithmic scale, as SVG.

use std::path::Path;

use anyhow::Context as _;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::row::Kind;

use super::contender::Contender;
use super::summary::Report;

/// Bytes in the messages that the plots show. Bars of different sizes would not compare.
const PAYLOAD: usize = 56;

const WIDTH: u32 = 1100;
const BAR_HEIGHT: u32 = 22;
/// Room for title, legend and axis.
const MARGINS: u32 = 150;
const FONT: &str = "sans-serif";

/// One plot.
struct Plot {
    file: &'static str,
    title: &'static str,
    axis: &'static str,
    figure: fn(&Contender) -> Option<f64>,
}

const PLOTS: [Plot; 4] = [
    Plot {
        file: "latency",
        title: "One way, ping-pong",
        axis: "times c2c, the bare transfer of one line between the cores",
        figure: |row| row.latency_over_c2c,
    },
    Plot {
        file: "paced",
        title: "A message every 10 us: from stamp to receipt",
        axis: "times c2c, the bare transfer of one line between the cores",
        figure: |row| row.paced.get(1).filter(|paced| paced.kept_pace).and_then(|paced| paced.over_c2c),
    },
    Plot {
        file: "stream",
        title: "Saturated stream: publisher per message",
        axis: "times c2c, the bare transfer of one line between the cores",
        figure: |row| row.stream_over_c2c,
    },
    Plot {
        file: "throughput",
        title: "Saturated stream: received per second",
        axis: "messages per second",
        figure: |row| row.received_per_second,
    },
];

/// Draws every plot that has a figure to show into a directory.
///
/// # Errors
/// The drawing library's or the file system's.
pub fn draw_all(report: &Report, output: &Path) -> anyhow::Result<()> {
    let mut rows: Vec<&Contender> = report.contenders.iter().collect();
    if rows.iter().any(|row| row.payload == PAYLOAD) {
        rows.retain(|row| row.kind == Kind::Limit || row.payload == PAYLOAD);
    }
    let origin = format!("{}, {}, {}", report.machine.cpu, report.kernel, report.date);
    for plot in &PLOTS {
        let mut bars: Vec<(&Contender, f64)> =
            rows.iter().filter_map(|row| Some((*row, (plot.figure)(row)?))).collect();
        bars.retain(|&(_, value)| value.is_finite() && value > 0.0);
        // The axis points up, so the last bar is the topmost.
        bars.sort_by(|a, b| b.1.total_cmp(&a.1));
        if !bars.is_empty() {
            let path = output.join(format!("{}.svg", plot.file));
            draw(plot, &origin, &bars, &path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn draw(plot: &Plot, origin: &str, bars: &[(&Contender, f64)], path: &Path) -> anyhow::Result<()> {
    let area = SVGBackend::new(path, (WIDTH, MARGINS + BAR_HEIGHT * bars.len() as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(plot.title, (FONT, 19))?.titled(origin, (FONT, 13))?;

    // Whole powers of ten around the figures.
    let (least, most) = (bars[bars.len() - 1].1, bars[0].1);
    let low = 10_f64.powf(least.log10().floor());
    let high = 10_f64.powf(most.log10().ceil()).max(low * 10.0);
    // Both ends of the range count. The library draws nothing in a range of one row.
    let last_row = bars.len().max(2) - 1;
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(80)
        .x_label_area_size(45)
        .y_label_area_size(255)
        .build_cartesian_2d((low..high).log_scale(), (0..last_row).into_segmented())?;
    let name = |row: &SegmentValue<usize>| match row {
        SegmentValue::CenterOf(index) => bars.get(*index).map_or_else(String::new, |(row, _)| row.name.clone()),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(bars.len())
        .label_style((FONT, 13))
        .x_desc(plot.axis)
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&name)
        .draw()?;

    for kind in [Kind::Limit, Kind::Ring, Kind::Kernel, Kind::Peer, Kind::PeerThreads] {
        let color = color(kind).filled();
        let of_kind = bars.iter().enumerate().filter(|(_, (row, _))| row.kind == kind);
        if of_kind.clone().next().is_none() {
            continue;
        }
        let shapes = of_kind.map(|(index, &(_, value))| {
            let corners = [(low, SegmentValue::Exact(index)), (value, SegmentValue::Exact(index + 1))];
            let mut bar = Rectangle::new(corners, color);
            bar.set_margin(3, 3, 0, 0);
            bar
        });
        let series = chart.draw_series(shapes)?;
        series.label(kind.name()).legend(move |(x, y)| Rectangle::new([(x, y - 6), (x + 12, y + 6)], color));
    }
    let beside = TextStyle::from((FONT, 12)).pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series(bars.iter().enumerate().map(|(index, &(_, value))| {
        let end = EmptyElement::at((value, SegmentValue::CenterOf(index)));
        end + Text::new(number(value), (6, 0), beside.clone())
    }))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .label_font((FONT, 13))
        .draw()?;
    Ok(area.present()?)
}

fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Limit => RGBColor(150, 150, 150),
        Kind::Ring | Kind::Table => RGBColor(0, 114, 178),
        Kind::Kernel => RGBColor(213, 94, 0),
        Kind::Peer => RGBColor(0, 158, 115),
        Kind::PeerThreads => RGBColor(144, 208, 186),
    }
}

/// A number in as few characters as possible.
fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", short(value / 1e6)),
        value if value >= 1e3 => format!("{} k", short(value / 1e3)),
        value => short(value),
    }
}

fn short(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 0.1 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_short() {
        let numbers = [0.001, 0.25, 1.0, 12.34, 600.0, 1_000.0, 25_632_413.0].map(super::number);
        assert_eq!(numbers, ["0.001", "0.25", "1", "12.3", "600", "1 k", "25.6 M"]);
    }
}
