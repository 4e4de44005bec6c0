//! Parameters of the native learner as named tensors, and back.

use super::layout::{Cell, Net, Place};
use crate::prophet::network::{Tensor, find};

/// Flat numbers in this learner's order as named tensors.
pub(super) fn export(
    prefix: &str,
    flat: &[f32],
    shapes: Vec<(String, Vec<usize>)>,
    nets: &[Net; 2],
) -> Vec<Tensor> {
    let mut places = places(nets);
    let mut out = Vec::with_capacity(shapes.len());
    for (name, shape) in shapes {
        let mut data = vec![0.0; shape.iter().product()];
        if let Some(place) = places.next() {
            place.visit(&shape, |at, i| data[i] = flat[at]);
        }
        out.push(Tensor { name: format!("{prefix}{name}"), shape, data });
    }
    out
}

/// Named tensors as `count` flat numbers in the learner's order.
///
/// # Errors
/// A tensor that is not there or has another shape.
pub(super) fn import(
    prefix: &str,
    count: usize,
    shapes: &[(String, Vec<usize>)],
    nets: &[Net; 2],
    tensors: &[Tensor],
) -> Result<Vec<f32>, String> {
    let mut flat = vec![0.0; count];
    for ((name, shape), place) in shapes.iter().zip(places(nets)) {
        let tensor = find(tensors, &format!("{prefix}{name}"), shape)?;
        place.visit(shape, |at, i| flat[at] = tensor.data[i]);
    }
    Ok(flat)
}

/// Where the parameters lie, in the order of [`Network::parameters`].
fn places(nets: &[Net; 2]) -> impl Iterator<Item = Place> + '_ {
    let dense = nets.iter().flat_map(|net| {
        let weights = net.conv.len() / 10 * 9;
        let conv = [Place::Plain(net.conv.start), Place::Plain(net.conv.start + weights)];
        let conv = conv.into_iter().filter(|_| !net.conv.is_empty());
        let dense = net
            .layers
            .iter()
            .flat_map(|layer| [Place::Transposed(layer.weight, layer.output), Place::Plain(layer.bias)]);
        conv.chain(dense)
    });
    let cells = nets.iter().flat_map(|net| &net.memory).flat_map(Cell::places);
    dense.chain(cells)
}
