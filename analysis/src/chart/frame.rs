//! What is around every figure: title, key, axes and mesh, and how numbers are written on them.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{DashedPathElement, DynElement, IntoDynElement};
use plotters::prelude::*;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) type Drawn = Result<(), Box<dyn Error>>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const MARGIN: u32 = 12;
/// Room beside a plane for the numbers of the y axis and its name.
const Y_LABELS: u32 = 58;
/// Before each name of the key: a piece of what it names, and a gap behind that.
const SAMPLE: u32 = 18;
const GAP: u32 = 6;
/// From one name of the key to the next.
const APART: u32 = 20;
/// Lines of a title at most.
const LINES: usize = 4;

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

/// What is written around a figure; units belong into the names of the axes.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    /// Above the figure.
    pub title: &'a str,
    /// Below it.
    pub x: &'a str,
    /// Beside it.
    pub y: &'a str,
}

impl Size {
    pub(super) fn width(self) -> u32 {
        if self == Size::Wide { 820 } else { 380 }
    }

    pub(super) fn height(self) -> u32 {
        if self == Size::Wide { 420 } else { 340 }
    }

    pub(super) fn title(self) -> u32 {
        if self == Size::Wide { 21 } else { 18 }
    }

    /// The library draws letters of four fifths of this.
    pub(super) fn text(self) -> u32 {
        if self == Size::Wide { 16 } else { 15 }
    }

    /// Letters that fit between the margins.
    pub(super) fn letters(self) -> usize {
        ((self.width() - 48) * 20 / (self.text() * 11)) as usize
    }

    pub(super) fn x_labels(self) -> usize {
        if self == Size::Wide { 10 } else { 5 }
    }
}

/// How a curve is drawn; where there are more curves than colours, a colour comes again with dashes.
#[derive(Clone, Copy)]
pub(super) struct Stroke {
    pub colour: RGBColor,
    /// Pixels that are drawn and left out in turn.
    pub dashes: Option<(u32, u32)>,
}

impl Stroke {
    pub(super) fn path<'b, C: Clone + 'static>(
        self,
        points: Vec<C>,
    ) -> DynElement<'static, SVGBackend<'b>, C> {
        let style = self.colour.stroke_width(2);
        match self.dashes {
            None => PathElement::new(points, style).into_dyn(),
            Some((on, off)) => DashedPathElement::new(points, on, off, style).into_dyn(),
        }
    }
}

/// How something is drawn that has a name in the key.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Line(Stroke),
    Bar(RGBColor),
}

/// A key: names with what they stand for, in rows above the plane, so that it covers nothing.
pub(super) struct Key {
    /// Name, ink, and where it stands: x and row.
    entries: Vec<(String, Ink, i32, u32)>,
    row_height: u32,
}

impl Key {
    pub(super) fn new<'a>(names: impl Iterator<Item = (&'a str, Ink)>, size: Size) -> Key {
        // Half an em is a little more than most letters take; those of East Asia take twice as much.
        let width = |name: &str| name.width() as u32 * size.text() * 11 / 20;
        let (left, right) = (MARGIN + Y_LABELS, size.width() - MARGIN);
        let letters = ((right - left - SAMPLE - GAP) * 20 / (size.text() * 11)) as usize;
        let (mut x, mut row) = (left, 0);
        let (names, inks): (Vec<&str>, Vec<Ink>) = names.unzip();
        let entries = distinct(names.into_iter(), letters).into_iter().zip(inks).map(|(name, ink)| {
            let needed = SAMPLE + GAP + width(&name);
            if x > left && x + needed > right {
                (x, row) = (left, row + 1);
            }
            let entry = (name, ink, x as i32, row);
            x += needed + APART;
            entry
        });
        Key { entries: entries.collect(), row_height: size.text() + 8 }
    }

    fn height(&self) -> u32 {
        self.entries.last().map_or(0, |(.., row)| (row + 1) * self.row_height)
    }

    fn draw(&self, area: &Area<'_>, size: Size) -> Drawn {
        for (name, ink, x, row) in &self.entries {
            let y = (row * self.row_height + self.row_height / 2) as i32;
            let end = x + SAMPLE as i32;
            match ink {
                Ink::Line(stroke) => area.draw(&stroke.path(vec![(*x, y), (end, y)]))?,
                Ink::Bar(colour) => {
                    area.draw(&Rectangle::new([(*x + 2, y - 5), (end - 2, y + 5)], colour.filled()))?;
                }
            }
            let text = (end + GAP as i32, y - size.text() as i32 / 2);
            area.draw(&Text::new(name.as_str(), text, ("sans-serif", size.text())))?;
        }
        Ok(())
    }
}

/// `text` in lines of at most `letters`, a word that is longer being cut; the last one says that there is
/// more than a title should have.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in visible(text).split(' ') {
        let word = shortened(word, letters);
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].width() + 1 + word.width() > letters {
            if lines.len() == LINES {
                lines[last] += " …";
                break;
            }
            lines.push(word);
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last] += &format!("{space}{word}");
        }
    }
    lines
}

/// `names` as a figure writes them: in at most `letters`, with nothing invisible in them, and no two of
/// different ones alike.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a str>, letters: usize) -> Vec<String> {
    let whole: Vec<&str> = names.collect();
    let short: Vec<String> = whole.iter().map(|name| shortened(&visible(name), letters)).collect();
    let alike = |place: usize| {
        short.iter().zip(&whole).any(|(other, of)| *other == short[place] && *of != whole[place])
    };
    let numbered = |place: usize| {
        let number = format!("{}: ", place + 1);
        let rest = letters.saturating_sub(number.len()).max(1);
        if alike(place) { number + &shortened(&visible(whole[place]), rest) } else { short[place].clone() }
    };
    (0..whole.len()).map(numbered).collect()
}

/// `name` with what leaves no ink, or turns the direction of what follows, written out. What joins letters
/// stays where there are such: in Persian and Hindi, and in emoji.
pub fn visible(name: &str) -> String {
    let mut shown = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        let joins = matches!(letter, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}') && !before.is_ascii();
        let invisible = letter.is_control()
            || letter != ' ' && letter.is_whitespace()
            || !joins
                && matches!(letter,
                    '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                    | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
                    | '\u{e0000}'..='\u{e0fff}');
        if invisible {
            shown += &letter.escape_unicode().to_string();
        } else {
            shown.push(letter);
        }
        before = letter;
    }
    shown
}

/// The end of a name of more than `letters`: that of a path tells more than its beginning.
fn shortened(name: &str, letters: usize) -> String {
    if name.width() <= letters {
        return name.to_owned();
    }
    let mut room = letters.saturating_sub(1);
    let end = name.char_indices().rev().take_while(|(_, letter)| {
        let width = letter.width().unwrap_or_default();
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    });
    let start = end.last().map_or(name.len(), |(at, _)| at);
    format!("…{}", &name[start..])
}

/// An SVG of `height` pixels and a key, under `title`.
pub(super) fn framed(
    title: &str,
    key: &Key,
    height: u32,
    size: Size,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    let title_lines = wrapped(title, ((size.width() - 2 * MARGIN) * 20 / (size.title() * 9)) as usize);
    let more = (title_lines.len() as u32 - 1) * size.title() + key.height();
    let root = SVGBackend::with_string(&mut svg, (size.width(), height + more)).into_drawing_area();
    let all = || -> Drawn {
        root.fill(&WHITE)?;
        let mut below_title = root.margin(MARGIN, 0, 0, 0);
        for line in &title_lines {
            below_title = below_title.titled(line, ("sans-serif", size.title()))?;
        }
        let (above, plane) = below_title.split_vertically(key.height());
        key.draw(&above, size)?;
        draw(&plane)?;
        Ok(root.present()?)
    };
    let outcome = all();
    drop(root);
    match outcome {
        Ok(()) => Ok(svg),
        Err(error) => Err(ChartError { title: title.to_owned(), problem: error.to_string() }),
    }
}

/// What stands beside the heights of a plane.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// The heights, from this one on; what lies below is on no scale.
    From(f64),
    /// Of heights that are logarithms to base 10 the powers of ten.
    Log10,
}

/// The axes and the mesh.
pub(super) fn plane<'a, 'b>(
    area: &'a Area<'b>,
    labels: &Labels<'_>,
    x: Range<f64>,
    y: Range<f64>,
    scale: Scale,
    size: Size,
) -> Result<Plane<'a, 'b>, Box<dyn Error>> {
    let y = match scale {
        Scale::From(_) => y,
        // Whole powers at the ends, so that the mesh lies on them.
        Scale::Log10 => y.start.floor()..y.end.ceil().max(y.start.floor() + 1.0),
    };
    let mut chart = builder(area).y_label_area_size(Y_LABELS).build_cartesian_2d(x.clone(), y.clone())?;
    let text = ("sans-serif", size.text());
    let plain = number_format(&y);
    let number = |value: &f64| match scale {
        Scale::From(from) if *value < from - 1e-9 => String::new(),
        Scale::From(_) => plain(value),
        Scale::Log10 => power(*value),
    };
    let mut mesh = chart.configure_mesh();
    if let Scale::Log10 = scale {
        mesh.y_labels((y.end - y.start) as usize + 1);
    }
    mesh.x_desc(labels.x)
        .y_desc(labels.y)
        .label_style(text)
        .axis_desc_style(text)
        .x_labels(size.x_labels())
        .x_label_formatter(&number_format(&x))
        .y_label_formatter(&number)
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(chart)
}

/// 10 to the power of a whole `logarithm`; what is between has no number.
fn power(logarithm: f64) -> String {
    match logarithm.round() {
        whole if (logarithm - whole).abs() > 1e-9 => String::new(),
        whole if (-2.0..=4.0).contains(&whole) => format!("{}", 10_f64.powi(whole as i32)),
        whole => format!("1e{whole:.0}"),
    }
}

/// A plane whose y axis has neither numbers nor lines.
pub(super) fn rows<'a, 'b>(
    area: &'a Area<'b>,
    x_name: &str,
    x: Range<f64>,
    y: Range<f64>,
    size: Size,
) -> Result<Plane<'a, 'b>, Box<dyn Error>> {
    let mut chart = builder(area).build_cartesian_2d(x.clone(), y)?;
    let text = ("sans-serif", size.text());
    chart
        .configure_mesh()
        .x_desc(x_name)
        .label_style(text)
        .axis_desc_style(text)
        .x_labels(size.x_labels())
        .x_label_formatter(&number_format(&x))
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(chart)
}

fn builder<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(MARGIN).margin_right(28).x_label_area_size(44);
    builder
}

/// As many decimals as a tenth of the range needs; thousands as k.
pub(super) fn number_format(range: &Range<f64>) -> impl Fn(&f64) -> String + use<> {
    let span = range.end - range.start;
    let decimals = (1.0 - span.log10()).ceil().max(0.0) as usize;
    move |&value| match value {
        _ if span >= 1e9 => format!("{value:.1e}"),
        _ if span >= 20_000.0 && value.abs() < 1e-6 => "0".to_owned(),
        _ if span >= 20_000.0 => format!("{:.0}k", value / 1e3),
        _ if decimals <= 5 => format!("{value:.decimals$}"),
        _ => format!("{value:.1e}"),
    }
}
