//! The screen, from top to bottom: a title, the grid with the numbers beside it, the keys.

use std::env::var;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;
use resonetics_view::colour::{cividis, indexed, is_light};
use resonetics_view::scene::{Cells, Node, Scene};

use super::shown::View;
use crate::view::show::RATES;

const KEYS: &str = "space pause   s step   + - speed   q quit";
/// Columns of the numbers; a grid of 4x4 nodes and they fill 80 columns.
pub(super) const READINGS: u16 = 30;
/// Columns of the numbers, and of the curves beside them, where the rows are few.
const NARROW: u16 = 24;
/// Columns and rows of a node with its numbers, and of its distance to the next.
const NODE: [u16; 2] = [11, 3];
/// From clean to dirty, where there are no colours.
const LETTERS: &[u8] = b".:-=+*#%@";

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ink {
    /// No colours: levels are letters.
    Plain,
    /// The 256 colours that nearly every terminal has.
    Indexed,
    /// All of them.
    Full,
}

impl Ink {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, which ssh does not hand on, and `TERM`.
    pub(super) fn of_terminal() -> Ink {
        let set = |name| var(name).unwrap_or_default();
        Ink::of(&set("NO_COLOR"), &set("COLORTERM"), &set("TERM"))
    }

    pub(super) fn of(no_color: &str, colorterm: &str, term: &str) -> Ink {
        // vt100, vt220 and their kind; the console of Linux has 8 colours, none of them between two others.
        let old = term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let plain =
            old || matches!(term, "linux" | "ansi") || term.ends_with("-m") || term.ends_with("-mono");
        match colorterm {
            _ if !no_color.is_empty() => Ink::Plain,
            "truecolor" | "24bit" => Ink::Full,
            _ if plain => Ink::Plain,
            _ => Ink::Indexed,
        }
    }

    fn colour(self, share: f64) -> Color {
        match self {
            Ink::Plain => Color::Reset,
            Ink::Indexed => Color::Indexed(indexed(share)),
            Ink::Full => {
                let [red, green, blue] = cividis(share);
                Color::Rgb(red, green, blue)
            }
        }
    }

    /// `share` behind text that can be read on it.
    fn behind_text(self, share: f64) -> Style {
        let light = is_light(cividis(share));
        let text = match self {
            Ink::Plain => Color::Reset,
            Ink::Indexed => Color::Indexed(if light { 16 } else { 231 }),
            Ink::Full if light => Color::Rgb(0, 0, 0),
            Ink::Full => Color::Rgb(255, 255, 255),
        };
        Style::new().fg(text).bg(self.colour(share))
    }
}

/// Draws all of it into whatever room there is.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, ink: Ink) {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [title, middle, keys] = Layout::vertical(rows).areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    named(frame, title, &view.title, &state(view), bold);
    let readings = view.scene.readings.len() as u16;
    // A curve is a row of text and one of itself at least.
    let curves = 2 * view.scene.trends.len() as u16;
    let tall = middle.height >= readings + curves;
    let aside = !tall && middle.height >= readings.max(curves) && middle.width >= 3 * NARROW + 2;
    let width = if aside { 2 * NARROW + 1 } else { READINGS.min(middle.width / 2) };
    let columns = [Constraint::Fill(1), Constraint::Length(width)];
    let [grid, beside] = Layout::horizontal(columns).spacing(1).areas(middle);
    let [numbers, trends] = if aside {
        Layout::horizontal([Constraint::Fill(1); 2]).spacing(1).areas(beside)
    } else {
        let apart = u16::from(middle.height > readings + curves);
        Layout::vertical([Constraint::Length(readings + apart), Constraint::Fill(1)]).areas(beside)
    };
    let hint =
        if tall || aside { String::new() } else { format!("{} rows show all   ", readings + curves + 2) };
    last_line(frame, keys, &(hint + KEYS), legend(&view.scene, grid, ink));
    match &view.scene.cells {
        Cells::Garden { dirt, gardeners } => {
            let dirt: Vec<f64> = dirt.iter().map(|&dirt| dirt.into()).collect();
            field(frame.buffer_mut(), grid, &dirt, view.scene.grid, gardeners, ink);
        }
        Cells::Cluster { nodes, agent } => cluster(frame.buffer_mut(), grid, &view.scene, nodes, *agent, ink),
    }
    for (row, (name, text)) in numbers.rows().zip(&view.scene.readings) {
        named(frame, row, name, text, Style::new());
    }
    let each: [Rect; 3] = Layout::vertical([Constraint::Fill(1); 3]).areas(trends);
    for ((area, (name, share)), past) in each.into_iter().zip(view.scene.trends).zip(&view.past) {
        let [label, curve] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        named(frame, label, name, &format!("{:.0}%", 100.0 * share), Style::new());
        // Eighths of a cell are seen; thousandths do not round them.
        let shares = squeezed(past, curve.width.into()).map(|share| (1000.0 * share.clamp(0.0, 1.0)) as u64);
        let style = Style::new().fg(ink.colour(0.75));
        frame.render_widget(Sparkline::default().data(shares).max(1000).style(style), curve);
    }
}

/// A name and, at the right, what it has: the name gives way, and a text without room is not cut, for a
/// part of a number is another number.
fn named(frame: &mut Frame<'_>, row: Rect, name: &str, text: &str, style: Style) {
    let text = Line::styled(text, style);
    let text = if text.width() > row.width.into() { Line::styled("…", style) } else { text };
    // With a column between the two.
    let widths = [Constraint::Fill(1), Constraint::Length((text.width() as u16 + 1).min(row.width))];
    let [left, right] = Layout::horizontal(widths).areas(row);
    frame.render_widget(Line::styled(name, style), left);
    frame.render_widget(text.right_aligned(), right);
}

/// The keys, and what the marks mean where there is room for both.
fn last_line(frame: &mut Frame<'_>, row: Rect, keys: &str, legend: String) {
    let style = Style::new().add_modifier(Modifier::DIM);
    let (keys, legend) = (Line::styled(keys, style), Line::styled(legend, style).right_aligned());
    if keys.width() + 2 + legend.width() <= row.width.into() {
        frame.render_widget(legend, row);
    }
    frame.render_widget(keys, row);
}

fn legend(scene: &Scene, area: Rect, ink: Ink) -> String {
    let (mark, much) = if ink == Ink::Plain { ("o", "@") } else { ("●", "bright") };
    match scene.cells {
        Cells::Garden { .. } => format!("{mark} gardener   {much} dirty"),
        Cells::Cluster { .. } if fit(scene.grid, area) && ink == Ink::Plain => {
            "[ ] agent   ! critical".to_owned()
        }
        Cells::Cluster { .. } if fit(scene.grid, area) => "[ ] agent   ! critical   bright full".to_owned(),
        Cells::Cluster { .. } => format!("{mark} agent   {much} full memory"),
    }
}

/// At most `width` of the values, evenly spaced, the last one last.
fn squeezed(past: &[f64], width: usize) -> impl Iterator<Item = f64> {
    let shown = past.len().min(width);
    (0..shown).map(move |i| past[(i + 1) * past.len() / shown - 1])
}

fn state(view: &View) -> String {
    match view.scene.ending {
        Some(ending) => ending.to_owned(),
        None if view.paused => format!("paused · {} steps/s", RATES[view.rate]),
        None => format!("{} steps/s", RATES[view.rate]),
    }
}

/// Shares of `[rows, columns]` as half blocks, with marks on some cells: whole multiples of a grid that is
/// smaller than the area, means of neighbours where it is larger.
fn field(buffer: &mut Buffer, area: Rect, shares: &[f64], grid: [usize; 2], marks: &[[usize; 2]], ink: Ink) {
    let room = [2 * usize::from(area.height), usize::from(area.width)];
    let Some(size) = fitted(grid, room) else { return };
    let pixels = scaled(shares, grid, size);
    let pixel = |row: usize, column: usize| pixels.get(row * size[1] + column).copied();
    let at = |row: usize, column: usize| (area.x + column as u16, area.y + (row / 2) as u16);
    for row in (0..size[0]).step_by(2) {
        for column in 0..size[1] {
            let Some(upper) = pixel(row, column) else { continue };
            let lower = pixel(row + 1, column);
            let cell = &mut buffer[at(row, column)];
            if ink == Ink::Plain {
                cell.set_char(letter(mean(upper, lower)));
            } else {
                cell.set_char('▀').set_fg(ink.colour(upper));
                cell.set_bg(lower.map_or(Color::Reset, |lower| ink.colour(lower)));
            }
        }
    }
    for mark in marks {
        let [row, column] = [0, 1].map(|i| mark[i] * size[i] / grid[i]);
        let first = row - row % 2;
        let Some(upper) = pixel(first, column) else { continue };
        let cell = &mut buffer[at(row, column)];
        if ink == Ink::Plain {
            cell.set_char('o').set_style(Style::new().add_modifier(Modifier::REVERSED));
        } else {
            cell.set_char('●').set_style(ink.behind_text(mean(upper, pixel(first + 1, column))));
        }
    }
}

fn mean(upper: f64, lower: Option<f64>) -> f64 {
    f64::midpoint(upper, lower.unwrap_or(upper))
}

fn letter(share: f64) -> char {
    let level = (share * LETTERS.len() as f64) as usize;
    LETTERS[level.min(LETTERS.len() - 1)].into()
}

/// The size at which a grid fits: a whole multiple, or else as large as the room; none without room.
fn fitted(grid: [usize; 2], room: [usize; 2]) -> Option<[usize; 2]> {
    let [rows, columns] = grid;
    let times = (room[0] / rows.max(1)).min(room[1] / columns.max(1));
    if times > 0 {
        return Some([rows * times, columns * times]);
    }
    let side = |length: usize| {
        let by_rows = length * room[0] / rows;
        by_rows.min(length * room[1] / columns)
    };
    let size = [side(rows), side(columns)];
    (size[0] > 0 && size[1] > 0).then_some(size)
}

/// A grid at another size; each of its cells goes into exactly one mean.
fn scaled(shares: &[f64], grid: [usize; 2], size: [usize; 2]) -> Vec<f64> {
    let range = |axis: usize, i: usize| {
        let from = i * grid[axis] / size[axis];
        from..((i + 1) * grid[axis] / size[axis]).max(from + 1)
    };
    let mut out = Vec::with_capacity(size[0] * size[1]);
    for row in 0..size[0] {
        for column in 0..size[1] {
            let (rows, columns) = (range(0, row), range(1, column));
            let cells = (rows.len() * columns.len()) as f64;
            let sum: f64 =
                rows.flat_map(|row| columns.clone().map(move |column| shares[row * grid[1] + column])).sum();
            out.push(sum / cells);
        }
    }
    out
}

/// Whether there is room for the numbers of all nodes.
fn fit([rows, columns]: [usize; 2], area: Rect) -> bool {
    let fits = |cells: usize, each: u16, room: u16| cells * usize::from(each) <= usize::from(room);
    fits(columns, NODE[0], area.width) && fits(rows, NODE[1], area.height)
}

/// Nodes with their numbers where there is room, else the memories as a field.
fn cluster(buffer: &mut Buffer, area: Rect, scene: &Scene, nodes: &[Node], agent: [usize; 2], ink: Ink) {
    let columns = scene.grid[1];
    if !fit(scene.grid, area) {
        let memory: Vec<f64> = nodes.iter().map(|node| node.memory.into()).collect();
        return field(buffer, area, &memory, scene.grid, &[agent], ink);
    }
    for (i, node) in nodes.iter().enumerate() {
        let (row, column) = (i / columns, i % columns);
        let (x, y) = (area.x + column as u16 * NODE[0], area.y + row as u16 * NODE[1]);
        let critical = if node.critical { '!' } else { ' ' };
        let memory = format!("{:3.0}%", 100.0 * node.memory);
        let memory = if node.out_of_memory { "full" } else { &memory };
        let lines = [
            (format!("cpu{:3.0}%{critical}", 100.0 * node.cpu), node.cpu),
            (format!("mem{memory} "), node.memory),
        ];
        for (line, (text, share)) in (0..).zip(lines) {
            buffer.set_string(x + 1, y + line, text, ink.behind_text(share.into()));
            if [row, column] == agent {
                let bold = Style::new().add_modifier(Modifier::BOLD);
                buffer.set_string(x, y + line, "[", bold);
                buffer.set_string(x + 9, y + line, "]", bold);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_fit_by_whole_multiples_or_shrink() {
        assert_eq!(fitted([60, 60], [44, 49]), Some([44, 44]));
        assert_eq!(fitted([8, 8], [44, 49]), Some([40, 40]));
        assert_eq!(fitted([64, 32], [32, 80]), Some([32, 16]));
        assert_eq!(fitted([64, 3], [2, 80]), None, "three columns would share no pixel");
        assert_eq!(fitted([60, 60], [0, 49]), None);
    }

    #[test]
    fn shrinking_takes_means_and_loses_no_cell() {
        let shares = [0.0, 1.0, 0.5, 0.5, 0.25, 0.75, 1.0, 0.0, 0.5];
        assert_eq!(scaled(&shares, [3, 3], [1, 1]), [4.5 / 9.0]);
        assert_eq!(scaled(&[0.0, 1.0, 0.5, 0.1], [2, 2], [1, 2]), [0.25, 0.55]);
        // Weighed by their cells the means give the sum, whatever the sizes.
        let shares: Vec<f64> = (0..60 * 60).map(|i| f64::from(i % 7) / 7.0).collect();
        let small = scaled(&shares, [60, 60], [44, 44]);
        let cells = |i: usize| ((i + 1) * 60 / 44 - i * 60 / 44) as f64;
        let sum: f64 = (0..44 * 44).map(|i| small[i] * cells(i / 44) * cells(i % 44)).sum();
        assert!((sum - shares.iter().sum::<f64>()).abs() < 1e-9);
        assert_eq!(scaled(&[0.0, 1.0], [1, 2], [2, 4]), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn the_whole_past_is_squeezed_into_a_curve() {
        let of = |past: &[f64], width| squeezed(past, width).collect::<Vec<_>>();
        assert_eq!(of(&[0.1, 0.2], 5), [0.1, 0.2]);
        assert_eq!(of(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 3), [0.2, 0.4, 0.6]);
        assert_eq!(of(&[0.1, 0.2, 0.3], 2), [0.1, 0.3]);
        assert!(of(&[0.1], 0).is_empty() && of(&[], 3).is_empty());
    }

    #[test]
    fn letters_cover_the_shares() {
        assert_eq!([0.0, 0.12, 0.5, 0.99, 1.0].map(letter), ['.', ':', '+', '@', '@']);
    }
}
