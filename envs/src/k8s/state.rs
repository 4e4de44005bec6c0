//! The state of N clusters side by side.

use crate::math::LANES;

/// A number of each of sixteen nodes of N clusters: node by node, and in a node cluster by cluster.
pub(super) type Nodes<const N: usize> = [[f32; N]; LANES];

/// Sixteen nodes of N clusters: node i of the grid (row-major) is node i % 16 of block i / 16.
/// Nodes beyond the grid stay 0.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Block<const N: usize> {
    /// Used share of the cpu, in `[0, 1]`.
    pub cpu: Nodes<N>,
    /// Used share of the memory, in `[0, 1]`.
    pub memory: Nodes<N>,
    /// One of [`PRIORITIES`].
    pub priority: Nodes<N>,
}

impl<const N: usize> Block<N> {
    /// Before the first reset.
    pub(super) const ZERO: Block<N> =
        Block { cpu: [[0.0; N]; LANES], memory: [[0.0; N]; LANES], priority: [[0.0; N]; LANES] };
}

/// The state of N clusters beside their nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scalars<const N: usize> {
    /// In `[0, max_budget]`.
    pub budget: [f64; N],
    /// Mean over all cpu and memory values.
    pub avg_load: [f32; N],
    /// Steps since the reset.
    pub steps: [u32; N],
    /// The agent's row.
    pub row: [u16; N],
    /// The agent's column.
    pub col: [u16; N],
    /// Nodes out of memory after the last step.
    pub oom_nodes: [u16; N],
    /// Those of them with critical priority.
    pub critical_oom: [u16; N],
}

impl<const N: usize> Scalars<N> {
    /// Before the first reset.
    pub(super) const ZERO: Scalars<N> = Scalars {
        budget: [0.0; N],
        avg_load: [0.0; N],
        steps: [0; N],
        row: [0; N],
        col: [0; N],
        oom_nodes: [0; N],
        critical_oom: [0; N],
    };

    /// Those of cluster `lane`, alone.
    pub(super) fn get(&self, lane: usize) -> Scalars<1> {
        Scalars {
            budget: [self.budget[lane]],
            avg_load: [self.avg_load[lane]],
            steps: [self.steps[lane]],
            row: [self.row[lane]],
            col: [self.col[lane]],
            oom_nodes: [self.oom_nodes[lane]],
            critical_oom: [self.critical_oom[lane]],
        }
    }

    /// Makes those of a cluster alone those of cluster `lane`.
    pub(super) fn set(&mut self, lane: usize, alone: &Scalars<1>) {
        let Scalars { budget, avg_load, steps, row, col, oom_nodes, critical_oom } = alone;
        self.budget[lane] = budget[0];
        self.avg_load[lane] = avg_load[0];
        self.steps[lane] = steps[0];
        self.row[lane] = row[0];
        self.col[lane] = col[0];
        self.oom_nodes[lane] = oom_nodes[0];
        self.critical_oom[lane] = critical_oom[0];
    }
}

/// What there is to know about a cluster after a step (RULES section 1, point 8).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct K8sInfo {
    /// Mean over all cpu and memory values.
    pub avg_load: f32,
    /// Nodes out of memory.
    pub oom_nodes: u32,
    /// Those of them with critical priority.
    pub critical_oom: u32,
    /// What is left of the budget.
    pub budget: f64,
}
