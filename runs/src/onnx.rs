//! A trained policy as an ONNX model, for programs that do without this one.
//!
//! Opset 17 and IR version 8, which ONNX Runtime 1.12 and later read. Inputs, with N rows of which each is an
//! observation of one agent:
//!
//! - `observation`, float `[N, D]`, as the world shows it: the normaliser is inside;
//! - `action_mask`, bool `[N, A]`: the actions that may be chosen; all true in a world without masks;
//! - `memory`, float `[N, 2 M]`, only of a policy with a memory of M units: the actor's and then the critic's. 0 where an
//!   episode or a life begins, else the `next_memory` of the step before.
//!
//! Outputs:
//!
//! - `probabilities`, float `[N, A]`: of the actions, those of forbidden ones 0. Of a row in which nothing may be chosen
//!   they mean nothing;
//! - `logits`, float `[N, A]`: their logarithms up to a constant, -1e8 where forbidden;
//! - `value`, float `[N]`: the critic's, in standard deviations of the discounted return where `train.normalize_returns`
//!   is on;
//! - `next_memory`, float `[N, 2 M]`, only of a policy with a memory.

mod proto;

use prost::Message;
use resonetics_agents::prophet::network::{NETS, Network, Spaces, Tensor, find};
use resonetics_agents::prophet::normalizer::Normalizer;

use self::proto::{
    Attribute, BOOL, Dimension, Entry, FLOAT, Graph, INT, INT64, Kind, Model, Node, OperatorSet, Shape,
    TensorKind, Value,
};
use crate::error::Error;
use crate::trained::Trained;

/// Version of ONNX's operators.
pub const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// A forbidden action's logit, as in training.
const FORBIDDEN: f32 = -1e8;
/// Standard deviations from the mean at which the normaliser cuts.
const LIMIT: f32 = 10.0;

/// The policy of `trained` as the bytes of an ONNX file.
///
/// # Errors
/// [`Error::Refused`] if the checkpoint lacks a part of the networks.
pub fn model(trained: &Trained) -> Result<Vec<u8>, Error> {
    let (plan, state) = (&trained.plan, &trained.state);
    let spaces = plan.spaces();
    let refused = |problem: String| Error::Refused(format!("cannot be exported: {problem}"));
    let normalizer =
        state.arrays.observation_normalizer(spaces.observation, &state.numbers).map_err(refused)?;
    let entries = [
        ("resonetics.env", plan.env.name.clone()),
        ("resonetics.preset", plan.env.preset.clone()),
        ("resonetics.recipe", plan.recipe()),
        ("resonetics.step", trained.checkpoint.step.to_string()),
        ("resonetics.checkpoint_sha256", trained.checkpoint.sha256.clone()),
    ];
    policy(&plan.train.network, spaces, &state.arrays.tensors, &normalizer, &entries).map_err(refused)
}

/// Networks with the parameters `tensors` behind a normaliser, and what is said of them, as the bytes of an ONNX
/// file.
///
/// # Errors
/// A parameter that is missing or of another shape.
pub fn policy(
    network: &Network,
    spaces: Spaces,
    tensors: &[Tensor],
    normalizer: &Normalizer,
    entries: &[(&str, String)],
) -> Result<Vec<u8>, String> {
    let mut builder = Builder { network, spaces, tensors, graph: Graph::default() };
    let seen = builder.normalized(normalizer);
    let logits = builder.net(NETS[0], &seen, spaces.actions)?;
    let forbidden = builder.floats("forbidden", &[], &[FORBIDDEN]);
    builder.node("Where", &["action_mask", &logits, &forbidden], "logits", &[]);
    builder.node("Softmax", &["logits"], "probabilities", &[("axis", -1)]);
    let value = builder.net(NETS[1], &seen, 1)?;
    let column = builder.integers("value.column", &[1]);
    builder.node("Squeeze", &[&value, &column], "value", &[]);
    let (observation, actions) = (Some(spaces.observation), Some(spaces.actions));
    let mut input = vec![
        value_info("observation", FLOAT, observation, "as the world shows it"),
        value_info("action_mask", BOOL, actions, "true for actions that may be chosen"),
    ];
    let mut output = vec![
        value_info("probabilities", FLOAT, actions, "of the actions; 0 for forbidden ones"),
        value_info("logits", FLOAT, actions, "-1e8 for forbidden actions"),
        value_info("value", FLOAT, None, "the critic's"),
    ];
    if network.memory > 0 {
        let next = NETS.map(|net| format!("{net}.memory.next"));
        builder.node("Concat", &[&next[0], &next[1]], "next_memory", &[("axis", 1)]);
        let remembered = Some(network.remembered());
        input.push(value_info("memory", FLOAT, remembered, "0 where an episode or a life begins"));
        output.push(value_info("next_memory", FLOAT, remembered, "the memory of the next step"));
    }
    let graph = Graph { name: "policy".to_owned(), input, output, ..builder.graph };
    let entry = |(key, value): &(&str, String)| Entry { key: (*key).to_owned(), value: value.clone() };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "resonetics".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string:
            "A policy: observation, action_mask and memory, if any, to probabilities, logits and value"
                .to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: entries.iter().map(entry).collect(),
    };
    Ok(model.encode_to_vec())
}

/// A name with its type: N rows, of `columns` numbers each where there are any.
fn value_info(name: &str, elem_type: i32, columns: Option<usize>, doc: &str) -> Value {
    let rows = Dimension { dim_value: None, dim_param: Some("N".to_owned()) };
    let columns = columns.map(|columns| Dimension { dim_value: Some(columns as i64), dim_param: None });
    let shape = Shape { dim: [rows].into_iter().chain(columns).collect() };
    let tensor_type = Some(TensorKind { elem_type, shape: Some(shape) });
    Value { name: name.to_owned(), kind: Some(Kind { tensor_type }), doc_string: doc.to_owned() }
}

/// A graph that grows node by node; a value has the name of what made it.
struct Builder<'a> {
    network: &'a Network,
    spaces: Spaces,
    tensors: &'a [Tensor],
    graph: Graph,
}

impl Builder<'_> {
    fn node(&mut self, op_type: &str, input: &[&str], output: &str, attributes: &[(&str, i64)]) -> String {
        let attribute =
            |(name, i): &(&str, i64)| Attribute { name: (*name).to_owned(), i: Some(*i), kind: INT };
        self.graph.node.push(Node {
            input: input.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op_type.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
        });
        output.to_owned()
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        let dims = shape.iter().map(|&size| size as i64).collect();
        self.graph.initializer.push(proto::Tensor { dims, data_type, name: name.to_owned(), raw_data });
        name.to_owned()
    }

    fn floats(&mut self, name: &str, shape: &[usize], data: &[f32]) -> String {
        let bytes = data.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(name, shape, FLOAT, bytes)
    }

    fn integers(&mut self, name: &str, data: &[i64]) -> String {
        let bytes = data.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(name, &[data.len()], INT64, bytes)
    }

    /// (observation - mean) / standard deviation, cut; the observation itself where nothing was seen.
    fn normalized(&mut self, normalizer: &Normalizer) -> String {
        if normalizer.count == 0.0 {
            return "observation".to_owned();
        }
        let means: Vec<f32> = normalizer.mean.iter().map(|&mean| mean as f32).collect();
        let mean = self.floats("normalizer.mean", &[means.len()], &means);
        let scale = self.floats("normalizer.scale", &[means.len()], &normalizer.scales());
        let [low, high] = [("normalizer.low", -LIMIT), ("normalizer.high", LIMIT)]
            .map(|(name, limit)| self.floats(name, &[], &[limit]));
        let shifted = self.node("Sub", &["observation", &mean], "shifted", &[]);
        let scaled = self.node("Mul", &[&shifted, &scale], "scaled", &[]);
        self.node("Clip", &[&scaled, &low, &high], "normalized", &[])
    }

    fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<String, String> {
        let data = &find(self.tensors, name, shape)?.data;
        Ok(self.floats(name, shape, data))
    }

    /// The outputs of the network `net`.
    fn net(&mut self, net: &str, seen: &str, outputs: usize) -> Result<String, String> {
        let mut here = self.features(net, seen)?;
        let mut inputs = self.network.features(self.spaces);
        let widths: Vec<usize> = self.network.hidden.iter().copied().chain([outputs]).collect();
        let mut remembered = None;
        for (layer, &width) in widths.iter().enumerate() {
            if layer + 1 == widths.len() && self.network.memory > 0 {
                remembered = Some(self.memory(net, &here, inputs, outputs)?);
            }
            let weight = self.parameter(&format!("{net}.{layer}.weight"), &[width, inputs])?;
            let bias = self.parameter(&format!("{net}.{layer}.bias"), &[width])?;
            here = self.node("Gemm", &[&here, &weight, &bias], &format!("{net}.{layer}"), &[("transB", 1)]);
            if layer + 1 < widths.len() {
                here = self.node("Tanh", &[&here], &format!("{net}.{layer}.tanh"), &[]);
            }
            inputs = width;
        }
        Ok(match remembered {
            Some(part) => self.node("Add", &[&here, &part], &format!("{net}.out"), &[]),
            None => here,
        })
    }

    /// What the memory of `net` adds to its outputs, one step on from `memory` (RULES section 3.2, *Memory*); its next
    /// state is `NET.memory.next`.
    fn memory(&mut self, net: &str, seen: &str, inputs: usize, outputs: usize) -> Result<String, String> {
        let units = self.network.memory;
        let first = NETS.iter().take_while(|name| **name != net).count() * units;
        let state = self.columns(&format!("{net}.memory"), "memory", "before", first..first + units);
        let layer = |builder: &mut Self, name: &str, squash: &str| {
            let name = format!("{net}.memory.{name}");
            let weight = builder.parameter(&format!("{name}.weight"), &[units, inputs])?;
            let bias = builder.parameter(&format!("{name}.bias"), &[units])?;
            builder.node("Gemm", &[seen, &weight, &bias], &name, &[("transB", 1)]);
            Ok::<String, String>(builder.node(squash, &[&name], &format!("{name}.out"), &[]))
        };
        let gate = layer(self, "gate", "Sigmoid")?;
        let candidate = layer(self, "candidate", "Tanh")?;
        let change = self.node("Sub", &[&candidate, &state], &format!("{net}.memory.change"), &[]);
        let part = self.node("Mul", &[&gate, &change], &format!("{net}.memory.part"), &[]);
        let next = self.node("Add", &[&state, &part], &format!("{net}.memory.next"), &[]);
        let head = self.parameter(&format!("{net}.memory.head.weight"), &[outputs, units])?;
        Ok(self.node("Gemm", &[&next, &head], &format!("{net}.memory.head"), &[("transB", 1)]))
    }

    /// What enters the first dense layer: behind a convolution its output, channel by channel, and what follows the
    /// view.
    fn features(&mut self, net: &str, seen: &str) -> Result<String, String> {
        let (channels, Spaces { observation, view, .. }) = (self.network.conv_channels, self.spaces);
        if channels == 0 {
            return Ok(seen.to_owned());
        }
        let cells = view * view;
        let mut parts = Vec::new();
        // A view smaller than the kernel has no place for it.
        if view > 2 {
            let shape = self.integers(&format!("{net}.view.shape"), &[-1, 1, view as i64, view as i64]);
            let flat = self.columns(net, seen, "view", 0..cells);
            let square = self.node("Reshape", &[&flat, &shape], &format!("{net}.square"), &[]);
            let weight = self.parameter(&format!("{net}.conv.weight"), &[channels, 1, 3, 3])?;
            let bias = self.parameter(&format!("{net}.conv.bias"), &[channels])?;
            let conv = self.node("Conv", &[&square, &weight, &bias], &format!("{net}.conv"), &[]);
            let tanh = self.node("Tanh", &[&conv], &format!("{net}.conv.tanh"), &[]);
            parts.push(self.node("Flatten", &[&tanh], &format!("{net}.conv.flat"), &[("axis", 1)]));
        }
        if observation > cells {
            parts.push(self.columns(net, seen, "rest", cells..observation));
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(self.node("Concat", &parts, &format!("{net}.features"), &[("axis", 1)]))
    }

    /// Some columns of the observation.
    fn columns(&mut self, net: &str, seen: &str, name: &str, columns: std::ops::Range<usize>) -> String {
        let [start, end, axis] = [("start", columns.start), ("end", columns.end), ("axis", 1)]
            .map(|(what, at)| self.integers(&format!("{net}.{name}.{what}"), &[at as i64]));
        self.node("Slice", &[seen, &start, &end, &axis], &format!("{net}.{name}"), &[])
    }
}
