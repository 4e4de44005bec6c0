//! Scenes as pixels, for PNG and GIF files: the grid, and below it a caption, a curve with its scales and what
//! the colours mean.

use std::borrow::Cow;

use font8x8::legacy::BASIC_LEGACY;
use gif::{DisposalMethod, Encoder, Frame, Repeat};

use crate::colour::{Rgb, cividis};
use crate::scene::{Cells, Node, Scene};

/// There is no memory for a picture or a film.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode the picture: {0}")]
pub struct PictureError(String);

/// Pixels are numbers of colours: these, and behind them the ramp.
const COLOURS: [Rgb; 5] = [[0x14, 0x18, 0x1f], [0xff; 3], [0; 3], [0xd5, 0x5e, 0x00], [0x80; 3]];
const BACKGROUND: u8 = 0;
const LIGHT: u8 = 1;
const DARK: u8 = 2;
/// Out of memory.
const ALARM: u8 = 3;
/// In a film: as in the frame before.
const UNCHANGED: u8 = 4;
/// Fewer levels make smaller files.
const LEVELS: u8 = 12;

/// The side of a grid, where cells of whole pixels allow it, and the least width of a picture.
const SIDE: usize = 300;
/// The least side of a node: two bars and a frame.
const NODE: usize = 8;
const GLYPH: usize = 8;
const MARGIN: usize = 4;
/// A line of text with its distance to the next.
const LINE: usize = GLYPH + MARGIN;
const CAPTION: usize = 2 * LINE + MARGIN;
const CURVE: usize = 40;
/// The curve's axis, the scale of the colours and two lines of marks.
const FOOT: usize = MARGIN + 4 * LINE;
/// At the right of the curve, for its scale.
const GUTTER: usize = 4 * GLYPH + 2 * MARGIN;
/// A level of the colours in their scale.
const LEVEL: usize = 8;

/// The number of the colour of a share.
fn shade(share: f64) -> u8 {
    let level = (share.clamp(0.0, 1.0) * f64::from(LEVELS - 1)).round() as u8;
    COLOURS.len() as u8 + level
}

/// Red, green and blue of each colour, one behind the other.
fn palette() -> Vec<u8> {
    let ramp = (0..LEVELS).map(|level| cividis(f64::from(level) / f64::from(LEVELS - 1)));
    COLOURS.into_iter().chain(ramp).flatten().collect()
}

/// The past of a show for the curve below the grid: the first trend after each step so far, of as many
/// steps as the whole width stands for.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// In `[0, 1]`.
    pub values: &'a [f64],
    /// How many the width stands for.
    pub steps: usize,
}

/// Where the cells of a grid are: narrow ones stand in the middle.
#[derive(Clone, Copy)]
struct Grid {
    left: usize,
    columns: usize,
    /// Pixels of a side.
    cell: usize,
}

impl Grid {
    /// The upper left pixel of a cell.
    fn at(self, row: usize, column: usize) -> [usize; 2] {
        [self.left + column * self.cell, row * self.cell]
    }
}

/// Two lines, short enough for the least width.
fn caption(scene: &Scene) -> [String; 2] {
    let [first, second] = [0, 1].map(|i| format!("{} {}", scene.readings[i].0, scene.readings[i].1));
    let (name, share) = scene.trends[0];
    let ending = scene.ending.map_or_else(String::new, |ending| format!("   {ending}"));
    [format!("{first}   {second}"), format!("{name} {:.0}%{ending}", 100.0 * share)]
}

/// What the colours mean, behind their scale.
fn meaning(cells: &Cells) -> &'static str {
    match cells {
        Cells::Garden { .. } => "dirt of a cell",
        Cells::Cluster { .. } => "in use",
    }
}

/// A mark, if there is one, by the colours of its frame and of its inside, and what it means.
type Mark = (Option<[u8; 2]>, &'static str);

/// The marks in two lines.
fn marks(cells: &Cells) -> [&'static [Mark]; 2] {
    match cells {
        Cells::Garden { .. } => [&[(Some([DARK, LIGHT]), "gardener")], &[(None, "curve: mean dirt")]],
        Cells::Cluster { .. } => [
            &[(Some([LIGHT, DARK]), "agent"), (Some([ALARM, DARK]), "out of memory")],
            &[(Some([BACKGROUND, DARK]), "critical"), (None, "bars: cpu, memory")],
        ],
    }
}

/// A picture of numbered colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    /// Row by row.
    pixels: Vec<u8>,
}

impl Picture {
    /// Draws a scene.
    pub fn of(scene: &Scene, past: Past<'_>) -> Picture {
        let [rows, columns] = scene.grid;
        let least = if matches!(scene.cells, Cells::Cluster { .. }) { NODE } else { 1 };
        let cell = (SIDE / rows.max(columns).max(1)).max(least);
        let (width, below) = ((columns * cell).max(SIDE), rows * cell);
        let height = below + CAPTION + CURVE + FOOT;
        let mut picture = Picture { width, height, pixels: vec![BACKGROUND; width * height] };
        let grid = Grid { left: (width - columns * cell) / 2, columns, cell };
        match &scene.cells {
            Cells::Garden { dirt, gardeners } => picture.garden(grid, dirt, gardeners),
            Cells::Cluster { nodes, agent } => picture.cluster(grid, nodes, *agent),
        }
        for (number, line) in caption(scene).iter().enumerate() {
            picture.write(MARGIN, below + MARGIN + number * LINE, line);
        }
        picture.curve(below + CAPTION, past, scene.readings[0].0);
        picture.legend(below + CAPTION + CURVE + MARGIN + LINE, &scene.cells);
        picture
    }

    fn garden(&mut self, grid: Grid, dirt: &[f32], gardeners: &[[usize; 2]]) {
        let cell = grid.cell;
        for (i, &dirt) in dirt.iter().enumerate() {
            let [x, y] = grid.at(i / grid.columns, i % grid.columns);
            self.fill(x, y, cell, cell, shade(dirt.into()));
        }
        for &[row, column] in gardeners {
            let [x, y] = grid.at(row, column);
            self.fill(x, y, cell, cell, DARK);
            // An edge keeps them apart from clean cells and from dirty ones.
            let edge = usize::from(cell > 2);
            self.fill(x + edge, y + edge, cell - 2 * edge, cell - 2 * edge, LIGHT);
        }
    }

    /// A node's cpu as the left bar, its memory as the right one; light corners are critical nodes, a light
    /// frame is the agent.
    fn cluster(&mut self, grid: Grid, nodes: &[Node], agent: [usize; 2]) {
        let cell = grid.cell;
        let edge = (cell / 16).max(1);
        let half = cell.saturating_sub(3 * edge) / 2;
        let high = cell.saturating_sub(2 * edge);
        for (i, node) in nodes.iter().enumerate() {
            let place = [i / grid.columns, i % grid.columns];
            let [x, y] = grid.at(place[0], place[1]);
            let frame = if place == agent {
                LIGHT
            } else if node.out_of_memory {
                ALARM
            } else {
                BACKGROUND
            };
            self.fill(x, y, cell, cell, frame);
            self.fill(x + edge, y + edge, 2 * half + edge, high, DARK);
            for (place, share) in [(0, node.cpu), (1, node.memory)] {
                let filled = (f64::from(share) * high as f64).round() as usize;
                let top = y + edge + high.saturating_sub(filled);
                self.fill(x + edge + place * (half + edge), top, half, filled.min(high), shade(share.into()));
            }
            if node.critical {
                self.fill(x + edge, y + edge, 2 * edge, 2 * edge, LIGHT);
            }
        }
    }

    /// The curve, with the shares that its height stands for and the steps of its width, in `unit`s.
    fn curve(&mut self, top: usize, past: Past<'_>, unit: &str) {
        let width = self.width - GUTTER;
        for x in 0..width {
            let Some(&share) = past.values.get(x * past.steps.max(1) / width) else { continue };
            let filled = (share.clamp(0.0, 1.0) * CURVE as f64).round() as usize;
            self.fill(x, top + CURVE - filled, 1, filled, shade(0.75));
        }
        self.write(width + MARGIN, top, "100%");
        self.write(width + MARGIN, top + CURVE - GLYPH, "0%");
        let last = format!("{unit} {}", past.steps.saturating_sub(1));
        let axis = top + CURVE + MARGIN;
        self.write(MARGIN, axis, "0");
        self.write(width.saturating_sub(GLYPH * last.len()), axis, &last);
    }

    /// The colours with the shares that they stand for, and the marks.
    fn legend(&mut self, top: usize, cells: &Cells) {
        self.write(MARGIN, top, "0%");
        let left = 2 * MARGIN + 2 * GLYPH;
        for level in 0..LEVELS {
            let x = left + usize::from(level) * LEVEL;
            self.fill(x, top, LEVEL, GLYPH, COLOURS.len() as u8 + level);
        }
        let right = left + usize::from(LEVELS) * LEVEL + MARGIN;
        self.write(right, top, &format!("100% {}", meaning(cells)));
        for (line, marks) in (1..).zip(marks(cells)) {
            let (mut x, y) = (MARGIN, top + line * LINE);
            for &(mark, name) in marks {
                if let Some([frame, inside]) = mark {
                    self.fill(x, y, GLYPH, GLYPH, frame);
                    self.fill(x + 1, y + 1, GLYPH - 2, GLYPH - 2, inside);
                    if name == "critical" {
                        self.fill(x + 1, y + 1, 3, 3, LIGHT);
                    }
                    x += GLYPH + MARGIN;
                }
                self.write(x, y, name);
                x += GLYPH * name.len() + 3 * MARGIN;
            }
        }
    }

    /// Writes ASCII text; what is beyond the edge is cut.
    fn write(&mut self, left: usize, top: usize, text: &str) {
        for (place, letter) in text.bytes().enumerate() {
            let glyph = BASIC_LEGACY[usize::from(letter).min(BASIC_LEGACY.len() - 1)];
            for (y, bits) in glyph.into_iter().enumerate() {
                for x in (0..GLYPH).filter(|x| bits >> x & 1 == 1) {
                    self.fill(left + place * GLYPH + x, top + y, 1, 1, LIGHT);
                }
            }
        }
    }

    /// A rectangle, as far as it is inside.
    fn fill(&mut self, left: usize, top: usize, width: usize, height: usize, colour: u8) {
        let (right, bottom) = ((left + width).min(self.width), (top + height).min(self.height));
        for y in top..bottom {
            self.pixels[y * self.width + left.min(right)..y * self.width + right].fill(colour);
        }
    }

    /// Width and height as image files have them: a grid has at most 512 cells a side.
    fn size(&self) -> [u16; 2] {
        [self.width as u16, self.height as u16]
    }

    /// Height and width in pixels.
    pub fn shape(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Red, green and blue of each pixel, row by row: `[height, width, 3]`.
    pub fn rgb(&self) -> Vec<u8> {
        let colours = palette();
        let of = |&pixel: &u8| &colours[3 * usize::from(pixel)..][..3];
        self.pixels.iter().flat_map(of).copied().collect()
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// [`PictureError`] if there is no memory for them.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let [width, height] = self.size();
        let failed = |error: png::EncodingError| PictureError(error.to_string());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width.into(), height.into());
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette());
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// Pictures one after another, as a GIF that repeats. Each frame holds only what has changed.
pub struct Film {
    encoder: Encoder<Vec<u8>>,
    shown: Picture,
    frames: usize,
}

impl Film {
    /// A film that begins with `first`, for `delay` hundredths of a second.
    ///
    /// # Errors
    /// [`PictureError`] if there is no memory for it.
    pub fn new(first: Picture, delay: u16) -> Result<Film, PictureError> {
        let [width, height] = first.size();
        let mut encoder = Encoder::new(Vec::new(), width, height, &palette()).map_err(failed)?;
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        let mut film = Film { encoder, shown: first.clone(), frames: 0 };
        film.frame([0, 0, first.width, first.height], first.pixels, delay)?;
        Ok(film)
    }

    /// Shows `picture`, of the first one's size, for `delay` hundredths of a second.
    ///
    /// # Errors
    /// [`PictureError`] if there is no memory for it.
    pub fn show(&mut self, picture: Picture, delay: u16) -> Result<(), PictureError> {
        let changed = |i: &usize| picture.pixels[*i] != self.shown.pixels[*i];
        let width = picture.width;
        let (mut left, mut right, mut top, mut bottom) = (width, 0, picture.height, 0);
        for i in (0..picture.pixels.len()).filter(changed) {
            (left, right) = (left.min(i % width), right.max(i % width + 1));
            (top, bottom) = (top.min(i / width), bottom.max(i / width + 1));
        }
        if right == 0 {
            // A frame cannot be empty.
            (left, right, top, bottom) = (0, 1, 0, 1);
        }
        let inside = (top..bottom).flat_map(|y| y * width + left..y * width + right);
        let pixels = inside.map(|i| if changed(&i) { picture.pixels[i] } else { UNCHANGED });
        let pixels = pixels.collect();
        self.frame([left, top, right - left, bottom - top], pixels, delay)?;
        self.shown = picture;
        Ok(())
    }

    fn frame(&mut self, rectangle: [usize; 4], pixels: Vec<u8>, delay: u16) -> Result<(), PictureError> {
        // Inside the first picture, whose sides are such numbers.
        let [left, top, width, height] = rectangle.map(|place| place as u16);
        let frame = Frame {
            delay,
            dispose: DisposalMethod::Keep,
            transparent: Some(UNCHANGED),
            left,
            top,
            width,
            height,
            buffer: Cow::Owned(pixels),
            ..Frame::default()
        };
        self.encoder.write_frame(&frame).map_err(failed)?;
        self.frames += 1;
        Ok(())
    }

    /// Frames so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The bytes of the GIF file.
    ///
    /// # Errors
    /// [`PictureError`] if there is no memory for them.
    pub fn finish(self) -> Result<Vec<u8>, PictureError> {
        self.encoder.into_inner().map_err(failed)
    }
}

fn failed(error: gif::EncodingError) -> PictureError {
    PictureError(error.to_string())
}

#[cfg(test)]
mod tests;
