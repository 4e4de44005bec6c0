//! Random streams, derived by counter from one user seed.
//!
//! The generator is Threefry-2x32 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011), a keyed bijection of 64 bits: no state, so a value depends only on
//! (seed, domain, index, step, purpose, lane) and never on who asked before. Keys are derived with
//! 20 rounds, draws made with 13.

use std::convert::Infallible;

use rand::TryRng;

use crate::math::{self, LANES, Lanes};

/// What a stream is for. The numbers never change: that would change every published result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Domain {
    /// Seeds of the lanes of a vector, or of the episodes of a benchmark.
    Lane = 1,
    /// An episode of an environment.
    Episode = 2,
    /// What a policy draws.
    Policy = 3,
    /// The brain of one gardener.
    Brain = 4,
    /// Resampling in statistics.
    Statistics = 5,
    /// Sampling from a space.
    Space = 6,
    /// The first weights of a network.
    Weights = 7,
    /// What training draws: dropout, noise for the flow, minibatches.
    Training = 8,
}

/// Counters of one call of [`Key::normals`].
const HALF: usize = LANES / 2;

/// The key of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    words: [u32; 2],
}

/// Rotation distances of Threefry-2x32, those of even and of odd groups of four rounds (Salmon et al. 2011,
/// table 4).
const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY: u32 = 0x1BD1_1BDA;
/// Rounds of a key: the authors' default.
const KEY_ROUNDS: usize = 20;
/// Rounds of a draw: the shorter of the two variants for which Random123 has known answers, as fast as it
/// is good enough (`tests/generator_battery.rs`, which finds 5 rounds wanting).
const DRAW_ROUNDS: usize = 13;

/// Threefry-2x32 of the counters `(x[i], y[i])` under the keys `(key[0][i], key[1][i])`, lane by lane.
#[inline(always)]
fn threefry<const ROUNDS: usize, const N: usize>(
    key: &[[u32; N]; 2],
    mut x: [u32; N],
    mut y: [u32; N],
) -> ([u32; N], [u32; N]) {
    let mut schedule = [key[0], key[1], [PARITY; N]];
    for i in 0..N {
        schedule[2][i] ^= key[0][i] ^ key[1][i];
        x[i] = x[i].wrapping_add(schedule[0][i]);
        y[i] = y[i].wrapping_add(schedule[1][i]);
    }
    // Written out, as the compiler leaves a loop of this size rolled.
    (x, y) = four_rounds(x, y, &schedule, 0);
    (x, y) = four_rounds(x, y, &schedule, 1);
    (x, y) = four_rounds(x, y, &schedule, 2);
    match ROUNDS {
        13 => round(x, y, ROTATIONS[1][0]),
        20 => {
            (x, y) = four_rounds(x, y, &schedule, 3);
            four_rounds(x, y, &schedule, 4)
        }
        _ => unreachable!("13 or 20 rounds"),
    }
}

/// Rounds 4 `group` to 4 `group` + 3, and the keys added after them.
#[inline(always)]
fn four_rounds<const N: usize>(
    mut x: [u32; N],
    mut y: [u32; N],
    schedule: &[[u32; N]; 3],
    group: usize,
) -> ([u32; N], [u32; N]) {
    let turns = ROTATIONS[group % 2];
    (x, y) = round(x, y, turns[0]);
    (x, y) = round(x, y, turns[1]);
    (x, y) = round(x, y, turns[2]);
    (x, y) = round(x, y, turns[3]);
    let next = group + 1;
    for i in 0..N {
        x[i] = x[i].wrapping_add(schedule[next % 3][i]);
        y[i] = y[i].wrapping_add(schedule[(next + 1) % 3][i].wrapping_add(next as u32));
    }
    (x, y)
}

#[inline(always)]
fn round<const N: usize>(mut x: [u32; N], mut y: [u32; N], distance: u32) -> ([u32; N], [u32; N]) {
    for i in 0..N {
        x[i] = x[i].wrapping_add(y[i]);
        y[i] = y[i].rotate_left(distance) ^ x[i];
    }
    (x, y)
}

impl Key {
    /// The stream number `index` of `domain` under a seed.
    #[inline(always)]
    pub fn new(seed: u64, domain: Domain, index: u64) -> Key {
        Key { words: [seed as u32, (seed >> 32) as u32] }.derive(domain as u32, index)
    }

    /// The stream number (`tag`, `index`) below this one.
    #[inline(always)]
    #[must_use]
    pub fn derive(self, tag: u32, index: u64) -> Key {
        // Two calls, so that all 64 bits of the index and the tag enter the key.
        let (x, y) = threefry::<KEY_ROUNDS, 1>(&self.words.map(|word| [word]), [tag], [(index >> 32) as u32]);
        let (x, y) = threefry::<KEY_ROUNDS, 1>(&[x, y], [index as u32], [tag]);
        Key { words: [x[0], y[0]] }
    }

    /// Two random words for one (step, index).
    #[inline(always)]
    pub fn words(self, step: u32, index: u32) -> (u32, u32) {
        let (x, y) = threefry::<DRAW_ROUNDS, 1>(&self.words.map(|word| [word]), [step], [index]);
        (x[0], y[0])
    }

    /// A number in [0, 1) for one (step, index).
    #[inline(always)]
    pub fn uniform(self, step: u32, index: u32) -> f32 {
        math::uniform(self.words(step, index).0)
    }

    /// An integer in `0..bound` for one (step, index); its bias is below `bound` / 2^32.
    #[inline(always)]
    pub fn below(self, bound: u32, step: u32, index: u32) -> u32 {
        scale(self.words(step, index).0, bound)
    }

    /// Random words for the indices `first .. first + N`, two for each.
    #[inline(always)]
    fn counted<const N: usize>(self, step: u32, first: u32) -> ([u32; N], [u32; N]) {
        let mut index = [0u32; N];
        for (i, index) in index.iter_mut().enumerate() {
            *index = first.wrapping_add(i as u32);
        }
        threefry::<DRAW_ROUNDS, N>(&self.words.map(|word| [word; N]), [step; N], index)
    }

    /// Random words for the indices `first .. first + 16`, two for each.
    #[inline(always)]
    pub fn lanes(self, step: u32, first: u32) -> ([u32; LANES], [u32; LANES]) {
        self.counted(step, first)
    }

    /// Standard normals for the indices `first .. first + 8`: 32 in all, four for each, as each half
    /// of a word gives one. Lanes 0 to 7 come from the first words, 8 to 15 from the second ones.
    #[inline(always)]
    pub fn normals(self, step: u32, first: u32) -> (Lanes, Lanes) {
        let (x, y) = self.counted::<HALF>(step, first);
        let mut words = [0; LANES];
        words[..HALF].copy_from_slice(&x);
        words[HALF..].copy_from_slice(&y);
        let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            (a[i], b[i]) = math::normal_pair(words[i]);
        }
        (a, b)
    }

    /// Fills `out` with standard normals, 32 for every eight indices from `first` on.
    #[inline(always)]
    pub fn fill_normals(self, step: u32, first: u32, out: &mut [f32]) {
        let (blocks, rest) = out.as_chunks_mut::<{ 2 * LANES }>();
        for (block, out) in blocks.iter_mut().enumerate() {
            *out = join(self.normals(step, first.wrapping_add((block * HALF) as u32)));
        }
        let last = join(self.normals(step, first.wrapping_add((blocks.len() * HALF) as u32)));
        rest.copy_from_slice(&last[..rest.len()]);
    }

    /// Fills `out` with numbers in [0, 1), 32 for every sixteen indices from `first` on.
    #[inline(always)]
    pub fn fill_uniforms(self, step: u32, first: u32, out: &mut [f32]) {
        let (blocks, rest) = out.as_chunks_mut::<{ 2 * LANES }>();
        for (block, out) in blocks.iter_mut().enumerate() {
            *out = join(self.uniforms(step, first.wrapping_add((block * LANES) as u32)));
        }
        let last = join(self.uniforms(step, first.wrapping_add((blocks.len() * LANES) as u32)));
        rest.copy_from_slice(&last[..rest.len()]);
    }

    /// Numbers in [0, 1) for the indices `first .. first + 16`, two for each.
    #[inline(always)]
    pub fn uniforms(self, step: u32, first: u32) -> (Lanes, Lanes) {
        let (x, y) = self.lanes(step, first);
        (x.map(math::uniform), y.map(math::uniform))
    }
}

/// The keys of N streams, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys<const N: usize> {
    words: [[u32; N]; 2],
}

impl<const N: usize> Keys<N> {
    /// The same key in every lane.
    pub fn all(key: Key) -> Keys<N> {
        Keys { words: key.words.map(|word| [word; N]) }
    }

    /// The key of `lane`.
    pub fn get(&self, lane: usize) -> Key {
        Key { words: self.words.map(|lanes| lanes[lane]) }
    }

    /// Makes `key` that of `lane`.
    pub fn set(&mut self, lane: usize, key: Key) {
        for (lanes, word) in self.words.iter_mut().zip(key.words) {
            lanes[lane] = word;
        }
    }

    /// [`Key::words`] for one index and each lane's key and step.
    #[inline(always)]
    pub fn words(&self, steps: &[u32; N], index: u32) -> [[u32; N]; 2] {
        let (x, y) = threefry::<DRAW_ROUNDS, N>(&self.words, *steps, [index; N]);
        [x, y]
    }
}

/// Both halves one after the other.
#[inline(always)]
fn join((a, b): (Lanes, Lanes)) -> [f32; 2 * LANES] {
    let mut both = [0.0; 2 * LANES];
    both[..LANES].copy_from_slice(&a);
    both[LANES..].copy_from_slice(&b);
    both
}

/// The stream index of the `number`-th draw of an episode's `purpose` (below 256) in a step:
/// purposes never share a draw.
#[inline(always)]
pub fn purpose_index(purpose: u32, number: usize) -> u32 {
    purpose << 24 | number as u32
}

/// A random word as an integer in `0..bound` (Lemire's multiplication).
#[inline(always)]
pub fn scale(word: u32, bound: u32) -> u32 {
    ((u64::from(word) * u64::from(bound)) >> 32) as u32
}

/// The seed of lane (or episode) `index` under a run's seed, below 2^53 so that JSON, Python's
/// floats and TOML all hold it. `VecEnv::reset(seed)` resets lane i with `lane_seed(seed, i)`.
pub fn lane_seed(seed: u64, index: u64) -> u64 {
    let [low, high] = Key::new(seed, Domain::Lane, index).words;
    (u64::from(high) << 32 | u64::from(low)) >> 11
}

/// The values of one stream in order, with rand's traits: for all that is not a hot path.
#[derive(Clone, Debug)]
pub struct Stream {
    key: Key,
    position: u64,
    spare: Option<u32>,
}

impl Stream {
    /// The stream of `key` from its start.
    pub fn new(key: Key) -> Stream {
        Stream { key, position: 0, spare: None }
    }

    fn word(&mut self) -> u32 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let (word, spare) = self.key.words((self.position >> 32) as u32, self.position as u32);
        self.position += 1;
        self.spare = Some(spare);
        word
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.word()) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::Rng;

    use super::*;

    /// Random123's `kat_vectors` for threefry2x32: counter, key, expected with 13 and with 20 rounds.
    const KNOWN_ANSWERS: [[[u32; 2]; 4]; 3] = [
        [[0, 0], [0, 0], [0x9d1c_5ec6, 0x8bd5_0731], [0x6b20_0159, 0x99ba_4efe]],
        [[u32::MAX; 2], [u32::MAX; 2], [0xfd36_d048, 0x2d17_272c], [0x1cb9_96fc, 0xbb00_2be7]],
        [
            [0x243f_6a88, 0x85a3_08d3],
            [0x1319_8a2e, 0x0370_7344],
            [0xba3e_4725, 0xf27d_669e],
            [0xc492_3a9c, 0x483d_f7a0],
        ],
    ];

    fn key() -> Key {
        Key::new(11, Domain::Episode, 0)
    }

    #[test]
    fn threefry_gives_the_known_answers_in_every_lane() {
        for [[x, y], key, thirteen, twenty] in KNOWN_ANSWERS {
            let one = key.map(|word| [word]);
            assert_eq!(threefry::<13, 1>(&one, [x], [y]), ([thirteen[0]], [thirteen[1]]));
            assert_eq!(threefry::<20, 1>(&one, [x], [y]), ([twenty[0]], [twenty[1]]));
            let many = threefry::<13, LANES>(&key.map(|word| [word; LANES]), [x; LANES], [y; LANES]);
            assert_eq!(many, ([thirteen[0]; LANES], [thirteen[1]; LANES]));
        }
        assert_eq!(Key { words: [0, 0] }.words(0, 0), (0x9d1c_5ec6, 0x8bd5_0731));
        let zero = Key { words: [0, 0] }.derive(0, 0);
        let twice = threefry::<20, 1>(&[[0x6b20_0159], [0x99ba_4efe]], [0], [0]);
        assert_eq!(zero.words, [twice.0[0], twice.1[0]]);
    }

    #[test]
    fn lanes_hold_what_their_indices_give_alone() {
        let (x, y) = key().lanes(9, 1000);
        let (a, b) = key().normals(9, 1000);
        let (u, v) = key().uniforms(9, 1000);
        for i in 0..LANES {
            let words = key().words(9, 1000 + i as u32);
            assert_eq!((x[i], y[i]), words);
            let counter = key().words(9, 1000 + (i % 8) as u32);
            let word = if i < 8 { counter.0 } else { counter.1 };
            assert_eq!((a[i], b[i]), math::normal_pair(word));
            assert_eq!((u[i], v[i]), (math::uniform(words.0), math::uniform(words.1)));
            assert_eq!(key().uniform(9, 1000 + i as u32), u[i]);
        }
    }

    /// Published seeds mean what they mean for ever.
    #[test]
    fn domains_keep_their_numbers() {
        let [lane, episode, policy, brain] = [Domain::Lane, Domain::Episode, Domain::Policy, Domain::Brain];
        let later = [Domain::Statistics, Domain::Space, Domain::Weights, Domain::Training];
        assert_eq!([lane, episode, policy, brain].map(|domain| domain as u32), [1, 2, 3, 4]);
        assert_eq!(later.map(|domain| domain as u32), [5, 6, 7, 8]);
    }

    #[test]
    fn keys_differ_in_each_of_their_parts() {
        let domains = [
            Domain::Lane,
            Domain::Episode,
            Domain::Policy,
            Domain::Brain,
            Domain::Statistics,
            Domain::Weights,
            Domain::Training,
        ];
        let mut keys: Vec<Key> = domains.map(|domain| Key::new(1, domain, 0)).to_vec();
        for bit in 0..64 {
            keys.push(Key::new(1 ^ (1 << bit), Domain::Space, 0));
            keys.push(Key::new(1, Domain::Space, 1 << bit));
        }
        keys.extend((0..5).map(|tag| key().derive(tag, 0)));
        keys.extend((0..5).map(|tag| key().derive(tag, 1 << 32)));
        let distinct: HashSet<[u32; 2]> = keys.iter().map(|key| key.words).collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn lane_seeds_are_distinct_and_fit_into_a_double() {
        let mut seeds: Vec<u64> = (0..1_000_000).map(|lane| lane_seed(3, lane)).collect();
        assert!(seeds.iter().all(|&seed| seed < 1 << 53));
        // The upper bits are in use: a seed below 2^43 is one in 1,024.
        assert!(seeds.iter().filter(|&&seed| seed < 1 << 43).count() < 1200);
        seeds.sort_unstable();
        // By chance some pair agrees in one run of 18,000; this seed is fixed.
        assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn below_reaches_every_value_and_none_beyond() {
        let mut seen = [0u32; 7];
        for index in 0..7000 {
            seen[key().below(7, 0, index) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        assert_eq!((scale(u32::MAX, 7), scale(0, 7), scale(u32::MAX, 1)), (6, 0, 0));
    }

    #[test]
    fn a_stream_gives_its_words_in_order_by_each_of_rands_methods() {
        let (a, b) = key().words(0, 0);
        let (c, d) = key().words(0, 1);
        let mut words = Stream::new(key());
        assert_eq!([a, b, c, d], std::array::from_fn(|_| words.next_u32()));
        let mut pairs = Stream::new(key());
        assert_eq!(pairs.next_u64(), u64::from(a) | u64::from(b) << 32);
        assert_eq!(pairs.next_u32(), c);
        assert_eq!(pairs.next_u64() as u32, d);
    }

    #[test]
    fn a_stream_fills_bytes_with_its_words() {
        let mut words = Stream::new(key());
        let expected: Vec<u8> = (0..4).flat_map(|_| words.next_u32().to_le_bytes()).collect();
        for length in [0, 1, 4, 7, 13] {
            let mut bytes = vec![0; length];
            Stream::new(key()).fill_bytes(&mut bytes);
            assert_eq!(bytes, expected[..length]);
        }
    }

    #[test]
    fn a_stream_goes_on_beyond_32_bits_of_position() {
        let mut stream = Stream { key: key(), position: u64::from(u32::MAX), spare: None };
        let (last, next) = (key().words(0, u32::MAX), key().words(1, 0));
        assert_eq!([last.0, last.1, next.0, next.1], std::array::from_fn(|_| stream.next_u32()));
    }
}
