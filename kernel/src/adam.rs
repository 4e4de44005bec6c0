//! Adam (stub until the kernel's own comes).
#![allow(missing_docs)]
pub struct Adam { pub m: Vec<f32>, pub v: Vec<f32>, pub steps: u64, eps: f32, decay: f32 }
impl Adam {
    pub fn new(len: usize, eps: f32, decay: f32) -> Adam { Adam { m: vec![0.0; len], v: vec![0.0; len], steps: 0, eps, decay } }
    pub fn step(&mut self, p: &mut [f32], g: &[f32], lr: f32) {
        self.steps += 1;
        let t = self.steps.min(1_000_000) as i32;
        let c1 = 1.0 - 0.9f64.powi(t);
        let c2 = 1.0 - 0.999f64.powi(t);
        let a = (f64::from(lr) / c1) as f32;
        let s2 = (1.0 / c2) as f32;
        let _ = self.decay;
        let n = p.len();
        let (m, v, g) = (&mut self.m[..n], &mut self.v[..n], &g[..n]);
        for i in 0..n {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            p[i] -= a * m[i] / ((v[i] * s2).sqrt() + self.eps);
        }
    }
}
pub fn clip_norm(g: &mut [f32], max: f32) -> f64 {
    let norm = g.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
    if norm > f64::from(max) { let s = (f64::from(max) / (norm + 1e-6)) as f32; g.iter_mut().for_each(|g| *g *= s); }
    norm
}
