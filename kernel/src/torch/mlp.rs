//! The small network of [`crate::mlp`] on tensors, with its optimizer.

use tch::{Device, Kind, Tensor, no_grad};

use super::adam::{self, Adam};
use super::{Answer, TchError};
use crate::adam::AdamConfig;
use crate::mlp::{Activation, Mlp};

/// A network on a device and its Adam. Outside they are flat arrays in the order of [`Mlp`].
#[derive(Debug)]
pub struct Trained {
    net: Mlp,
    device: Device,
    /// Weight `[outputs, inputs]`, bias `[outputs]`, and so on; each asks for a gradient.
    parameters: Vec<Tensor>,
    adam: Adam,
}

impl Trained {
    /// A network with these `[n]` parameters, before its first step. From here on libtorch computes on one thread,
    /// in the whole process: sums then have one order, and the same calls give the same bits on the CPU.
    ///
    /// # Errors
    /// What libtorch says, such as that the number of parameters is another.
    pub fn new(net: Mlp, parameters: &[f32], config: AdamConfig, device: Device) -> Answer<Trained> {
        tch::set_num_threads(1);
        let zeros = |shape: &[i64]| Tensor::f_zeros(shape, (Kind::Float, device))?.f_set_requires_grad(true);
        let tensors = shapes(&net).iter().map(|shape| zeros(shape)).collect::<Answer<Vec<_>>>()?;
        let AdamConfig { beta1, beta2, eps, weight_decay } = config;
        let adam = Adam { beta1, beta2, ..Adam::new(&tensors, eps, weight_decay)? };
        let mut trained = Trained { net, device, parameters: tensors, adam };
        copy(&mut trained.parameters, parameters)?;
        Ok(trained)
    }

    /// Numbers `[rows, columns]` on the device.
    ///
    /// # Errors
    /// What libtorch says, such as that they are no whole rows.
    pub fn upload(&self, numbers: &[f32], columns: usize) -> Answer<Tensor> {
        Tensor::f_from_slice(numbers)?.f_view([-1, columns as i64])?.f_to_device(self.device)
    }

    /// The outputs `[B, O]` for `x` `[B, I]`. `mask` `[B, widths[1]]` is a dropout mask, as [`Mlp::forward`] takes it.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Answer<Tensor> {
        let last = self.net.widths.len().saturating_sub(2);
        let mut x = x.shallow_clone();
        for (number, layer) in self.parameters.chunks_exact(2).enumerate() {
            x = x.f_linear(&layer[0], Some(&layer[1]))?;
            x = match self.net.activation {
                _ if number == last && self.net.sigmoid => x.f_sigmoid()?,
                _ if number == last => x,
                Activation::Tanh => x.f_tanh()?,
                Activation::Relu => x.f_relu()?,
            };
            if let (0, Some(mask)) = (number, mask) {
                x = x.f_mul(mask)?;
            }
        }
        Ok(x)
    }

    /// A step of Adam against the gradient of `loss`, clipped to the norm `max_norm` if there is one.
    ///
    /// # Errors
    /// What libtorch says; some of the parameters may have moved.
    pub fn descend(&mut self, loss: &Tensor, max_norm: Option<f64>, learning_rate: f64) -> Answer<()> {
        let mut gradients = Tensor::f_run_backward(&[loss], &self.parameters, false, false)?;
        if let Some(max_norm) = max_norm {
            let norm = adam::norm(&gradients)?;
            adam::clip(&mut gradients, &norm, max_norm)?;
        }
        self.adam.step(&mut self.parameters, &gradients, learning_rate)
    }

    /// Parameters, first and second moments, `[n]` each.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn save(&self) -> Answer<[Vec<f32>; 3]> {
        Ok([flat(&self.parameters)?, flat(&self.adam.first)?, flat(&self.adam.second)?])
    }

    /// Takes over what [`Trained::save`] gave after `steps` steps, or arrays of [`crate::adam`].
    ///
    /// # Errors
    /// What libtorch says, such as that the lengths do not fit.
    pub fn load(&mut self, [parameters, first, second]: [&[f32]; 3], steps: u64) -> Answer<()> {
        copy(&mut self.parameters, parameters)?;
        copy(&mut self.adam.first, first)?;
        copy(&mut self.adam.second, second)?;
        self.adam.steps = steps;
        Ok(())
    }
}

/// Weight, bias, weight, bias, ...
fn shapes(net: &Mlp) -> Vec<Vec<i64>> {
    let pairs = net.widths.windows(2);
    pairs.flat_map(|pair| [vec![pair[1] as i64, pair[0] as i64], vec![pair[1] as i64]]).collect()
}

fn copy(tensors: &mut [Tensor], flat: &[f32]) -> Answer<()> {
    let count: usize = tensors.iter().map(Tensor::numel).sum();
    if flat.len() != count {
        return Err(TchError::Shape(format!("{} numbers for a network of {count}", flat.len())));
    }
    let mut rest = flat;
    no_grad(|| {
        for tensor in tensors {
            let (these, those) = rest.split_at(tensor.numel());
            rest = those;
            let shape = tensor.size();
            tensor.f_copy_(&Tensor::f_from_slice(these)?.f_view(&shape[..])?)?;
        }
        Ok(())
    })
}

fn flat(tensors: &[Tensor]) -> Answer<Vec<f32>> {
    no_grad(|| {
        let rows = tensors.iter().map(|tensor| tensor.f_reshape([-1])).collect::<Answer<Vec<_>>>()?;
        numbers(&Tensor::f_cat(&rows, 0)?)
    })
}

/// All numbers of a tensor, from wherever it is.
pub(super) fn numbers(tensor: &Tensor) -> Answer<Vec<f32>> {
    let mut numbers = vec![0.0; tensor.numel()];
    tensor.f_to_device(Device::Cpu)?.f_contiguous()?.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}
