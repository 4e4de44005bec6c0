//! Shares as colours that those who are colour-blind tell apart too.

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Cividis at ten equal steps from 0 to 1 (Nuñez, Anderton and Renslow 2018, as in matplotlib and Plotly):
/// evenly brighter from dark blue to yellow, with and without colour vision.
const CIVIDIS: [Rgb; 10] = [
    [0x00, 0x22, 0x4e],
    [0x12, 0x35, 0x70],
    [0x3b, 0x49, 0x6c],
    [0x57, 0x5d, 0x6d],
    [0x70, 0x71, 0x73],
    [0x8a, 0x86, 0x78],
    [0xa5, 0x9c, 0x74],
    [0xc3, 0xb3, 0x69],
    [0xe1, 0xcc, 0x55],
    [0xfe, 0xe8, 0x38],
];

/// The colour of `share`; what is beyond `[0, 1]` has that of the nearer end.
pub fn cividis(share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (CIVIDIS.len() - 1) as f64;
    let below = (place as usize).min(CIVIDIS.len() - 2);
    let part = place - below as f64;
    std::array::from_fn(|i| {
        let (from, to) = (f64::from(CIVIDIS[below][i]), f64::from(CIVIDIS[below + 1][i]));
        (from + part * (to - from)).round() as u8
    })
}

/// Whether dark reads better than light on `colour`: luma (ITU-R BT.601) in the upper half.
pub fn is_light(colour: Rgb) -> bool {
    let [red, green, blue] = colour.map(f64::from);
    0.299 * red + 0.587 * green + 0.114 * blue >= 128.0
}

/// The number of the nearest colour in the 6x6x6 cube of a terminal with 256 colours.
pub fn cube(colour: Rgb) -> u8 {
    // Levels 0, 95, 135, 175, 215 and 255.
    let [red, green, blue] = colour.map(|level| match level {
        0..48 => 0,
        48..115 => 1,
        _ => (level - 35) / 40,
    });
    16 + 36 * red + 6 * green + blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_gets_brighter_all_the_way_and_goes_through_its_points() {
        assert_eq!((cividis(0.0), cividis(1.0)), (CIVIDIS[0], CIVIDIS[9]));
        assert_eq!((cividis(-1.0), cividis(f64::INFINITY)), (CIVIDIS[0], CIVIDIS[9]));
        assert_eq!(cividis(4.0 / 9.0), CIVIDIS[4]);
        assert_eq!(cividis(0.5 / 9.0), [0x09, 0x2c, 0x5f], "halfway between the first two");
        let luma = |share: f64| {
            let [red, green, blue] = cividis(share).map(f64::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        };
        for i in 0..100 {
            assert!(luma(f64::from(i + 1) / 100.0) > luma(f64::from(i) / 100.0), "{i}%");
        }
        assert!(!is_light(cividis(0.0)) && is_light(cividis(1.0)));
    }

    #[test]
    fn the_cube_is_the_one_of_xterm() {
        let levels = [0_i32, 95, 135, 175, 215, 255];
        for level in 0..=255 {
            let nearest = levels.map(|cube| (cube - i32::from(level)).abs());
            let chosen = usize::from(cube([0, 0, level]) - 16);
            assert_eq!(nearest[chosen], *nearest.iter().min().unwrap(), "{level}");
        }
        assert_eq!((cube([255, 0, 0]), cube([0, 255, 0]), cube([255; 3])), (196, 46, 231));
    }
}
