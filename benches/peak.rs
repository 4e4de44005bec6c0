//! Which share of one core's multiply-adds the native learner's products get, as JSON lines
//! {what, batch, gmacs, `share_of_peak`}: billions of multiply-adds a second, the padding's not counted.
//!
//!     peak [ROUNDS]
//!
//! Peak and products take turns, ROUNDS (15) times, so that a machine's noise falls on both; a share is
//! the median over the rounds. "network" is all products that a minibatch takes in an actor of 30, 64, 64,
//! 6, the first layer's gradient by its inputs left out as in a training.
#![allow(missing_docs, clippy::print_stdout)]

mod layers;

use std::time::Instant;

use layers::{BATCHES, LAYERS, Layer, PRODUCTS, Product, peak};

/// Seconds that one measurement takes, about.
const SLICE: f64 = 1.5e-3;

/// Multiply-adds a second of `work`, which yields how many it does, in one slice of time.
fn rate(mut work: impl FnMut() -> f64) -> f64 {
    work();
    let (start, mut done) = (Instant::now(), 0.0);
    loop {
        done += work();
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= SLICE {
            return done / seconds;
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(15).max(1);
    let mut peaks = Vec::new();
    for batch in BATCHES {
        let mut layers = LAYERS.map(|(input, output)| Layer::new(input, output, batch));
        let kinds: Vec<_> = (0..LAYERS.len()).flat_map(|i| PRODUCTS.map(|what| (i, what))).collect();
        // Of each kind and of all together: rates and shares.
        let mut found = vec![(Vec::new(), Vec::new()); kinds.len() + 1];
        for _ in 0..rounds {
            let (mut seconds, mut terms, mut beside) = (0.0, 0.0, 0.0);
            let mut trained = 0.0;
            for (&(i, what), found) in kinds.iter().zip(&mut found) {
                let layer = &mut layers[i];
                // The better of one before and one behind: a peak that was disturbed is none.
                let before = rate(|| peak(2_000));
                let rate_here = rate(|| {
                    layer.run(what);
                    layer.terms()
                });
                let here = before.max(rate(|| peak(2_000)));
                peaks.push(here);
                found.0.push(rate_here);
                found.1.push(rate_here / here);
                if i > 0 || !matches!(what, Product::ToInputs) {
                    seconds += layer.terms() / rate_here;
                    terms += layer.terms();
                    beside += here;
                    trained += 1.0;
                }
            }
            let all = found.len() - 1;
            found[all].0.push(terms / seconds);
            found[all].1.push(terms / seconds / (beside / trained));
        }
        let names = kinds.iter().map(|&(i, what)| format!("{what:?} {} to {}", LAYERS[i].0, LAYERS[i].1));
        for (what, (mut rates, mut shares)) in names.chain(["network".to_owned()]).zip(found) {
            println!(
                "{{\"what\":\"{what}\",\"batch\":{batch},\"gmacs\":{:.2},\"share_of_peak\":{:.3}}}",
                median(&mut rates) / 1e9,
                median(&mut shares)
            );
        }
    }
    println!(
        "{{\"what\":\"peak\",\"batch\":0,\"gmacs\":{:.2},\"share_of_peak\":1.0}}",
        median(&mut peaks) / 1e9
    );
}
