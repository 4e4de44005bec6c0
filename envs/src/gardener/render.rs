//! The garden as text.

use crate::gardener::environment::GardenerEnv;

impl GardenerEnv {
    /// The garden as ANSI text: a cell a character, `.:-=+*#%@` from clean to dirty, a gardener
    /// `o`, and below it the last generation in a line. Without colours where `colour` is false.
    pub fn render(&self, colour: bool) -> String {
        const DIRT: [char; 9] = ['.', ':', '-', '=', '+', '*', '#', '%', '@'];
        let world = self.world();
        let size = world.config().grid_size;
        let mut cells: Vec<char> =
            world.grid().iter().map(|&dirt| DIRT[((dirt * 9.0) as usize).min(8)]).collect();
        for gardener in world.gardeners() {
            cells[gardener.cell[0] * size + gardener.cell[1]] = 'o';
        }
        let mut text = String::new();
        for line in cells.chunks(size) {
            for &cell in line {
                if cell == 'o' && colour {
                    text.push_str("\x1b[1;32mo\x1b[0m");
                } else {
                    text.push(cell);
                }
            }
            text.push('\n');
        }
        let state = world.risk();
        text + &format!(
            "generation {}  population {}  dirt {:.1}%  risk {:.3}  flow {:.3}  {}\n",
            world.generation(),
            world.gardeners().len(),
            100.0 * world.mean_dirt(),
            state.risk,
            state.flow,
            state.verdict.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::gardener::{GardenerConfig, GardenerEnv};

    #[test]
    fn draws_every_cell_and_every_gardener() {
        let config = GardenerConfig { grid_size: 30, ..GardenerConfig::default() };
        let env = GardenerEnv::new(config);
        let plain = env.render(false);
        assert_eq!(plain.lines().count(), 31);
        assert!(plain.lines().take(30).all(|line| line.chars().count() == 30));
        let mut cells: Vec<[usize; 2]> =
            env.world().gardeners().iter().map(|gardener| gardener.cell).collect();
        cells.sort_unstable();
        cells.dedup();
        let grid: String = plain.lines().take(30).collect();
        assert_eq!(grid.matches('o').count(), cells.len());
        assert_eq!(grid.matches('.').count(), 900 - cells.len(), "the rest of a new garden is clean");
        assert!(!plain.contains('\x1b') && env.render(true).contains("\x1b[1;32mo"));
        assert!(plain.ends_with("dirt 0.0%  risk 0.000  flow 0.000  creative\n"));
    }
}
