//! Shares as colours that those who are colour-blind tell apart too.

use std::sync::LazyLock;

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// The colour of `share` in cividis, evenly brighter from dark blue to yellow with and without colour
/// vision (Nuñez, Anderton and Renslow 2018); what is beyond `[0, 1]` has that of the nearer end.
pub fn cividis(share: f64) -> Rgb {
    // As matplotlib picks one of the 256; NaN is the first.
    let place = (share.max(0.0) * CIVIDIS.len() as f64) as usize;
    let [_, colour @ ..] = CIVIDIS[place.min(CIVIDIS.len() - 1)].to_be_bytes();
    colour
}

/// Whether dark reads better than light on `colour`: luma (ITU-R BT.601) in the upper half.
pub fn is_light(colour: Rgb) -> bool {
    let [red, green, blue] = colour.map(f64::from);
    0.299 * red + 0.587 * green + 0.114 * blue >= 128.0
}

/// [`cividis`] in a terminal with 256 colours: the number of one that is never darker than that of a
/// smaller share. A nearest colour alone would be: the cube has 6 levels a side, and few of them lie near.
pub fn indexed(share: f64) -> u8 {
    static NUMBERS: LazyLock<[u8; 256]> = LazyLock::new(numbers);
    NUMBERS[((share.max(0.0) * 256.0) as usize).min(255)]
}

/// Of each colour of the ramp the nearest number that is not darker than the one before.
fn numbers() -> [u8; 256] {
    // As blue, grey or yellow as the ramp itself: the cube's purple is nearer to dark blue than its blue is.
    let like = |&(_, [red, green, blue]): &(u8, Rgb)| {
        (blue >= green && green >= red) || (red >= green && green >= blue)
    };
    let known: Vec<_> =
        (16..=255).map(|number| (number, xterm(number))).filter(like).map(|(n, c)| (n, lab(c))).collect();
    let mut darkest = 0.0;
    CIVIDIS.map(|colour| {
        let [_, colour @ ..] = colour.to_be_bytes();
        let wanted = lab(colour);
        // Levels are told apart by lightness, so it weighs more.
        let far = |found: &[f64; 3]| {
            9.0 * (found[0] - wanted[0]).powi(2)
                + (found[1] - wanted[1]).powi(2)
                + (found[2] - wanted[2]).powi(2)
        };
        let lighter = known.iter().filter(|(_, found)| found[0] >= darkest);
        let nearest = lighter.min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
        let (number, found) = nearest.copied().unwrap_or((231, lab([255; 3])));
        darkest = found[0];
        number
    })
}

/// A colour of a terminal with 256 of them, from 16 on: the cube of 6x6x6, then 24 greys.
fn xterm(number: u8) -> Rgb {
    if number >= 232 {
        return [8 + 10 * (number - 232); 3];
    }
    let level = |place: u8| [0, 95, 135, 175, 215, 255][usize::from((number - 16) / place % 6)];
    [level(36), level(6), level(1)]
}

/// CIELAB: lightness from 0 to 100, red against green, yellow against blue (sRGB, white D65; IEC 61966-2-1).
#[allow(clippy::disallowed_methods)] // no trajectory depends on a colour
fn lab(colour: Rgb) -> [f64; 3] {
    let [red, green, blue] = colour.map(|level| {
        let level = f64::from(level) / 255.0;
        if level <= 0.040_45 { level / 12.92 } else { ((level + 0.055) / 1.055).powf(2.4) }
    });
    let x = (0.412_456 * red + 0.357_576 * green + 0.180_438 * blue) / 0.950_47;
    let y = 0.212_673 * red + 0.715_152 * green + 0.072_175 * blue;
    let z = (0.019_334 * red + 0.119_192 * green + 0.950_304 * blue) / 1.088_83;
    let [x, y, z] = [x, y, z].map(|light| {
        if light > 216.0 / 24_389.0 { light.cbrt() } else { (24_389.0 / 27.0 * light + 16.0) / 116.0 }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The published table, 0xrrggbb (Nuñez, Anderton and Renslow 2018, "Optimizing colormaps with
/// consideration for color vision deficiency to enable accurate interpretation of scientific data",
/// supporting information; here by matplotlib 3.11.2, `_cm_listed._cividis_data`, each number times 255 and rounded).
#[allow(clippy::unreadable_literal)] // two digits a colour
const CIVIDIS: [u32; 256] = [
    0x00224e, 0x00234f, 0x002451, 0x002553, 0x002554, 0x002656, 0x002758, 0x002859, 0x00285b, 0x00295d,
    0x002a5f, 0x002a61, 0x002b62, 0x002c64, 0x002c66, 0x002d68, 0x002e6a, 0x002e6c, 0x002f6d, 0x00306f,
    0x003070, 0x003170, 0x003171, 0x013271, 0x053371, 0x083370, 0x0c3470, 0x0f3570, 0x123570, 0x143670,
    0x163770, 0x18376f, 0x1a386f, 0x1c396f, 0x1e3a6f, 0x203a6f, 0x213b6e, 0x233c6e, 0x243c6e, 0x263d6e,
    0x273e6e, 0x293f6e, 0x2a3f6d, 0x2b406d, 0x2d416d, 0x2e416d, 0x2f426d, 0x31436d, 0x32436d, 0x33446d,
    0x34456c, 0x35456c, 0x36466c, 0x38476c, 0x39486c, 0x3a486c, 0x3b496c, 0x3c4a6c, 0x3d4a6c, 0x3e4b6c,
    0x3f4c6c, 0x404c6c, 0x414d6c, 0x424e6c, 0x434e6c, 0x444f6c, 0x45506c, 0x46516c, 0x47516c, 0x48526c,
    0x49536c, 0x4a536c, 0x4b546c, 0x4c556c, 0x4d556c, 0x4e566c, 0x4f576c, 0x50576c, 0x51586d, 0x52596d,
    0x535a6d, 0x545a6d, 0x555b6d, 0x555c6d, 0x565c6d, 0x575d6d, 0x585e6d, 0x595e6e, 0x5a5f6e, 0x5b606e,
    0x5c616e, 0x5d616e, 0x5e626e, 0x5e636f, 0x5f636f, 0x60646f, 0x61656f, 0x62656f, 0x636670, 0x646770,
    0x656870, 0x656870, 0x666970, 0x676a71, 0x686a71, 0x696b71, 0x6a6c71, 0x6b6d72, 0x6c6d72, 0x6c6e72,
    0x6d6f72, 0x6e6f73, 0x6f7073, 0x707173, 0x717274, 0x727274, 0x727374, 0x737475, 0x747475, 0x757575,
    0x767676, 0x777776, 0x777777, 0x787877, 0x797977, 0x7a7a78, 0x7b7a78, 0x7c7b78, 0x7d7c78, 0x7e7c78,
    0x7e7d78, 0x7f7e78, 0x807f78, 0x817f78, 0x828079, 0x838179, 0x848279, 0x858279, 0x868379, 0x878478,
    0x888578, 0x898578, 0x8a8678, 0x8b8778, 0x8c8878, 0x8d8878, 0x8e8978, 0x8f8a78, 0x908b78, 0x918b78,
    0x928c78, 0x928d78, 0x938e78, 0x948e77, 0x958f77, 0x969077, 0x979177, 0x989277, 0x999277, 0x9a9376,
    0x9b9476, 0x9c9576, 0x9d9576, 0x9e9676, 0x9f9775, 0xa09875, 0xa19975, 0xa29975, 0xa39a74, 0xa49b74,
    0xa59c74, 0xa69c74, 0xa79d73, 0xa89e73, 0xa99f73, 0xaaa073, 0xaba072, 0xaca172, 0xada272, 0xaea371,
    0xafa471, 0xb0a571, 0xb1a570, 0xb3a670, 0xb4a76f, 0xb5a86f, 0xb6a96f, 0xb7a96e, 0xb8aa6e, 0xb9ab6d,
    0xbaac6d, 0xbbad6d, 0xbcae6c, 0xbdae6c, 0xbeaf6b, 0xbfb06b, 0xc0b16a, 0xc1b26a, 0xc2b369, 0xc3b369,
    0xc4b468, 0xc5b568, 0xc6b667, 0xc7b767, 0xc8b866, 0xc9b965, 0xcbb965, 0xccba64, 0xcdbb63, 0xcebc63,
    0xcfbd62, 0xd0be62, 0xd1bf61, 0xd2c060, 0xd3c05f, 0xd4c15f, 0xd5c25e, 0xd6c35d, 0xd7c45c, 0xd9c55c,
    0xdac65b, 0xdbc75a, 0xdcc859, 0xddc858, 0xdec958, 0xdfca57, 0xe0cb56, 0xe1cc55, 0xe2cd54, 0xe4ce53,
    0xe5cf52, 0xe6d051, 0xe7d150, 0xe8d24f, 0xe9d34e, 0xead34c, 0xebd44b, 0xedd54a, 0xeed649, 0xefd748,
    0xf0d846, 0xf1d945, 0xf2da44, 0xf3db42, 0xf5dc41, 0xf6dd3f, 0xf7de3e, 0xf8df3c, 0xf9e03a, 0xfbe138,
    0xfce236, 0xfde334, 0xfee434, 0xfee535, 0xfee636, 0xfee838,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the published table: number, red, green and blue from 0 to 1.
    const PUBLISHED: [(u32, [f64; 3]); 10] = [
        (0, [0.000_000, 0.135_112, 0.304_751]),
        (1, [0.000_000, 0.138_068, 0.311_105]),
        (20, [0.000_000, 0.188_769, 0.439_563]),
        (30, [0.087_465, 0.214_879, 0.437_342]),
        (33, [0.110_658, 0.223_170, 0.435_067]),
        (64, [0.263_738, 0.307_831, 0.422_789]),
        (128, [0.488_697, 0.485_318, 0.471_008]),
        (191, [0.732_422, 0.677_364, 0.425_717]),
        (254, [0.995_503, 0.903_866, 0.212_370]),
        (255, [0.995_737, 0.909_344, 0.217_772]),
    ];

    #[test]
    fn the_ramp_is_the_published_one() {
        for (number, published) in PUBLISHED {
            let colour = cividis((f64::from(number) + 0.5) / 256.0);
            for (level, published) in colour.into_iter().zip(published) {
                assert!((f64::from(level) - 255.0 * published).abs() <= 0.5, "{number}: {colour:?}");
            }
        }
    }

    #[test]
    fn the_ramp_gets_brighter_all_the_way() {
        let luma = |share: f64| {
            let [red, green, blue] = cividis(share).map(f64::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        };
        for i in 0..100 {
            assert!(luma(f64::from(i + 1) / 100.0) > luma(f64::from(i) / 100.0), "{i}%");
        }
        assert_eq!((cividis(-1.0), cividis(f64::INFINITY)), (cividis(0.0), cividis(1.0)));
        assert!(!is_light(cividis(0.0)) && is_light(cividis(1.0)));
    }

    /// Luminance with the weights of sRGB; the colours by their numbers as xterm has them.
    #[test]
    fn with_256_colours_it_gets_no_darker_and_has_many_levels() {
        for (number, colour) in [
            (16, [0; 3]),
            (17, [0, 0, 95]),
            (110, [135, 175, 215]),
            (231, [255; 3]),
            (232, [8; 3]),
            (255, [238; 3]),
        ] {
            assert_eq!(xterm(number), colour, "{number}");
        }
        let luminance = |number: u8| {
            // A square is near enough to the curve of sRGB.
            let [red, green, blue] = xterm(number).map(|level| (f64::from(level) / 255.0).powi(2));
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let shown: Vec<u8> = (0..256).map(|i| indexed(f64::from(i) / 255.0)).collect();
        for (i, pair) in shown.windows(2).enumerate() {
            assert!(luminance(pair[1]) >= luminance(pair[0]), "{i}: {pair:?}");
        }
        let mut levels = shown.clone();
        levels.dedup();
        assert!(levels.len() >= 16, "{levels:?}");
        assert_eq!((indexed(-1.0), indexed(f64::INFINITY)), (shown[0], shown[255]));
        // The ends have the hues of the ramp: no purple below, yellow above.
        let [red, green, blue] = xterm(shown[255]);
        assert!(red >= green && green > blue && luminance(shown[0]) < 0.03, "{shown:?}");
    }

    /// White, and red as published for sRGB (Lindbloom).
    #[test]
    fn cielab_is_the_published_one() {
        for (colour, published) in
            [([255; 3], [100.0, 0.0, 0.0]), ([255, 0, 0], [53.24, 80.09, 67.20]), ([0; 3], [0.0, 0.0, 0.0])]
        {
            for (found, published) in lab(colour).into_iter().zip(published) {
                assert!((found - published).abs() < 0.02, "{colour:?}: {found} {published}");
            }
        }
    }
}
