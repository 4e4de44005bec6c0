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

impl MeasureGrid<'_> {
    #[inline(always)]
    fn perturbed(&self, cell: f32, noise: f32) -> f32 {
        let perturbed = cell + self.eps * noise;
        // Without the look at NaN that f32::max and min take.
        let perturbed = if perturbed > self.bounds.0 { perturbed } else { self.bounds.0 };
        if perturbed < self.bounds.1 { perturbed } else { self.bounds.1 }
    }

    /// Sums in f64, lane by lane, so that the order is the same on every CPU path.
    #[inline(always)]
    fn totals(&self) -> [f64; 2] {
        let mut totals = [[0.0_f64; LANES]; 2];
        let (cells, last_cells) = self.grid.as_chunks::<LANES>();
        let (noises, last_noises) = self.noise.as_chunks::<LANES>();
        for (cells, noises) in cells.iter().zip(noises) {
            for i in 0..LANES {
                totals[0][i] += f64::from(cells[i]);
                totals[1][i] += f64::from(self.perturbed(cells[i], noises[i]));
            }
        }
        for (i, (&cell, &noise)) in last_cells.iter().zip(last_noises).enumerate() {
            totals[0][i] += f64::from(cell);
            totals[1][i] += f64::from(self.perturbed(cell, noise));
        }
        totals.map(|lanes| lanes.iter().sum())
    }

    /// The cells that are hot, as they are and perturbed.
    #[inline(always)]
    fn hot(&self) -> [u32; 2] {
        let mut hot = [0; 2];
        for (&cell, &noise) in self.grid.iter().zip(self.noise) {
            hot[0] += u32::from(cell > self.hot);
            hot[1] += u32::from(self.perturbed(cell, noise) > self.hot);
        }
        hot
    }
}

impl Work for MeasureGrid<'_> {
    type Output = Measure;

    #[inline(always)]
    fn run(self) -> Measure {
        // Two passes, as the sums of one fill the registers.
        let ([total, perturbed_total], [hot, perturbed_hot]) = (self.totals(), self.hot());
        Measure { total, hot: hot.into(), perturbed_total, perturbed_hot: perturbed_hot.into() }
    }
}
