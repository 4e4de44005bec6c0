//! `drift`: its log and its rows as the rules have them, recomputed here in f64.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests
#![allow(clippy::disallowed_methods)] // libm is the oracle

use crate::common;

use common::{Csv, Place, form};

const HEADER: &str = "step,risk,target_risk,smoothed_risk,mode,lr,gap_R,kernel,flow,metric_flow,structure,\
    tension,delta_ema,wR,eps,target,prediction";

fn rows(options: &str) -> Csv {
    let place = Place::new();
    place.ok(&format!("drift --no-monitor --out out {options}"));
    let csv = place.csv("out/drift.csv");
    assert_eq!(csv.header, HEADER);
    csv
}

/// Columns have eight decimals.
fn near(found: f64, expected: f64, what: &str, step: usize) {
    assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{what} {step}: {found}, {expected}");
}

#[test]
fn the_log_has_a_line_every_hundred_steps() {
    let place = Place::new();
    let ran = place.ok("drift --steps 250 --seed 3 --out out --no-monitor");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{ran:?}");
    let csv = place.csv("out/drift.csv");
    for (line, step) in lines.iter().zip([0, 100, 200]) {
        assert!(line.starts_with(&format!("Step {step:5}/250 | Risk: ")), "{line}");
        let row = |name: &str| csv.numbers(name)[step];
        let mode = csv.column("mode")[step].to_uppercase();
        let expected = format!(
            " | Risk: {:.3} | TargetRisk: {:.3} | MSE: {:.5} | Kernel: {:.5} | Flow: {:.5} | ΔEMA: {:.5} | LR: {:.5} | {mode} | ",
            row("risk"),
            row("target_risk"),
            row("gap_R"),
            row("kernel"),
            row("metric_flow"),
            row("delta_ema"),
            row("lr"),
        );
        // A digit may round the other way: the file has eight decimals, the log the number itself.
        assert!(form(line).contains(&form(&expected)), "{line}, {expected}");
        let values = |text: &str| -> Vec<f64> {
            let parts = text.split(" | ").filter_map(|part| part.split_once(": "));
            parts.map(|(_, value)| value.parse().unwrap()).collect()
        };
        for (found, wanted) in values(line).iter().zip(values(&expected)) {
            assert!((found - wanted).abs() < 0.0011, "{line}, {expected}");
        }
        assert!(line.ends_with(" steps/sec"), "{line}");
    }
    assert!(lines[3].starts_with("drift | steps 250 | MSE μ="), "{ran:?}");
    assert_eq!(lines[4], "wrote out");
}

/// From the recorded risks and errors, what follows by the rules: modes, rates, knobs, terms.
#[test]
fn the_columns_agree_with_each_other() {
    let csv = rows("--steps 600 --seed 5 --batch-size 3");
    let column = |name: &str| csv.numbers(name);
    let (risk, smoothed, lr, mode) =
        (column("risk"), column("smoothed_risk"), column("lr"), csv.column("mode"));
    let (gap_r, gap_s, tension) = (column("gap_R"), column("structure"), column("tension"));
    let (loss, flow, metric_flow) = (column("kernel"), column("flow"), column("metric_flow"));
    let (target_risk, w_r, eps) = (column("target_risk"), column("wR"), column("eps"));
    let (mut risk_then, mut lr_then) = (0.0, 0.01);
    let (mut knobs, mut sums, mut last) = ([1.0, 0.01], [0.0_f64; 2], [None; 2]);
    for i in 0..600 {
        risk_then = 0.9 * risk_then + 0.1 * risk[i];
        near(smoothed[i], risk_then, "smoothed_risk", i);
        let (name, factor) = match risk_then {
            risk if risk > 0.5 => ("panic", 5.0),
            risk if risk > 0.2 => ("alert", 2.0),
            risk if risk > 0.1 => ("warning", 1.2),
            _ => ("cruise", 0.5),
        };
        assert_eq!(mode[i], name, "step {i}");
        lr_then = 0.8 * lr_then + 0.2 * 0.01 * factor;
        near(lr[i], lr_then, "lr", i);
        near(tension[i], gap_r[i].tanh() * gap_s[i].tanh(), "tension", i);
        near(loss[i], w_r[i] * gap_r[i] + 0.4 * flow[i] + 0.3 * gap_s[i] - 0.3 * tension[i], "kernel", i);
        near(target_risk[i], 1.0 / (1.0 + (-3.0 * loss[i]).exp()), "target_risk", i);
        near(w_r[i], knobs[0], "wR", i);
        near(eps[i], knobs[1], "eps", i);
        let errors = [gap_r[i] - 0.1, metric_flow[i] - 0.2];
        let outputs = [[0.40, 0.05, 0.05], [0.30, 0.03, 0.03]].iter().enumerate().map(|(k, [p, i, d])| {
            sums[k] = (sums[k] + errors[k]).clamp(-5.0, 5.0);
            let change = last[k].map_or(0.0, |last: f64| errors[k] - last);
            last[k] = Some(errors[k]);
            (p * errors[k] + i * sums[k] + d * change).clamp(-0.5, 0.5)
        });
        let outputs: Vec<f64> = outputs.collect();
        knobs[0] = (knobs[0] + 0.2 * outputs[0]).clamp(0.2, 5.0);
        knobs[1] = (knobs[1] * (1.0 - 0.3 * outputs[1])).clamp(1e-4, 5e-2);
    }
    assert!(mode.contains(&"panic") && mode.contains(&"cruise"));
    assert!(flow != metric_flow, "the measured flow has noise of its own");
    assert!(flow.iter().all(|&flow| flow >= 0.0) && gap_s.iter().all(|gap| (0.0..=2.0).contains(gap)));
}

#[test]
fn the_target_drifts_as_the_rules_say() {
    let csv = rows("--steps 800 --seed 1");
    let mut noisy = 0;
    for (step, &found) in csv.numbers("target").iter().enumerate() {
        let s = step as f64;
        let expected = match step {
            0..200 => (0.1 * s).sin(),
            200..400 if step / 20 % 2 == 0 => 1.0,
            200..400 => -1.0,
            400..600 => {
                let t = 0.02 * s;
                0.5 * t.sin() * (0.3 * t).cos() + 0.5 * (0.1 * t).sin()
            }
            _ => 0.3 * (0.01 * s).sin() + 0.2 * (0.005 * s).cos(),
        };
        if step >= 600 && step % 3 == 0 {
            // Six standard deviations of 0.05.
            assert!((found - expected).abs() < 0.3);
            noisy += usize::from((found - expected).abs() > 0.01);
        } else {
            near(found, expected, "target", step);
        }
    }
    // |z| > 0.2 has a probability of 0.84: of 67 some 56, with a standard deviation of 3.
    assert!((41..=67).contains(&noisy), "{noisy}");
}

/// With one row the change of action is that of the prediction.
#[test]
fn the_change_of_action_is_averaged() {
    let csv = rows("--steps 300 --seed 2");
    let (prediction, delta_ema) = (csv.numbers("prediction"), csv.numbers("delta_ema"));
    let mut average = 0.0;
    for step in 0..300 {
        let delta = if step == 0 { 0.0 } else { (prediction[step] - prediction[step - 1]).abs() };
        average = 0.95 * average + 0.05 * delta;
        near(delta_ema[step], average, "delta_ema", step);
    }
}

#[test]
fn without_kernel_and_tuner() {
    let plain = rows("--steps 200 --seed 2 --no-kernel");
    assert_eq!(plain.column("kernel"), plain.column("gap_R"));
    for (csv, what) in [(&plain, "--no-kernel"), (&rows("--steps 200 --seed 2 --no-tune"), "--no-tune")] {
        assert!(csv.numbers("wR").iter().all(|&w_r| w_r == 1.0), "{what}");
        assert!(csv.numbers("eps").iter().all(|&eps| eps == 0.01), "{what}");
        assert!(csv.numbers("metric_flow").iter().any(|&flow| flow > 0.0), "{what}");
    }
    let tuned = rows("--steps 200 --seed 2");
    assert!(tuned.numbers("wR")[199] != 1.0 && tuned.numbers("eps")[199] != 0.01);
    // Without dropout's and the noise's luck changing, only what differs makes the difference.
    assert_eq!(tuned.column("prediction")[0], plain.column("prediction")[0]);
}

/// A wave is followed: what is said of it before it is learned is nearer than its mean by far.
#[test]
fn a_worker_follows_the_wave() {
    for seed in 1..=3 {
        let csv = rows(&format!("--steps 2000 --seed {seed} --no-kernel"));
        let (target, prediction) = (csv.numbers("target"), csv.numbers("prediction"));
        let squares = |from: usize, to: usize| {
            let errors = (from..to).map(|step| (target[step] - prediction[step]).powi(2));
            errors.sum::<f64>() / (to - from) as f64
        };
        // The wave's variance is 1/2.
        assert!(squares(100, 500) < 0.05, "seed {seed}: {}", squares(100, 500));
    }
}

/// What follows from the rules' target of at least 0.5: panic for good. A centred target knows calm.
#[test]
fn the_predictor_drifts_to_panic() {
    for seed in 1..=3 {
        let csv = rows(&format!("--steps 1000 --seed {seed}"));
        assert!(csv.numbers("target_risk").iter().all(|&risk| risk >= 0.5));
        let panic = csv.column("mode").iter().filter(|&&mode| mode == "panic").count();
        assert!(panic > 900, "seed {seed}: {panic}");
        let csv = rows(&format!("--steps 1000 --seed {seed} --centred-risk"));
        let cruise = csv.column("mode").iter().filter(|&&mode| mode == "cruise").count();
        assert!(cruise > 100, "seed {seed}: {cruise}");
        for (loss, risk) in csv.numbers("kernel").iter().zip(csv.numbers("target_risk")) {
            // tanh(3 loss / 2) is 2 sigmoid(3 loss) - 1.
            near(risk, (1.5 * loss).tanh().max(0.0), "target_risk", 0);
        }
    }
}

/// At first the worker says next to nothing, so its error is the mean square of the targets: of step 0
/// alone nothing, of steps 0 to 62, a turn of the wave, 1/2.
#[test]
fn a_row_of_a_batch_is_a_step_further_along() {
    for seed in 1..=3 {
        let first = |batch: u32| {
            let csv = rows(&format!("--steps 2000 --seed {seed} --no-kernel --batch-size {batch}"));
            csv.numbers("gap_R")[0]
        };
        let (one, turn) = (first(1), first(63));
        assert!(one < 0.2 && (0.4..0.75).contains(&turn), "seed {seed}: {one}, {turn}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let place = Place::new();
    for (arguments, part) in [
        ("drift --steps 0", "from 1 to 1000000000"),
        ("drift --steps -1", "from 1 to 1000000000"),
        ("drift --batch-size 0", "from 1 to 65536"),
        ("drift --batch-size 65537", "from 1 to 65536"),
        ("drift --seed x", "from 0 to 9223372036854775807"),
    ] {
        let said = place.refused(arguments);
        assert!(said.contains(part), "{arguments}: {said}");
    }
    place.ok("drift --steps 3 --seed 1 --out out --no-monitor");
    let config = place.text("out/config.toml");
    for (old, new, part) in [
        ("steps = 3", "steps = 0", "`steps = 0`: allowed are whole numbers from 1"),
        ("batch_size = 1", "batch_size = 0", "`batch_size = 0`: allowed are whole numbers from 1"),
        ("kernel = true", "kernel = 1", "`kernel = 1`"),
        ("risk_target = \"sigmoid\"", "risk_target = \"mine\"", "unknown variant `mine`"),
        ("tune = true", "tuned = true", "unknown field `tuned`"),
    ] {
        assert!(config.contains(old), "{config}");
        place.write("out/config.toml", config.replacen(old, new, 1));
        let said = place.refused("rerun out --out again");
        assert!(said.contains(part), "{new}: {said}");
    }
}

/// A device is no part of the plan, and a native run's settings are written as they always were.
#[test]
fn the_learner_is_part_of_the_settings_where_it_is_not_the_native_one() {
    let place = Place::new();
    place.ok("drift --steps 3 --seed 1 --learner native --device cpu --out out --no-monitor");
    let config = place.text("out/config.toml");
    assert!(!config.contains("learner") && !config.contains("device"), "{config}");
    let said = place.refused("drift --steps 3 --seed 1 --device cuda --out other");
    assert!(said.contains("--device cuda") && said.contains("--learner torch"), "{said}");
    let said = place.refused("drift --learner jax");
    assert!(said.contains("'jax'") && said.contains("native, torch"), "{said}");
}

#[cfg(not(feature = "torch"))]
#[test]
fn without_libtorch_a_drift_on_it_is_refused_with_a_remedy() {
    let place = Place::new();
    let said = place.refused("drift --seed 1 --learner torch --out out");
    let again = |config: &str| {
        std::fs::create_dir(place.path("copy")).unwrap();
        std::fs::write(place.path("copy/config.toml"), config).unwrap();
        std::fs::write(place.path("copy/run.json"), "{}").unwrap();
        std::fs::write(place.path("copy/drift.csv"), "step\n").unwrap();
        // Refused before there is a folder.
        let said = place.refused("rerun copy --out again");
        assert!(!place.path("again").exists());
        said
    };
    place.ok("drift --steps 2 --seed 1 --no-monitor --out native -q");
    let config = place.text("native/config.toml").replace("seed = 1\n", "seed = 1\nlearner = \"torch\"\n");
    for said in [said, again(&config)] {
        for part in ["--learner torch", "cargo xtask libtorch", "--features torch"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
