//! A training in progress as arrays and numbers, and as the bytes of a safetensors file.

use resonetics_envs::env::ParallelEnv;
use resonetics_kernel::pid::KernelPidTuner;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use super::counters::Counters;
use super::network::{Tensor, find};
use super::normalizer::Normalizer;
use super::order::Order;
use super::risk_rate::RiskState;
use super::trainer::Trainer;

/// Everything that a training goes on from.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What is no array; goes into JSON.
    pub numbers: Numbers,
    /// `learner` arrays under their own names, `risk.…`, `normalizer.…`, `discounted`, and `memory` where networks
    /// have one.
    pub arrays: Arrays,
}

/// The numbers of a [`State`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    counters: Counters,
    adam_steps: u64,
    observations_seen: f64,
    returns_seen: f64,
    tuner: KernelPidTuner,
    risk: Option<RiskState>,
}

/// The arrays of a [`State`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays {
    /// f32
    pub tensors: Vec<Tensor>,
    /// f64, one-dimensional.
    pub wide: Vec<(String, Vec<f64>)>,
    /// Bytes.
    pub bytes: Vec<(String, Vec<u8>)>,
}

const ENVIRONMENTS: &str = "environments";
const DISCOUNTED: &str = "discounted";
/// What each row remembers, where networks have a memory.
const MEMORY: &str = "memory";
const WIDE: [&str; 4] = [
    "normalizer.observation.mean",
    "normalizer.observation.squares",
    "normalizer.return.mean",
    "normalizer.return.squares",
];

impl Numbers {
    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.counters.updates
    }

    /// Steps made.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }
}

impl<E: ParallelEnv + Clone + Sync> Trainer<E> {
    /// Everything that the training goes on from.
    ///
    /// # Errors
    /// If the environments cannot be saved, or the learner fails.
    pub fn save(&self) -> Result<State, String> {
        let mut tensors = self.learner.save().map_err(|error| error.to_string())?;
        let risk = self.risk_rate.as_ref().map(|rate| {
            let (state, arrays) = rate.save();
            tensors.extend(arrays);
            state
        });
        let shape = vec![self.discounted.len()];
        tensors.push(Tensor { name: DISCOUNTED.to_owned(), shape, data: self.discounted.clone() });
        if self.memory.numbers > 0 {
            let (shape, data) = (vec![self.discounted.len(), self.memory.numbers], self.memory.rows.clone());
            tensors.push(Tensor { name: MEMORY.to_owned(), shape, data });
        }
        let (observation, reward) = (&self.observation_normalizer, &self.return_normalizer);
        let wide = [&observation.mean, &observation.squares, &reward.mean, &reward.squares];
        let wide = WIDE.iter().zip(wide).map(|(name, values)| ((*name).to_owned(), values.clone()));
        let environments = self.envs.save().map_err(|error| error.to_string())?;
        Ok(State {
            numbers: Numbers {
                counters: self.counters.clone(),
                adam_steps: self.learner.steps(),
                observations_seen: observation.count,
                returns_seen: reward.count,
                tuner: self.tuner,
                risk,
            },
            arrays: Arrays {
                tensors,
                wide: wide.collect(),
                bytes: vec![(ENVIRONMENTS.to_owned(), environments)],
            },
        })
    }

    /// Goes on from a state that a training with the same settings saved.
    ///
    /// # Errors
    /// What does not fit; the training is then not to be used.
    pub fn restore(&mut self, state: &State) -> Result<(), String> {
        let State { numbers, arrays } = state;
        self.learner.load(&arrays.tensors, numbers.adam_steps)?;
        match (&mut self.risk_rate, &numbers.risk) {
            (Some(rate), Some(risk)) => rate.restore(risk.clone(), &arrays.tensors)?,
            (None, None) => {}
            _ => return Err("its learning rate follows another schedule".to_owned()),
        }
        self.discounted.clone_from(&find(&arrays.tensors, DISCOUNTED, &[self.discounted.len()])?.data);
        if self.memory.numbers > 0 {
            let shape = [self.discounted.len(), self.memory.numbers];
            self.memory.rows.clone_from(&find(&arrays.tensors, MEMORY, &shape)?.data);
        }
        self.observation_normalizer =
            arrays.observation_normalizer(self.observation_normalizer.mean.len(), numbers)?;
        self.return_normalizer = arrays.normalizer(2, 1, numbers.returns_seen)?;
        let environments = arrays.bytes.iter().find(|(name, _)| name == ENVIRONMENTS);
        let (_, bytes) = environments.ok_or_else(|| format!("there is no tensor `{ENVIRONMENTS}`"))?;
        self.envs.restore(bytes, &mut self.batch).map_err(|error| format!("`{ENVIRONMENTS}`: {error}"))?;
        self.counters = numbers.counters.clone();
        let whole = self.envs.len() - self.config.restarting();
        if self.counters.order.environments() != whole {
            self.counters.order = Order::new(whole);
        }
        self.tuner = numbers.tuner;
        Ok(())
    }

    /// Starts from the networks and the normalisers of another training: Adam's moments, counters, schedules and
    /// environments stay those of a fresh one.
    ///
    /// # Errors
    /// What does not fit; the training is then not to be used.
    pub fn start_from(&mut self, state: &State) -> Result<(), String> {
        let State { numbers, arrays } = state;
        let mut tensors = self.learner.save().map_err(|error| error.to_string())?;
        for tensor in tensors.iter_mut().filter(|tensor| !tensor.name.starts_with("adam.")) {
            tensor.data.clone_from(&find(&arrays.tensors, &tensor.name, &tensor.shape)?.data);
        }
        self.learner.load(&tensors, 0)?;
        self.observation_normalizer =
            arrays.observation_normalizer(self.observation_normalizer.mean.len(), numbers)?;
        self.return_normalizer = arrays.normalizer(2, 1, numbers.returns_seen)?;
        Ok(())
    }

    /// Notes that the training has gone back to a checkpoint `rollbacks` times; each halves its
    /// learning rate.
    pub fn set_rollbacks(&mut self, rollbacks: u32) {
        self.counters.rollbacks = rollbacks;
    }

    /// Times that the training went back to a checkpoint.
    pub fn rollbacks(&self) -> u32 {
        self.counters.rollbacks
    }

    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.counters.updates
    }

    /// Steps of single environments made.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// Episodes that have ended.
    pub fn episodes(&self) -> u64 {
        self.counters.episodes
    }
}

impl Arrays {
    /// Numbers in an observation, by the normaliser of the observations; none where there is none.
    pub fn observation(&self) -> Option<usize> {
        self.wide.iter().find(|(name, _)| name == WIDE[0]).map(|(_, mean)| mean.len())
    }

    /// The normaliser of the observations, of `width` columns.
    ///
    /// # Errors
    /// If it is missing or of another width.
    pub fn observation_normalizer(&self, width: usize, numbers: &Numbers) -> Result<Normalizer, String> {
        self.normalizer(0, width, numbers.observations_seen)
    }

    fn normalizer(&self, first: usize, width: usize, count: f64) -> Result<Normalizer, String> {
        let get = |name: &str| {
            let found = self.wide.iter().find(|(found, values)| found == name && values.len() == width);
            let (_, values) =
                found.ok_or_else(|| format!("there is no tensor `{name}` of {width} numbers"))?;
            Ok::<_, String>(values.clone())
        };
        Ok(Normalizer { mean: get(WIDE[first])?, squares: get(WIDE[first + 1])?, count })
    }

    /// As a safetensors file.
    ///
    /// # Errors
    /// If two arrays have one name.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let little = |data: &[f32]| data.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let mut all: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for Tensor { name, shape, data } in &self.tensors {
            all.push((name, Dtype::F32, shape.clone(), little(data)));
        }
        for (name, values) in &self.wide {
            let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            all.push((name, Dtype::F64, vec![values.len()], bytes));
        }
        for (name, bytes) in &self.bytes {
            all.push((name, Dtype::U8, vec![bytes.len()], bytes.clone()));
        }
        // safetensors itself panics at them.
        let mut names: Vec<&str> = all.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two arrays are called `{name}`"));
        }
        let views: Result<Vec<_>, _> = all
            .iter()
            .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect();
        views
            .and_then(|views| serialize(views, None))
            .map_err(|error: safetensors::SafeTensorError| format!("cannot be a safetensors file: {error}"))
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// If it is none, or holds numbers of another kind.
    pub fn from_bytes(bytes: &[u8]) -> Result<Arrays, String> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
        let mut arrays = Arrays::default();
        for (name, view) in file.tensors() {
            let data = view.data();
            match view.dtype() {
                Dtype::F32 => {
                    let data = data.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
                    arrays.tensors.push(Tensor { name, shape: view.shape().to_vec(), data });
                }
                Dtype::F64 => {
                    let values = data.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect();
                    arrays.wide.push((name, values));
                }
                Dtype::U8 => arrays.bytes.push((name, data.to_vec())),
                other => return Err(format!("tensor `{name}` holds {other:?}, expected F32, F64 or U8")),
            }
        }
        Ok(arrays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays() -> Arrays {
        Arrays {
            tensors: vec![Tensor { name: "a.weight".to_owned(), shape: vec![2, 1], data: vec![1.5, -0.0] }],
            wide: vec![("w".to_owned(), vec![0.1])],
            bytes: vec![("b".to_owned(), vec![7, 8, 9])],
        }
    }

    #[test]
    fn what_was_written_is_read_and_the_order_does_not_matter_to_the_bytes() {
        let bytes = arrays().to_bytes().unwrap();
        assert_eq!(Arrays::from_bytes(&bytes).unwrap(), arrays());
        assert_eq!(arrays().to_bytes().unwrap(), bytes);
    }

    #[test]
    fn a_truncated_file_is_refused() {
        let bytes = arrays().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(Arrays::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn two_arrays_of_one_name_are_refused() {
        let mut twice = arrays();
        twice.wide.push(("b".to_owned(), vec![1.0]));
        assert!(twice.to_bytes().unwrap_err().contains("`b`"));
    }
}
