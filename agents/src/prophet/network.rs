//! What the networks of actor and critic look like, and the names of their parameters.

use serde::{Deserialize, Serialize};

/// The networks: actor and critic are alike, with no parameter in common.
///
/// observation -> (convolution of the view) -> dense layers with tanh -> logits, or the value.
///
/// With a memory of N units, a minGRU (Feng et al. 2024; [`resonetics_kernel::min_gru`]) reads what the last of the
/// dense layers with tanh puts out, y: `h_t` = (1 - `z_t`) `h_(t-1)` + `z_t` `c_t` with the gate z = logistic(`W_z` y +
/// `b_z`) and the candidate c = tanh(`W_c` y + `b_c`). The outputs are `W` y + b + `W_h` h: whatever networks without
/// a memory compute, these do with `W_h` = 0. h is 0 where an episode or a life begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Widths of the dense layers between input and output, such as `[64, 64]`.
    pub hidden: Vec<usize>,
    /// Channels of a 3x3 convolution (no padding, tanh) over the square view that observations
    /// begin with; 0 for none. What follows the view joins its output.
    pub conv_channels: usize,
    /// Units of the memory of each network; 0 for none.
    #[serde(default)]
    pub memory: usize,
}

/// What goes in and comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spaces {
    /// Numbers in an observation, D.
    pub observation: usize,
    /// Actions, A.
    pub actions: usize,
    /// Side of the square view at the front of an observation; 0 where there is none.
    pub view: usize,
}

/// One array with its name: a parameter, a moment, a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Such as `actor.0.weight`.
    pub name: String,
    /// Row-major, output x input.
    pub shape: Vec<usize>,
    /// As many as `shape` says.
    pub data: Vec<f32>,
}

/// The two networks, in the order of their parameters.
pub const NETS: [&str; 2] = ["actor", "critic"];

impl Network {
    /// Width of what enters the first dense layer.
    pub fn features(&self, spaces: Spaces) -> usize {
        if self.conv_channels == 0 {
            return spaces.observation;
        }
        let side = spaces.view.saturating_sub(2);
        self.conv_channels * side * side + spaces.observation - spaces.view * spaces.view
    }

    /// Names and shapes of all parameters: for `actor` and then `critic` `conv.weight` `[C, 1, 3, 3]`
    /// and `conv.bias` `[C]` where there is a convolution, then for each dense layer i `i.weight`
    /// `[out, in]` and `i.bias` `[out]`; the last layer has the logits, or the value. Behind those of both come the
    /// memories', where there are any: `memory.gate.weight` `[N, in]`, `memory.gate.bias` `[N]`,
    /// `memory.candidate.weight`, `memory.candidate.bias`, and `memory.head.weight` `[out, N]`.
    pub fn parameters(&self, spaces: Spaces) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        for (net, outputs) in NETS.iter().zip([spaces.actions, 1]) {
            if self.conv_channels > 0 {
                all.push((format!("{net}.conv.weight"), vec![self.conv_channels, 1, 3, 3]));
                all.push((format!("{net}.conv.bias"), vec![self.conv_channels]));
            }
            let mut input = self.features(spaces);
            for (layer, &width) in self.hidden.iter().chain([&outputs]).enumerate() {
                all.push((format!("{net}.{layer}.weight"), vec![width, input]));
                all.push((format!("{net}.{layer}.bias"), vec![width]));
                input = width;
            }
        }
        if self.memory > 0 {
            let input = self.hidden.last().copied().unwrap_or_else(|| self.features(spaces));
            for (net, outputs) in NETS.iter().zip([spaces.actions, 1]) {
                for layer in ["gate", "candidate"] {
                    all.push((format!("{net}.memory.{layer}.weight"), vec![self.memory, input]));
                    all.push((format!("{net}.memory.{layer}.bias"), vec![self.memory]));
                }
                all.push((format!("{net}.memory.head.weight"), vec![outputs, self.memory]));
            }
        }
        all
    }

    /// Numbers of a row's memory: the units of the actor and then those of the critic.
    pub fn remembered(&self) -> usize {
        NETS.len() * self.memory
    }
}

/// The tensor called `name`, which must have `shape`.
///
/// # Errors
/// If there is none, or its shape or its number of elements is another.
pub fn find<'a>(tensors: &'a [Tensor], name: &str, shape: &[usize]) -> Result<&'a Tensor, String> {
    let tensor = tensors.iter().find(|tensor| tensor.name == name);
    let tensor = tensor.ok_or_else(|| format!("there is no tensor `{name}`"))?;
    if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
        return Err(format!("tensor `{name}` has shape {:?}, expected {shape:?}", tensor.shape));
    }
    Ok(tensor)
}
