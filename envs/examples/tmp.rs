use resonetics_envs::{cpu::CpuPath, k8s::*, stream::*, vector::*};
use std::time::Instant;
fn main() {
    for path in CpuPath::available() {
        path.force();
        for n in [1usize, 64, 4096] {
            let mut v =
                VecEnv::new((0..n).map(|_| K8sEnv::new(K8sConfig::default())).collect(), Autoreset::SameStep)
                    .unwrap();
            let mut b = v.batch();
            v.reset(1, &mut b);
            let key = Key::new(1, Domain::Policy, 0);
            let mut actions = vec![0usize; n];
            let steps = 4096 * 1500 / n;
            let (mut ret, mut len, mut k) = (0.0, 0u64, 0u64);
            let t0 = Instant::now();
            for t in 0..steps {
                for (c, a) in actions.chunks_mut(16).enumerate() {
                    let (x, _) = key.lanes(t as u32, (c * 16) as u32);
                    for (i, a) in a.iter_mut().enumerate() {
                        *a = scale(x[i], 6) as usize;
                    }
                }
                v.step(&actions, &mut b).unwrap();
                if n < 4096 || t < 100000 {
                    for i in 0..n {
                        if b.terminated[i] | b.truncated[i] {
                            ret += b.episode_return[i];
                            len += b.episode_length[i] as u64;
                            k += 1;
                        }
                    }
                }
            }
            let s = t0.elapsed().as_secs_f64();
            println!(
                "{path} n={n} {:.2} M/s return {:.3} len {:.2} episodes {k}",
                (steps * n) as f64 / s / 1e6,
                ret / k as f64,
                len as f64 / k as f64
            );
        }
    }
    println!("size {}", std::mem::size_of::<K8sEnv>());
}
