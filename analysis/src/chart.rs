//! Figures as SVG: curves over time, a strip of shares below them, estimates with their intervals,
//! shares in bins.
//!
//! Every function draws for one [`Size`] and yields the text of an SVG file with its own colours;
//! [`themed`] makes of it what stands in a page and follows the page's colours.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::stats::Interval;

pub use plotters::prelude::SeriesLabelPosition as Corner;

/// Told apart by the colour-blind too (after Okabe and Ito 2008).
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 97, 0),
    RGBColor(0, 158, 115),
    RGBColor(148, 71, 150),
    RGBColor(86, 180, 233),
    RGBColor(153, 112, 0),
];

/// Of the palette, for the parts of a whole: none is that of one of the first three curves.
const PARTS: [RGBColor; 3] = [PALETTE[4], PALETTE[5], PALETTE[3]];

/// Where a strip lies below the curves, whose range is [0, 1].
const STRIP: Range<f64> = -0.13..-0.04;

/// The width and height of a figure, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For a page, 820 x 420.
    Wide,
    /// For a phone, 380 x 340.
    Narrow,
}

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw `{title}`: {problem}")]
pub struct ChartError {
    title: String,
    problem: String,
}

/// A curve with, where there is one, its band. A point that is no finite number is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What the legend calls it; curves of one name share it and their colour.
    pub name: String,
    /// (x, y)
    pub points: Vec<(f64, f64)>,
    /// (x, low, high)
    pub band: Vec<(f64, f64, f64)>,
}

/// What was the case over x, as shares of up to three parts that add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip<'a> {
    /// What the legend calls the parts.
    pub names: [&'a str; 3],
    /// (x, the share of each part from there to the next x); the last goes on to the end.
    pub shares: Vec<(f64, [f64; 3])>,
    /// A line across all at this x, with its name.
    pub mark: Option<(&'a str, f64)>,
}

/// What is written around a figure; units belong into the names of the axes.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    /// Above the figure.
    pub title: &'a str,
    /// Below it.
    pub x: &'a str,
    /// Beside it.
    pub y: &'a str,
    /// The corner that the figure leaves free.
    pub legend: Corner,
}

/// An estimate with its interval, a line of [`intervals`].
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// What it is of.
    pub name: String,
    /// Finite.
    pub value: f64,
    /// `None`: only the value is drawn.
    pub interval: Option<Interval>,
}

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws `curves` over `x` and `y`.
///
/// # Errors
/// That the drawing library refused.
pub fn lines(
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    curves: &[Curve],
    size: Size,
) -> Result<String, ChartError> {
    drawn(labels.title, size.pixels(), |area| {
        let scale_from = y.start;
        let mut chart = plane(area, labels, x, y, scale_from, size)?;
        // The title says what a single curve is.
        if add_curves(&mut chart, curves)? > 1 { legend(&mut chart, labels, size) } else { Ok(()) }
    })
}

/// Draws `curves`, which lie in [0, 1], over `x`, and below them `strip`.
///
/// # Errors
/// As [`lines`].
pub fn lines_over_strip(
    labels: &Labels<'_>,
    x: Range<f64>,
    curves: &[Curve],
    strip: &Strip<'_>,
    size: Size,
) -> Result<String, ChartError> {
    drawn(labels.title, size.pixels(), |area| {
        let mut chart = plane(area, labels, x.clone(), STRIP.start..1.0, 0.0, size)?;
        add_curves(&mut chart, curves)?;
        let runs: Vec<_> = strip.shares.chunk_by(|a, b| a.1 == b.1).map(|run| run[0]).collect();
        let ends = runs.iter().skip(1).map(|(start, _)| *start).chain([x.end]);
        let mut bars = [const { Vec::new() }; 3];
        for ((start, shares), end) in runs.iter().zip(ends) {
            let mut floor = STRIP.start;
            for (part, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                let top = floor + share * (STRIP.end - STRIP.start);
                bars[part].push(Rectangle::new([(*start, floor), (end, top)], PARTS[part].filled()));
                floor = top;
            }
        }
        for ((bars, name), colour) in bars.into_iter().zip(strip.names).zip(PARTS) {
            add_bars(&mut chart, bars, name, colour)?;
        }
        if let Some((name, at)) = strip.mark {
            let line = |from, to| PathElement::new(vec![from, to], BLACK.stroke_width(2));
            chart
                .draw_series([line((at, STRIP.start), (at, 1.0))])?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], BLACK.stroke_width(2)));
        }
        legend(&mut chart, labels, size)
    })
}

/// Draws one estimate below the other, each as a dot on the line of its interval.
///
/// # Errors
/// As [`lines`].
pub fn intervals(title: &str, x: &str, estimates: &[Estimate], size: Size) -> Result<String, ChartError> {
    let ends = estimates.iter().flat_map(|estimate| {
        let interval = estimate.interval.unwrap_or(Interval { low: estimate.value, high: estimate.value });
        [interval.low, interval.high]
    });
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let margin = if high > low { 0.08 * (high - low) } else { 0.5 };
    let rows = estimates.len() as f64;
    let (width, _) = size.pixels();
    drawn(title, (width, 110 + 48 * estimates.len() as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", size.title()))
            .margin(12)
            .margin_right(28)
            .x_label_area_size(44)
            .build_cartesian_2d(low - margin..high + margin, 0.0..rows)?;
        chart
            .configure_mesh()
            .x_desc(x)
            .label_style(("sans-serif", size.text()))
            .axis_desc_style(("sans-serif", size.text()))
            .x_labels(if size == Size::Wide { 10 } else { 5 })
            .x_label_formatter(&number_format(&(low - margin..high + margin)))
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (row, estimate) in estimates.iter().enumerate() {
            let y = rows - row as f64 - 0.7;
            let colour = PALETTE[row % PALETTE.len()];
            if let Some(Interval { low, high }) = estimate.interval {
                chart.draw_series([PathElement::new(
                    vec![(low, y), (high, y)],
                    colour.mix(0.5).stroke_width(9),
                )])?;
            }
            chart.draw_series([Circle::new((estimate.value, y), 4, colour.filled())])?;
            let name =
                Text::new(estimate.name.clone(), (low - margin, y + 0.55), ("sans-serif", size.text()));
            chart.draw_series([name])?;
        }
        Ok(())
    })
}

/// Draws up to three shares in `bins` of equal width over [0, 1], on top of each other; a bin of
/// which the shares are not finite stays empty.
///
/// # Errors
/// As [`lines`].
pub fn shares(labels: &Labels<'_>, series: &[(&str, Vec<f64>)], size: Size) -> Result<String, ChartError> {
    drawn(labels.title, size.pixels(), |area| {
        let mut chart = plane(area, labels, 0.0..1.0, 0.0..1.0, 0.0, size)?;
        let bins = series.first().map_or(0, |(_, shares)| shares.len());
        let mut floor = vec![0.0; bins];
        for (i, (name, shares)) in series.iter().enumerate() {
            let mut bars = Vec::new();
            for (bin, share) in shares.iter().enumerate() {
                if share.is_finite() && *share > 0.0 {
                    let (left, right) =
                        ((bin as f64 + 0.06) / bins as f64, (bin as f64 + 0.94) / bins as f64);
                    let corners = [(left, floor[bin]), (right, floor[bin] + share)];
                    bars.push(Rectangle::new(corners, PARTS[i % PARTS.len()].filled()));
                    floor[bin] += share;
                }
            }
            add_bars(&mut chart, bars, name, PARTS[i % PARTS.len()])?;
        }
        legend(&mut chart, labels, size)
    })
}

/// `svg` for the inside of a page: its ink is the text's colour, paper and colours are the page's
/// `--paper` and `--curve-1` to `--curve-6` where it has them; `description` is what a screen reader says.
pub fn themed(svg: &str, description: &str) -> String {
    let hex = |RGBColor(r, g, b): RGBColor| format!("\"#{r:02X}{g:02X}{b:02X}\"");
    let mut page = svg.replace(&hex(BLACK), "\"currentColor\"");
    page = page.replace(&hex(WHITE), "\"var(--paper, #FFFFFF)\"");
    for (number, colour) in (1..).zip(PALETTE) {
        let plain = hex(colour);
        page = page.replace(&plain, &format!("\"var(--curve-{number}, {})\"", plain.trim_matches('"')));
    }
    let escaped = description.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    page.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{escaped}\" "), 1)
}

impl Size {
    fn pixels(self) -> (u32, u32) {
        match self {
            Size::Wide => (820, 420),
            Size::Narrow => (380, 340),
        }
    }

    fn title(self) -> u32 {
        if self == Size::Wide { 20 } else { 15 }
    }

    fn text(self) -> u32 {
        if self == Size::Wide { 14 } else { 12 }
    }
}

fn drawn(
    title: &str,
    pixels: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, pixels).into_drawing_area();
    let outcome = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area));
    outcome
        .and_then(|()| area.present().map_err(Into::into))
        .map_err(|error| ChartError { title: title.to_owned(), problem: error.to_string() })?;
    drop(area);
    Ok(svg)
}

/// The axes and the mesh; what lies below `scale_from` is on no scale.
fn plane<'a, 'b>(
    area: &'a Area<'b>,
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    scale_from: f64,
    size: Size,
) -> Result<Plane<'a, 'b>, Box<dyn Error>> {
    let (x_format, y_format) = (number_format(&x), number_format(&y));
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, ("sans-serif", size.title()))
        .margin(12)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(labels.x)
        .y_desc(labels.y)
        .label_style(("sans-serif", size.text()))
        .axis_desc_style(("sans-serif", size.text()))
        .x_labels(if size == Size::Wide { 10 } else { 5 })
        .x_label_formatter(&x_format)
        .y_label_formatter(&|value| if *value < scale_from - 1e-9 { String::new() } else { y_format(value) })
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(chart)
}

/// Draws curves and names each colour once; how many names there are.
fn add_curves(chart: &mut Plane<'_, '_>, curves: &[Curve]) -> Result<usize, Box<dyn Error>> {
    let mut names: Vec<&str> = Vec::new();
    for curve in curves {
        let known = names.iter().position(|name| *name == curve.name);
        let colour = PALETTE[known.unwrap_or(names.len()) % PALETTE.len()];
        for band in curve.band.split(|(_, low, high)| !(low + high).is_finite()) {
            let upper = band.iter().map(|&(x, _, high)| (x, high));
            let lower = band.iter().rev().map(|&(x, low, _)| (x, low));
            if !band.is_empty() {
                let corners: Vec<_> = upper.chain(lower).collect();
                chart.draw_series([Polygon::new(corners, colour.mix(0.18))])?;
            }
        }
        for points in curve.points.split(|(_, y)| !y.is_finite()) {
            if let [(x, y)] = *points {
                chart.draw_series([Circle::new((x, y), 2, colour.filled())])?;
            } else if !points.is_empty() {
                chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            }
        }
        if known.is_none() {
            names.push(&curve.name);
            // A series without a point carries the name: the curve itself may have gaps.
            let nothing = chart.draw_series(LineSeries::new([], colour.stroke_width(2)))?;
            nothing
                .label(curve.name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
    }
    Ok(names.len())
}

fn add_bars(
    chart: &mut Plane<'_, '_>,
    bars: Vec<Rectangle<(f64, f64)>>,
    name: &str,
    colour: RGBColor,
) -> Drawn {
    chart
        .draw_series(bars)?
        .label(name)
        .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], colour.filled()));
    Ok(())
}

fn legend<'a, 'b: 'a>(chart: &mut Plane<'a, 'b>, labels: &Labels<'_>, size: Size) -> Drawn {
    chart
        .configure_series_labels()
        .position(labels.legend.clone())
        .label_font(("sans-serif", size.text()))
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// As many decimals as the range needs; thousands as k.
fn number_format(range: &Range<f64>) -> impl Fn(&f64) -> String + use<> {
    let span = range.end - range.start;
    move |&value| match span {
        span if span >= 20_000.0 => format!("{:.0}k", value / 1e3),
        span if span >= 10.0 => format!("{value:.0}"),
        span if span >= 0.5 => format!("{value:.1}"),
        span if span >= 0.05 => format!("{value:.2}"),
        _ => format!("{value:.2e}"),
    }
}

/// The corners of a curve that keeps each height until the next time, from (0, 1) on.
pub fn steps(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners = vec![(0.0, 1.0)];
    let mut height = 1.0;
    for (time, next) in points {
        corners.push((time, height));
        corners.push((time, next));
        height = next;
    }
    corners
}

/// A range that holds all finite values of `values` with a little room, `None` if there are none.
pub fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let room = if high > low { 0.05 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    (low <= high).then_some(low - room..high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels<'static> {
        Labels { title: "a title", x: "time", y: "height", legend: Corner::UpperLeft }
    }

    #[test]
    fn steps_hold_their_height() {
        let corners = steps([(2.0, 0.5), (5.0, 0.0)].into_iter());
        assert_eq!(corners, [(0.0, 1.0), (2.0, 1.0), (2.0, 0.5), (5.0, 0.5), (5.0, 0.0)]);
    }

    #[test]
    fn draws_each_curve_and_names_each_colour_once() {
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            band: vec![(0.0, 0.0, 0.1), (1.0, 0.9, 1.0)],
        };
        let curves = [curve("one"), curve("two"), curve("one")];
        let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &curves, Size::Wide).unwrap();
        for text in ["a title", "time", "height"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
        }
        for (name, count) in [("one", 1), ("two", 1)] {
            assert_eq!(svg.matches(&format!("\n{name}\n")).count(), count, "{name}");
        }
        assert_eq!(svg.matches("<polygon").count(), 3);
    }

    #[test]
    fn nothing_is_drawn_across_a_gap() {
        let points = vec![(0.0, 0.1), (0.2, 0.2), (0.4, f64::NAN), (0.6, f64::INFINITY), (0.8, 0.3)];
        let curve = Curve { name: "one".to_owned(), points, band: Vec::new() };
        let svg = lines(&labels(), 0.0..1.0, 0.0..1.0, &[curve], Size::Narrow).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let blue = |element: &str| {
            svg.lines().filter(|line| line.contains(element) && line.contains("#0072B2")).count()
        };
        // One piece of the curve; the point behind the gap stands alone.
        assert_eq!((blue("<polyline"), blue("<circle")), (1, 1), "{svg}");
    }

    /// Places with the same shares share a bar, parts without a share have none, and the mark and all
    /// names are there.
    #[test]
    fn a_strip_has_a_bar_for_each_part_of_each_run() {
        let curve =
            Curve { name: "dirt".to_owned(), points: vec![(0.0, 0.0), (10.0, 1.0)], band: Vec::new() };
        let whole = |part: usize| std::array::from_fn(|i| if i == part { 1.0 } else { 0.0 });
        let strip = Strip {
            names: ["a", "b", "c"],
            shares: vec![(0.0, whole(0)), (2.0, whole(0)), (4.0, [0.5, 0.0, 0.5]), (8.0, whole(1))],
            mark: Some(("lost", 6.0)),
        };
        let svg = lines_over_strip(&labels(), 0.0..10.0, &[curve], &strip, Size::Wide).unwrap();
        let bars = |colour: RGBColor| -> Vec<[f64; 4]> {
            let hex = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
            let drawn = svg.lines().filter(|line| line.starts_with("<rect") && line.contains(&hex));
            let number = |line: &str, name: &str| -> f64 {
                let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
                rest.split_once('"').unwrap().0.parse().unwrap()
            };
            drawn.map(|line| ["x", "y", "width", "height"].map(|name| number(line, name))).collect()
        };
        let [a, b, c] = PARTS.map(bars);
        // The last of each is its legend.
        assert_eq!((a.len(), b.len(), c.len()), (3, 2, 2), "{svg}");
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() <= 2.0, "{found}, {expected}");
        near(a[0][2], a[1][2]); // 0 to 4, 4 to 8
        near(b[0][2], a[1][2] / 2.0); // 8 to 10
        near(a[1][3], a[0][3] / 2.0); // half of the height
        near(c[0][1] + c[0][3], a[1][1]); // above it
        for name in ["a", "b", "c", "dirt", "lost", "1.0", "0.0"] {
            assert_eq!(svg.matches(&format!("\n{name}\n")).count(), 1, "{name}");
        }
        assert!(!svg.contains("\n-0.1\n"), "the strip is on no scale");
    }

    #[test]
    fn an_estimate_without_interval_has_no_line() {
        let one = |name: &str, interval| Estimate { name: name.to_owned(), value: 2.0, interval };
        let both = [one("a", Some(Interval { low: 1.0, high: 3.0 })), one("b", None)];
        let svg = intervals("a title", "return", &both, Size::Wide).unwrap();
        let lines =
            |colour| svg.lines().filter(|l| l.contains("stroke-width=\"9\"") && l.contains(colour)).count();
        assert_eq!((lines("#0072B2"), lines("#E66100")), (1, 0), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
    }

    #[test]
    fn in_a_page_no_colour_is_fixed_and_texts_are_escaped() {
        let svg =
            shares(&labels(), &[("a <b>", vec![0.5, f64::NAN]), ("c", vec![0.5, f64::NAN])], Size::Wide);
        let page = themed(&svg.unwrap(), "shares of \"a <b>\"");
        assert!(!page.contains("\"#"), "{page}");
        assert!(page.contains("aria-label=\"shares of &quot;a &lt;b>&quot;\""));
        assert!(page.contains("a &lt;b&gt;") && page.contains("var(--curve-6, #997000)"));
    }

    #[test]
    fn a_range_has_room() {
        let r = range([1.0, f64::NAN, 3.0].into_iter()).unwrap();
        assert!(r.start < 1.0 && r.end > 3.0);
        assert_eq!(range([f64::NAN].into_iter()), None);
        let flat = range([2.0].into_iter()).unwrap();
        assert!(flat.start < 2.0 && flat.end > 2.0);
    }
}
