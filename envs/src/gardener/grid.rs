//! The passes over the whole grid, compiled for each CPU path.

use crate::cpu::{CpuPath, Work};
use crate::gardener::config::GardenerConfig;
use crate::math::LANES;

/// Sums over the grid as it is and as it is when perturbed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    pub(super) total: f64,
    pub(super) hot: f64,
    pub(super) perturbed_total: f64,
    pub(super) perturbed_hot: f64,
}

/// Step 5: every cell gets dirtier.
pub(super) fn grow(grid: &mut [f32], growth: f32, uniform: &[f32]) {
    CpuPath::dispatch(Grow { grid, growth, uniform });
}

struct Grow<'a> {
    grid: &'a mut [f32],
    growth: f32,
    uniform: &'a [f32],
}

impl Work for Grow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let growth = self.growth;
        for (dirt, &u) in self.grid.iter_mut().zip(self.uniform) {
            *dirt = (*dirt + growth * u).min(1.0);
        }
    }
}

/// What the flow and the total entropy are made of.
pub(super) fn measure(grid: &[f32], noise: &[f32], config: &GardenerConfig) -> Measure {
    let flow = &config.flow.flow;
    // Without clipping the bounds are so wide that nothing reaches them.
    let bounds = if config.flow.clip_grid_noise { (0.0, 1.0) } else { (f32::MIN, f32::MAX) };
    CpuPath::dispatch(MeasureGrid { grid, noise, eps: flow.eps as f32, hot: flow.hot_th as f32, bounds })
}

struct MeasureGrid<'a> {
    grid: &'a [f32],
    noise: &'a [f32],
    eps: f32,
    hot: f32,
    bounds: (f32, f32),
}

/// The sums, lane by lane.
#[derive(Default)]
struct Sums {
    total: [f64; LANES],
    hot: [u32; LANES],
    perturbed_total: [f64; LANES],
    perturbed_hot: [u32; LANES],
}

impl MeasureGrid<'_> {
    #[inline(always)]
    fn add(&self, sums: &mut Sums, i: usize, cell: f32, noise: f32) {
        let perturbed = (cell + self.eps * noise).max(self.bounds.0).min(self.bounds.1);
        sums.total[i] += f64::from(cell);
        sums.perturbed_total[i] += f64::from(perturbed);
        sums.hot[i] += u32::from(cell > self.hot);
        sums.perturbed_hot[i] += u32::from(perturbed > self.hot);
    }
}

impl Work for MeasureGrid<'_> {
    type Output = Measure;

    /// Sums in f64, lane by lane, so that the order is the same on every CPU path.
    #[inline(always)]
    fn run(self) -> Measure {
        let mut sums = Sums::default();
        let mut cells = self.grid.chunks_exact(LANES);
        let mut noises = self.noise.chunks_exact(LANES);
        for (cells, noise) in cells.by_ref().zip(noises.by_ref()) {
            for i in 0..LANES {
                self.add(&mut sums, i, cells[i], noise[i]);
            }
        }
        for (i, (&cell, &noise)) in cells.remainder().iter().zip(noises.remainder()).enumerate() {
            self.add(&mut sums, i, cell, noise);
        }
        Measure {
            total: sums.total.iter().sum(),
            hot: f64::from(sums.hot.iter().sum::<u32>()),
            perturbed_total: sums.perturbed_total.iter().sum(),
            perturbed_hot: f64::from(sums.perturbed_hot.iter().sum::<u32>()),
        }
    }
}
