//! The plots: horizontal bars on a logarithmic scale, each as SVG and PNG, with the font inside the program.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    BLACK, Color as _, FontStyle, IntoFont as _, RGBColor, ShapeStyle, TextStyle, WHITE, register_font,
};

use crate::row::Kind;

use super::summary::{Contender, Report};

const WIDTH: u32 = 1100;
const BAR: u32 = 22;
const TOP: u32 = 64;
const BOTTOM: u32 = 64;
const LEFT: i32 = 270;
const RIGHT: i32 = 90;
/// The message that plots show, in bytes.
const PAYLOAD: usize = 56;
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

/// Draws all plots that have something to show into a directory.
///
/// # Errors
/// The drawing library's or the file system's.
pub fn draw_all(report: &Report, output: &Path) -> anyhow::Result<()> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).map_err(|_| anyhow!("the font is not valid"))?;
    register_font(FONT, FontStyle::Bold, dejavu::sans::bold()).map_err(|_| anyhow!("the font is not valid"))?;
    // One payload, or bars would mean different things; all there are when none has it.
    let shown = |row: &&Contender| row.kind == Kind::Limit || row.payload == PAYLOAD;
    let mut rows: Vec<&Contender> = report.contenders.iter().filter(shown).collect();
    if !rows.iter().any(|row| row.payload == PAYLOAD) {
        rows = report.contenders.iter().collect();
    }
    for plot in &PLOTS {
        let mut bars: Vec<(&Contender, f64)> =
            rows.iter().filter_map(|row| Some((*row, (plot.figure)(row)?))).collect();
        bars.retain(|&(_, value)| value.is_finite() && value > 0.0);
        bars.sort_by(|a, b| a.1.total_cmp(&b.1));
        if bars.is_empty() {
            continue;
        }
        let size = (WIDTH, TOP + BOTTOM + BAR * bars.len() as u32);
        let svg = output.join(format!("{}.svg", plot.file));
        draw(plot, report, &bars, &SVGBackend::new(&svg, size).into_drawing_area())
            .with_context(|| svg.display().to_string())?;
        let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
        draw(plot, report, &bars, &BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area())?;
        let path = output.join(format!("{}.png", plot.file));
        write_png(&path, size, &pixels).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn write_png(path: &Path, (width, height): (u32, u32), pixels: &[u8]) -> anyhow::Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}

fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Limit => RGBColor(150, 150, 150),
        Kind::Ring => RGBColor(0, 114, 178),
        Kind::Kernel => RGBColor(213, 94, 0),
        Kind::Peer => RGBColor(0, 158, 115),
        Kind::PeerThreads => RGBColor(144, 208, 186),
    }
}

fn draw<B: DrawingBackend>(
    plot: &Plot,
    report: &Report,
    bars: &[(&Contender, f64)],
    area: &DrawingArea<B, Shift>,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let text = |size: i32| TextStyle::from((FONT, size).into_font()).color(&BLACK);
    let failed = |error: plotters::drawing::DrawingAreaErrorKind<B::ErrorType>| anyhow!("drawing: {error}");
    area.fill(&WHITE).map_err(failed)?;
    let bold = TextStyle::from((FONT, 19, FontStyle::Bold).into_font()).color(&BLACK);
    area.draw(&Text::new(plot.title, (16, 12), bold)).map_err(failed)?;
    let origin = format!("{}, {}, {}", report.machine.cpu, report.kernel, report.date);
    area.draw(&Text::new(origin, (16, 38), text(13))).map_err(failed)?;
    draw_legend(bars, area)?;

    // Whole powers of ten around what is there.
    let (low, high) = bars.iter().fold((f64::MAX, f64::MIN), |(low, high), &(_, v)| (low.min(v), high.max(v)));
    let low = low.log10().floor();
    let high = high.log10().ceil().max(low + 1.0);
    let span = f64::from(WIDTH as i32 - LEFT - RIGHT);
    let x = |value: f64| LEFT + ((value.log10() - low) / (high - low) * span) as i32;
    let bottom = (TOP + BAR * bars.len() as u32) as i32;
    let below = |size| text(size).pos(Pos::new(HPos::Center, VPos::Top));
    for power in low as i32..=high as i32 {
        let at = x(10_f64.powi(power));
        let line = ShapeStyle::from(&RGBColor(221, 221, 221));
        area.draw(&PathElement::new(vec![(at, TOP as i32), (at, bottom)], line)).map_err(failed)?;
        area.draw(&Text::new(number(10_f64.powi(power)), (at, bottom + 5), below(13))).map_err(failed)?;
    }
    let center = (x(10_f64.powf(low)) + x(10_f64.powf(high))) / 2;
    area.draw(&Text::new(plot.axis, (center, bottom + 27), below(13))).map_err(failed)?;

    for (index, &(row, value)) in bars.iter().enumerate() {
        let top = TOP as i32 + index as i32 * BAR as i32;
        let middle = top + BAR as i32 / 2;
        let name = text(13).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(row.name.as_str(), (LEFT - 8, middle), name)).map_err(failed)?;
        let shape = Rectangle::new([(LEFT, top + 3), (x(value), top + BAR as i32 - 3)], color(row.kind).filled());
        area.draw(&shape).map_err(failed)?;
        let figure = text(12).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(number(value), (x(value) + 6, middle), figure)).map_err(failed)?;
    }
    area.present().map_err(failed)
}

fn draw_legend<B: DrawingBackend>(bars: &[(&Contender, f64)], area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let failed = |error: plotters::drawing::DrawingAreaErrorKind<B::ErrorType>| anyhow!("drawing: {error}");
    let mut at = WIDTH as i32 - 16;
    for kind in [Kind::PeerThreads, Kind::Peer, Kind::Kernel, Kind::Ring, Kind::Limit] {
        if bars.iter().any(|(row, _)| row.kind == kind) {
            let style = TextStyle::from((FONT, 13).into_font()).color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(kind.name(), (at, 22), style)).map_err(failed)?;
            at -= 9 * kind.name().len() as i32 + 8;
            area.draw(&Rectangle::new([(at - 12, 16), (at, 28)], color(kind).filled())).map_err(failed)?;
            at -= 28;
        }
    }
    Ok(())
}

/// A number as short as can be.
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
