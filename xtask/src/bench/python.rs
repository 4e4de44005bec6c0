//! What the peers in Python are made of.

/// What the vectors of environments need.
pub(super) const VECTORS: [&str; 2] = ["gymnasium==1.4.0", "numpy==2.4.6"];
/// And the comparison of trainings; `resonetics study sb3` asks for the same (`experiments/src/study/python.rs`). PyTorch for Linux on x86-64 brings its CUDA part along: 2.5 GB.
pub(super) const TRAINING: [&str; 2] = ["stable-baselines3==2.9.2", "torch==2.11.0"];
/// And a peer on JAX.
pub(super) const JAX: [&str; 1] = ["jax[cpu]==0.10.2"];
/// And what the package for Python is compared with, and needs.
pub(super) const FROM_PYTHON: [&str; 2] = ["envpool==1.2.5", "tqdm==4.67.1"];
