//! Which vector instructions the hot loops use, chosen at run time.
//!
//! Every path computes the same bits: the loops use only operations that IEEE 754 rounds
//! exactly (add, multiply, divide, square root) in one fixed order, and no fused multiply-add.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of CPU features that the hot loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuPath {
    /// What every CPU of this architecture has (SSE2 on x86-64, NEON on `AArch64`).
    Baseline,
    /// x86-64-v3: AVX2.
    Avx2,
    /// x86-64-v4: AVX-512.
    Avx512,
}

/// Work that is compiled once for each [`CpuPath`].
///
/// `run` and all that it calls must be `#[inline(always)]`: only what is inlined into the
/// path's function is compiled with the path's features.
pub trait Work {
    /// What the work yields.
    type Output;
    /// Does the work.
    fn run(self) -> Self::Output;
}

/// 0: not chosen yet; otherwise 1 + the path's number.
static CURRENT: AtomicU8 = AtomicU8::new(0);

const ALL: [CpuPath; 3] = [CpuPath::Baseline, CpuPath::Avx2, CpuPath::Avx512];

impl CpuPath {
    /// The paths that this CPU can run, slowest first.
    pub fn available() -> Vec<CpuPath> {
        ALL.into_iter().filter(|path| path.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            CpuPath::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            CpuPath::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            CpuPath::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The path in use: the widest that this CPU can run, unless [`CpuPath::force`] chose another.
    pub fn current() -> CpuPath {
        match CURRENT.load(Ordering::Relaxed) {
            0 => {
                let best = ALL.into_iter().rev().find(|path| path.is_available());
                let best = best.unwrap_or(CpuPath::Baseline);
                best.force();
                best
            }
            number => ALL[usize::from(number) - 1],
        }
    }

    /// Makes all hot loops of this process use `self`; false, and no change, where the CPU cannot.
    ///
    /// Results do not depend on the path. This exists to test that, and to measure it.
    pub fn force(self) -> bool {
        if self.is_available() {
            CURRENT.store(self as u8 + 1, Ordering::Relaxed);
        }
        self.is_available()
    }

    /// Runs `work` compiled for the path in use.
    #[inline]
    pub fn dispatch<W: Work>(work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        match CpuPath::current() {
            CpuPath::Avx512 => {
                if let Some(v4) = pulp::x86::V4::try_new() {
                    return v4.vectorize(Vectorized(work));
                }
            }
            CpuPath::Avx2 => {
                if let Some(v3) = pulp::x86::V3::try_new() {
                    return v3.vectorize(Vectorized(work));
                }
            }
            CpuPath::Baseline => {}
        }
        work.run()
    }
}

impl CpuPath {
    /// Runs `work` with the registers of the path in use, for loops that name them: where the
    /// compiler would not find a good schedule by itself.
    #[inline]
    pub fn dispatch_registers<W: pulp::WithSimd>(work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        match CpuPath::current() {
            CpuPath::Avx512 => {
                if let Some(v4) = pulp::x86::V4::try_new() {
                    return pulp::Simd::vectorize(v4, work);
                }
            }
            CpuPath::Avx2 => {
                if let Some(v3) = pulp::x86::V3::try_new() {
                    return pulp::Simd::vectorize(v3, work);
                }
            }
            CpuPath::Baseline => {}
        }
        pulp::Simd::vectorize(pulp::Scalar, work)
    }
}

impl fmt::Display for CpuPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CpuPath::Baseline => "baseline",
            CpuPath::Avx2 => "avx2",
            CpuPath::Avx512 => "avx512",
        })
    }
}

#[cfg(target_arch = "x86_64")]
struct Vectorized<W>(W);

#[cfg(target_arch = "x86_64")]
impl<W: Work> pulp::NullaryFnOnce for Vectorized<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        self.0.run()
    }
}
