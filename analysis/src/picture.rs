//! PNG files from the SVG of figures, with a font that is built in, since a machine may have none. Letters that it lacks
//! are taken from the fonts of the machine; a letter that none has is shown as a number, so that no two names look
//! alike.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use fontdb::Database;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Group, Node, Options, Tree};
use skrifa::{FontRef, Tag};
use unicode_width::UnicodeWidthChar;

/// Pixels of the PNG for one of the SVG.
const SCALE: f32 = 2.0;

/// Draws the figures of a report. What no font has a letter for has the same number in all of them.
#[derive(Default)]
pub struct Pictures {
    /// What stands as a number, the first as 1.
    numbered: Vec<String>,
    /// Instead of the machine's fonts.
    fonts: Option<Arc<Database>>,
}

impl Pictures {
    /// `svg` as the bytes of a PNG file, at twice its size.
    ///
    /// # Errors
    /// Why it is no SVG, or too large.
    pub fn png(&mut self, svg: &str) -> Result<Vec<u8>, String> {
        let tree = parsed(svg, ours())?;
        if undrawn(&tree).is_empty() {
            return drawn(&tree);
        }
        let fonts = self.fonts.clone().unwrap_or_else(machines);
        let tree = parsed(svg, fonts.clone())?;
        let letters = undrawn(&tree);
        if letters.is_empty() {
            return drawn(&tree);
        }
        drawn(&parsed(&self.with_numbers(svg, &letters), fonts)?)
    }

    /// What the reader of the pictures should know: which number stands for what.
    pub fn note(&self) -> Option<String> {
        let each: Vec<String> =
            (1..).zip(&self.numbered).map(|(number, text)| format!("[{number}] {text}")).collect();
        (!each.is_empty()).then(|| {
            format!(
                "No font on this machine has these characters, so the PNG figures show numbers instead: {}. The page and the SVG figures have them.",
                each.join(", ")
            )
        })
    }

    /// `svg` with a number for each piece of its texts that is made of `letters`.
    fn with_numbers(&mut self, svg: &str, letters: &BTreeSet<char>) -> String {
        let mut numbered = String::new();
        let mut pieces = svg.split_inclusive("<text ");
        numbered += pieces.next().unwrap_or_default();
        for piece in pieces {
            let end = piece.find("</text>").unwrap_or(piece.len());
            let start = piece.find('>').map_or(0, |at| at + 1).min(end);
            numbered += &piece[..start];
            numbered += &self.numbers_in(&piece[start..end], letters);
            numbered += &piece[end..];
        }
        numbered
    }

    fn numbers_in(&mut self, text: &str, letters: &BTreeSet<char>) -> String {
        let (mut numbered, mut rest) = (String::new(), text);
        while let Some(start) = rest.find(|letter| letters.contains(&letter)) {
            numbered += &rest[..start];
            rest = &rest[start..];
            // What joins letters, or stands above them, goes with them.
            let goes_on = |letter: char| letters.contains(&letter) || width(letter) == 0;
            let end = rest.find(|letter| !goes_on(letter)).unwrap_or(rest.len());
            let (piece, behind) = (rest[..end].trim_end(), &rest[rest[..end].trim_end().len()..]);
            let known = self.numbered.iter().position(|known| known == piece);
            let place = known.unwrap_or(self.numbered.len());
            if known.is_none() {
                self.numbered.push(piece.to_owned());
            }
            numbered += &format!("[{}]", place + 1);
            rest = behind;
        }
        numbered + rest
    }
}

fn width(letter: char) -> usize {
    // A control character, a line end among them, is no part of a name.
    letter.width().unwrap_or(1)
}

/// Our font alone: the same picture on every machine.
fn ours() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    Arc::clone(FONTS.get_or_init(|| Arc::new(with_ours(Database::new()))))
}

/// Our font and those of this machine that have outlines: a glyph that is a picture is not drawn.
fn machines() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    Arc::clone(FONTS.get_or_init(|| {
        let mut fonts = with_ours(Database::new());
        fonts.load_system_fonts();
        Arc::new(with_outlines(fonts))
    }))
}

fn with_ours(mut fonts: Database) -> Database {
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    fonts
}

fn with_outlines(mut fonts: Database) -> Database {
    let all: Vec<_> = fonts.faces().map(|face| face.id).collect();
    for id in all {
        if !fonts.with_face_data(id, has_outlines).unwrap_or(false) {
            fonts.remove_face(id);
        }
    }
    fonts
}

/// Whether the letters of a font are outlines.
fn has_outlines(data: &[u8], index: u32) -> bool {
    let outlines = [b"glyf", b"CFF ", b"CFF2"].map(Tag::new);
    FontRef::from_index(data, index)
        .is_ok_and(|font| outlines.iter().any(|tag| font.table_data(*tag).is_some()))
}

fn parsed(svg: &str, fontdb: Arc<Database>) -> Result<Tree, String> {
    let options = Options { fontdb, font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    Tree::from_str(svg, &options).map_err(|error| format!("no SVG: {error}"))
}

/// The letters for which no font has a glyph.
fn undrawn(tree: &Tree) -> BTreeSet<char> {
    fn of(group: &Group, into: &mut BTreeSet<char>) {
        for node in group.children() {
            match node {
                Node::Group(group) => of(group, into),
                Node::Text(text) => {
                    let glyphs = text.layouted().iter().flat_map(|span| &span.positioned_glyphs);
                    for glyph in glyphs.filter(|glyph| glyph.id.0 == 0) {
                        into.extend(glyph.text.chars().filter(|letter| !letter.is_whitespace()));
                    }
                }
                _ => {}
            }
        }
    }
    let mut letters = BTreeSet::new();
    of(tree.root(), &mut letters);
    letters
}

fn drawn(tree: &Tree) -> Result<Vec<u8>, String> {
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("too large for a PNG")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("too large for a PNG")?;
    resvg::render(tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("cannot encode a PNG: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(text: &str) -> String {
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="120" height="30"><text x="2" y="20" font-family="sans-serif" font-size="14">{text}</text></svg>"#
        )
    }

    /// Of a machine without fonts.
    fn bare() -> Pictures {
        Pictures { fonts: Some(ours()), ..Pictures::default() }
    }

    /// Text leaves ink: a font was found, whatever the machine has.
    #[test]
    fn text_is_drawn() {
        let dark = |text: &str| {
            let pixels = Pixmap::decode_png(&bare().png(&svg(text)).unwrap()).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (240, 60));
            pixels.pixels().iter().filter(|pixel| pixel.alpha() > 128).count()
        };
        assert!(dark("MMM") > 300);
        assert_eq!(dark(""), 0);
        assert!(bare().png("no picture").is_err());
    }

    /// Without a font for them Chinese and Japanese names, and emoji joined of several, have a number each,
    /// the same in every figure; Cyrillic, Arabic and marks above letters are drawn.
    #[test]
    fn what_no_font_has_is_numbered() {
        let mut pictures = bare();
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        let names = ["随机策略", "規則ベース", family, "随机策略 (2)", "规则 策略"];
        let drawn: Vec<Vec<u8>> = names.iter().map(|name| pictures.png(&svg(name)).unwrap()).collect();
        let different: BTreeSet<&Vec<u8>> = drawn.iter().collect();
        assert_eq!(different.len(), names.len(), "no two look alike");
        let note = pictures.note().unwrap();
        let told = format!("[1] 随机策略, [2] 規則ベース, [3] {family}, [4] 规则, [5] 策略. ");
        assert!(note.contains(&told), "{note}");
        assert_eq!(bare().png(&svg("[1]")).unwrap(), drawn[0]);

        let mut pictures = bare();
        for name in ["агент", "الوكيل", "e\u{301}a\u{308}", "a &amp; b"] {
            pictures.png(&svg(name)).unwrap();
        }
        assert_eq!(pictures.note(), None);
    }

    /// With a font of the machine that has the letter, it is drawn; a font of pictures is passed over.
    #[test]
    fn fonts_of_the_machine_have_the_letters_that_ours_lacks() {
        let mut fonts = with_ours(Database::new());
        // One square for U+968F, made for this test.
        fonts.load_font_data(include_bytes!("picture/square.ttf").to_vec());
        assert_eq!(fonts.len(), 2);
        let mut pictures = Pictures { fonts: Some(Arc::new(with_outlines(fonts))), ..Pictures::default() };
        let (one, other) = (pictures.png(&svg("随")).unwrap(), pictures.png(&svg("机")).unwrap());
        assert!(pictures.note().unwrap().contains(": [1] 机. "), "{:?}", pictures.note());
        assert!(one != other && one != bare().png(&svg("[1]")).unwrap());
        let dark = Pixmap::decode_png(&one).unwrap();
        assert!(dark.pixels().iter().filter(|pixel| pixel.alpha() > 128).count() > 200, "a square");

        assert!(has_outlines(dejavu::sans::regular(), 0));
        let pictures_only = [&b"\0\x01\0\0\0\x01\0\0\0\0\0\0CBDT"[..], &[0; 12]].concat();
        for none in [&b""[..], b"\0\x01\0\0\0\x01", &pictures_only] {
            assert!(!has_outlines(none, 0), "{none:?}");
        }
    }
}
