//! PNG from a figure's SVG, with a font of our own: the machine may have none.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

/// Pixels of the PNG for one of the SVG.
const SCALE: f32 = 2.0;

/// `svg` as the bytes of a PNG file, at twice its size.
///
/// # Errors
/// Why it is no SVG, or too large.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    });
    let options =
        Options { fontdb: Arc::clone(fonts), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| format!("no SVG: {error}"))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("too large for a PNG")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("too large for a PNG")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("cannot encode a PNG: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text leaves ink: a font was found, whatever the machine has.
    #[test]
    fn text_is_drawn() {
        let svg = |text: &str| {
            format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"><text x="2" y="20" font-family="sans-serif" font-size="14">{text}</text></svg>"#
            )
        };
        let dark = |text: &str| {
            let pixels = Pixmap::decode_png(&png(&svg(text)).unwrap()).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (120, 60));
            pixels.pixels().iter().filter(|pixel| pixel.alpha() > 128).count()
        };
        assert!(dark("MMM") > 300);
        assert_eq!(dark(""), 0);
        assert!(png("no picture").is_err());
    }
}
