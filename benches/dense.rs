//! The dense products of the native learner, and the peak of one core that they are a share of
//! (`cargo run --release -p resonetics-benches --example peak` divides one by the other).
#![allow(missing_docs)] // criterion's macros make the functions

mod layers;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layers::{BATCHES, LAYERS, Layer, PRODUCTS, peak};

fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense");
    let rounds = 10_000;
    group.throughput(Throughput::Elements(peak(rounds) as u64));
    group.bench_function("peak", |b| b.iter(|| peak(rounds)));
    for (input, output) in LAYERS {
        for batch in BATCHES {
            let mut layer = Layer::new(input, output, batch);
            group.throughput(Throughput::Elements(layer.terms() as u64));
            for what in PRODUCTS {
                let id = BenchmarkId::new(format!("{what:?} {input} to {output}"), batch);
                group.bench_function(id, |b| b.iter(|| layer.run(what)));
            }
        }
    }
    group.finish();
}

criterion_group!(benches, dense);
criterion_main!(benches);
