#!/bin/sh
# What each part of the kernel does to Prophet in the cluster: three seeds each, the returns of 500 fresh
# episodes as they are and with noise of standard deviation 0.1 on every number observed.
# usage: benches/kernel_ablation.sh BINARY FOLDER      (FOLDER must not exist)
set -eu
binary=$1
folder=$2
mkdir "$folder"
returned() { sed 's/.*"return_mean":\([0-9.-]*\),"return_mean_low.*/\1/'; }
measure() {
    name=$1
    shift
    for seed in 11 12 13; do
        run=$folder/$name-$seed
        "$binary" --quiet train --env k8s --steps 400000 --seed $seed --no-monitor --out "$run" "$@"
        plain=$("$binary" --quiet eval --run "$run" --episodes 500 --seed 99 | returned)
        noisy=$("$binary" --quiet eval --run "$run" --episodes 500 --seed 99 --obs-noise 0.1 | returned)
        echo "$name seed $seed: $plain, with noise $noisy"
    done
}
measure none
measure flow-0.001 --set train.kernel.flow=0.001
measure flow-0.01 --set train.kernel.flow=0.01
measure flow-0.1 --set train.kernel.flow=0.1
measure structure-0.01 --set train.kernel.structure=0.01
measure tension-0.01 --set train.kernel.tension=0.01
