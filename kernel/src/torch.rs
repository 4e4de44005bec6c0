//! The kernel on tensors of libtorch (feature `torch`): any differentiable function, gradients by
//! autograd.
//!
//! Terms are 0-dimensional tensors that keep their graph. Whatever libtorch refuses, it says in the result;
//! only the methods of tch that begin with `f_` do that, the others panic.

pub mod adam;
pub mod device;
pub mod mlp;
pub mod recorded;
pub mod risk_predictor;
pub mod worker;

use std::f64::consts::TAU;

pub use tch::TchError;
use tch::Tensor;

/// The weights of the loss, and the scales of its terms (RULES section 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// wR, of the gap to the target.
    pub reality: f64,
    /// wF.
    pub flow: f64,
    /// wS.
    pub structure: f64,
    /// wT, subtracted.
    pub tension: f64,
    /// Size of the perturbation, > 0.
    pub eps: f64,
    /// Period of the structure, > 0, in units of the output.
    pub period: f64,
}

/// The terms of the loss and their sum.
#[derive(Debug)]
pub struct Terms {
    /// See [`gap`].
    pub gap: Tensor,
    /// See [`flow`].
    pub flow: Tensor,
    /// See [`structure`].
    pub structure: Tensor,
    /// See [`tension`].
    pub tension: Tensor,
    /// wR gap + wF flow + wS structure - wT tension.
    pub loss: Tensor,
}

/// What libtorch answers where it can not: shapes that do not fit, a lack of memory, a device that fails.
pub type Answer<T> = Result<T, TchError>;

/// `gap_R` = mean((output - target)^2); both of the same shape.
///
/// # Errors
/// What libtorch says.
pub fn gap(output: &Tensor, target: &Tensor) -> Answer<Tensor> {
    debug_assert_eq!(output.size(), target.size(), "shapes would be broadcast");
    output.f_sub(target)?.f_square()?.f_mean(None)
}

/// Flow = mean((f(x + eps n) - f(x))^2) / eps^2: for standard normal n up to the number of outputs the
/// squared Frobenius norm of the Jacobian as eps -> 0.
///
/// x `[batch, ...]`; `output` = f(x) `[batch, ...]`, without dropout; noise `[projections, batch, ...]`,
/// over whose projections the mean goes too. f sees `[projections * batch, ...]`.
///
/// # Errors
/// What libtorch or f says.
pub fn flow(
    f: impl Fn(&Tensor) -> Answer<Tensor>,
    x: &Tensor,
    output: &Tensor,
    noise: &Tensor,
    eps: f64,
) -> Answer<Tensor> {
    let moved = f(&x.f_unsqueeze(0)?.f_add(&noise.f_mul_scalar(eps)?)?.f_flatten(0, 1)?)?;
    let shape = [&noise.size()[..1], &output.size()].concat();
    let difference = moved.f_reshape(shape)?.f_sub(&output.f_unsqueeze(0)?)?;
    difference.f_square()?.f_mean(None)?.f_div_scalar(eps * eps)
}

/// `gap_S` = mean(1 - cos(2 pi output / period)): 0 where every output is a multiple of the period.
///
/// # Errors
/// What libtorch says.
pub fn structure(output: &Tensor, period: f64) -> Answer<Tensor> {
    output.f_mul_scalar(TAU / period)?.f_cos()?.f_mean(None)?.f_sub_scalar(1.0)?.f_neg()
}

/// Tension = tanh(`gap_R`) tanh(`gap_S`).
///
/// # Errors
/// What libtorch says.
pub fn tension(gap: &Tensor, structure: &Tensor) -> Answer<Tensor> {
    gap.f_tanh()?.f_mul(&structure.f_tanh()?)
}

/// The loss of a function without dropout on inputs `[batch, ...]`; target has the shape of f(x), noise
/// is that of [`flow`]. With dropout, f(x) of the flow is another one: see [`combine`].
///
/// # Errors
/// What libtorch or f says.
pub fn loss(
    f: impl Fn(&Tensor) -> Answer<Tensor>,
    x: &Tensor,
    target: &Tensor,
    noise: &Tensor,
    weights: &Weights,
) -> Answer<Terms> {
    let output = f(x)?;
    let flow = flow(f, x, &output, noise, weights.eps)?;
    combine(&output, target, flow, weights)
}

/// The loss of an output, and of a flow that was measured apart from it.
///
/// # Errors
/// What libtorch says.
pub fn combine(output: &Tensor, target: &Tensor, flow: Tensor, weights: &Weights) -> Answer<Terms> {
    let gap = gap(output, target)?;
    let structure = structure(output, weights.period)?;
    let tension = tension(&gap, &structure)?;
    let loss = (gap.f_mul_scalar(weights.reality)?)
        .f_add(&flow.f_mul_scalar(weights.flow)?)?
        .f_add(&structure.f_mul_scalar(weights.structure)?)?
        .f_sub(&tension.f_mul_scalar(weights.tension)?)?;
    Ok(Terms { gap, flow, structure, tension, loss })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, no_grad};

    /// On a linear function the flow is exactly |W n|^2, whatever eps: a closed form for several
    /// projections, and their mean is that of each alone.
    #[test]
    fn flow_of_a_linear_function_is_the_norm_of_the_projected_noise() {
        let weight = Tensor::from_slice(&[2.0_f64, -1.0, 0.5, 3.0, 1.0, -2.0]).view([2, 3]);
        let f = |x: &Tensor| x.f_matmul(&weight.transpose(0, 1));
        let x = Tensor::from_slice(&[0.3_f64, -0.2, 0.9, 1.4, 0.0, -0.7]).view([2, 3]);
        let noise: Vec<f64> = (0..18).map(|i| f64::from(i * i % 11) * 0.3 - 1.2).collect();
        let noise = Tensor::from_slice(&noise).view([3, 2, 3]);
        let got = |noise: &Tensor| flow(f, &x, &f(&x).unwrap(), noise, 0.05).unwrap().double_value(&[]);
        let expected = f(&noise.view([6, 3])).unwrap().square().mean(Kind::Double).double_value(&[]);
        assert!((got(&noise) - expected).abs() < 1e-9, "{} {expected}", got(&noise));
        let each: f64 = (0..3).map(|k| got(&noise.narrow(0, k, 1))).sum();
        assert!((got(&noise) - each / 3.0).abs() < 1e-9);
    }

    #[test]
    fn structure_is_periodic_and_tension_needs_both_gaps() {
        no_grad(|| {
            let at = |value: f64| structure(&Tensor::from_slice(&[value]), 3.0).unwrap().double_value(&[]);
            assert!(at(0.0).abs() < 1e-12 && at(6.0).abs() < 1e-12);
            assert!((at(1.5) - 2.0).abs() < 1e-12 && (at(0.75) - 1.0).abs() < 1e-12);
            let scalar = |value: f64| Tensor::from(value);
            assert_eq!(tension(&scalar(0.0), &scalar(5.0)).unwrap().double_value(&[]), 0.0);
            let both = tension(&scalar(0.5), &scalar(1.0)).unwrap().double_value(&[]);
            assert!((both - 0.462_117_157_260_009_75 * 0.761_594_155_955_764_9).abs() < 1e-12);
        });
    }
}
