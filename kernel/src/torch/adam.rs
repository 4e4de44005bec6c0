//! Adam on tensors, with a state that can be saved: tch gives no access to that of its own optimizers.

use tch::{Tensor, no_grad};

use super::Answer;

/// Adam (Kingma, Ba 2015) as torch computes it: bias-corrected moments, eps outside the square root,
/// weight decay as part of the gradient.
#[derive(Debug)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Times the parameter, added to its gradient.
    pub weight_decay: f64,
    /// First moments, shaped like the parameters.
    pub first: Vec<Tensor>,
    /// Second moments.
    pub second: Vec<Tensor>,
    /// Steps taken.
    pub steps: u64,
}

impl Adam {
    /// No step taken yet; betas 0.9 and 0.999.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(parameters: &[Tensor], eps: f64, weight_decay: f64) -> Answer<Self> {
        let zeros = || no_grad(|| parameters.iter().map(Tensor::f_zeros_like).collect::<Answer<Vec<_>>>());
        Ok(Self { beta1: 0.9, beta2: 0.999, eps, weight_decay, first: zeros()?, second: zeros()?, steps: 0 })
    }

    /// Moves the parameters against their gradients, in the order of [`Adam::new`].
    ///
    /// # Errors
    /// What libtorch says; some of the parameters may have moved.
    pub fn step(
        &mut self,
        parameters: &mut [Tensor],
        gradients: &[Tensor],
        learning_rate: f64,
    ) -> Answer<()> {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX); // the corrections are 1 long before
        let correction1 = 1.0 - self.beta1.powi(power);
        let correction2 = 1.0 - self.beta2.powi(power);
        no_grad(|| {
            let moments = self.first.iter_mut().zip(&mut self.second);
            for ((parameter, gradient), (first, second)) in parameters.iter_mut().zip(gradients).zip(moments)
            {
                let decayed = if self.weight_decay == 0.0 {
                    None
                } else {
                    Some(gradient.f_add(&parameter.f_mul_scalar(self.weight_decay)?)?)
                };
                let gradient = decayed.as_ref().unwrap_or(gradient);
                let part = gradient.f_mul_scalar(1.0 - self.beta1)?;
                let _ = first.f_mul_scalar_(self.beta1)?.f_add_(&part)?;
                let part = gradient.f_square()?.f_mul_scalar(1.0 - self.beta2)?;
                let _ = second.f_mul_scalar_(self.beta2)?.f_add_(&part)?;
                let root = second.f_sqrt()?.f_div_scalar(correction2.sqrt())?.f_add_scalar(self.eps)?;
                let change = first.f_div(&root)?.f_mul_scalar(learning_rate / correction1)?;
                let _ = parameter.f_sub_(&change)?;
            }
            Ok(())
        })
    }
}

/// Euclidean norm of all gradients together, a 0-dimensional tensor.
///
/// # Errors
/// What libtorch says.
pub fn norm(gradients: &[Tensor]) -> Answer<Tensor> {
    no_grad(|| {
        let norms = gradients.iter().map(Tensor::f_norm).collect::<Answer<Vec<_>>>()?;
        Tensor::f_stack(&norms, 0)?.f_norm()
    })
}

/// Scales gradients whose common norm is `norm` to at most `max_norm`, as torch's `clip_grad_norm_`:
/// by `max_norm` / (norm + 1e-6) where that is below 1.
///
/// # Errors
/// What libtorch says.
pub fn clip(gradients: &mut [Tensor], norm: &Tensor, max_norm: f64) -> Answer<()> {
    no_grad(|| {
        let scale = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(max_norm)?.f_clamp_max(1.0)?;
        for gradient in gradients {
            let _ = gradient.f_mul_(&scale)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    /// Kingma and Ba's algorithm 1 in f64, written out.
    fn oracle(parameter: &mut [f64], gradients: &[[f64; 3]], rate: f64, decay: f64) {
        let (mut m, mut v) = ([0.0; 3], [0.0; 3]);
        let (mut power1, mut power2) = (1.0, 1.0);
        for gradient in gradients {
            power1 *= 0.9;
            power2 *= 0.999;
            for i in 0..3 {
                let g = gradient[i] + decay * parameter[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) = (m[i] / (1.0 - power1), v[i] / (1.0 - power2));
                parameter[i] -= rate * m_hat / (v_hat.sqrt() + 1e-5);
            }
        }
    }

    #[test]
    fn steps_are_those_of_the_paper() {
        let gradients = [[0.5, -2.0, 1e-4], [0.1, 3.0, -2e-4], [-0.7, 0.0, 5e-4], [0.2, 0.3, 0.0]];
        for decay in [0.0, 0.1] {
            let mut expected = [1.0, -0.5, 0.25];
            oracle(&mut expected, &gradients, 0.01, decay);
            let mut parameters =
                [Tensor::from_slice(&[1.0_f64, -0.5]).set_requires_grad(true), Tensor::from_slice(&[0.25])];
            let mut adam = Adam::new(&parameters, 1e-5, decay).unwrap();
            for g in gradients {
                let gradients = [Tensor::from_slice(&g[..2]), Tensor::from_slice(&g[2..])];
                adam.step(&mut parameters, &gradients, 0.01).unwrap();
            }
            let got = no_grad(|| Tensor::cat(&parameters, 0)).to_kind(Kind::Double);
            for (i, expected) in expected.iter().enumerate() {
                assert!((got.double_value(&[i as i64]) - expected).abs() < 1e-12, "decay {decay}: {i}");
            }
            assert_eq!(adam.steps, 4);
        }
    }

    #[test]
    fn clipping_scales_all_gradients_by_one_factor() {
        let fresh = || [Tensor::from_slice(&[3.0_f64, 0.0]), Tensor::from_slice(&[-4.0_f64])];
        let total = norm(&fresh()).unwrap();
        assert!((total.double_value(&[]) - 5.0).abs() < 1e-12);
        let after = |max_norm| {
            let mut gradients = fresh();
            clip(&mut gradients, &total, max_norm).unwrap();
            [
                gradients[0].double_value(&[0]),
                gradients[0].double_value(&[1]),
                gradients[1].double_value(&[0]),
            ]
        };
        assert_eq!(after(10.0), [3.0, 0.0, -4.0], "a small gradient stays as it is");
        let scale = 1.0 / (5.0 + 1e-6);
        for (got, expected) in after(1.0).iter().zip([3.0 * scale, 0.0, -4.0 * scale]) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }
}
