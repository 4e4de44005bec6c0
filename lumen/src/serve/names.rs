//! The metrics that there are, each once: name, labels, and what it is. A counter's name ends in `_total`.

/// Runs that have series of their own at most: those at work that began last.
pub const MOST_RUNS: usize = 64;

/// A metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// As it is in the text.
    pub(super) name: &'static str,
    /// In the order of a sample's values.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

impl Metric {
    pub(super) fn is_counter(&self) -> bool {
        self.name.ends_with("_total")
    }
}

const RUN: &[&str] = &["run"];
const FLEET: &[&str] = &["window", "experiment"];
const CHANNEL: &[&str] = &["channel", "window"];
const RUNS: &[&str] = &["pipeline", "region", "runner", "version"];

const fn metric(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, labels, help }
}

/// In the order of the text.
pub(super) const METRICS: &[Metric] = &[
    metric("rmb_events_total", RUN, "Events of the run that ever came, also those that were cut back since"),
    metric("rmb_rollback_total", RUN, "Rollbacks among the events of the run that ever came"),
    metric("rmb_residual_entropy_last", RUN, "Nearness to the loss in the last window, 0 to 1"),
    metric("ure_residual_entropy_last", RUN, "The same as rmb_residual_entropy_last"),
    metric(
        "ure_harmony_index",
        RUN,
        "1 less 8 standard deviations of the residual; says 1 of what is lost and still",
    ),
    metric(
        "ure_coherence_level",
        RUN,
        "Nearness of the residual to a half, 0 to 1; greatest half-way to the loss",
    ),
    metric("lumen_phase_diff", RUN, "Angle between residual and effort in the last window, -pi to pi"),
    metric("lumen_entropy_rate", RUN, "Entropy of the next action given this one, 0 to 1"),
    metric("lumen_creative_band", RUN, "Share of decisions that were the agent's own, 0 to 1"),
    metric("lumen_risk_band", RUN, "Mean risk in the last window, 0 to 1"),
    metric(
        "lumen_level",
        &["run", "kind"],
        "Safety level: 0 calm, 1 tense, 2 alert; ratio over 300 s of wall time",
    ),
    metric(
        "lumen_gate_state",
        RUN,
        "What the gate last said: 0 watching, 1 tripped, 2 hold, 3 probation, 4 gave up; none where it has said nothing",
    ),
    metric(
        "lumen_commands_total",
        &["run", "cmd", "by"],
        "Commands that the run was told, by the gate or by others",
    ),
    metric("resonance_symmetry", CHANNEL, "Evenness of the rate of updates, 0 to 1"),
    metric("resonance_continuity", CHANNEL, "How little of the time runs stood still, 0 to 1"),
    metric("resonance_entropy", CHANNEL, "Entropy of the ways in which runs ended, 0 to 1"),
    metric("resonance_phase", CHANNEL, "Slowdown of updates plus failures over a tenth, from 0"),
    metric("resonance_coherence", CHANNEL, "Health of all runs with the weights of the channel, 0 to 1"),
    metric("resonance_safety", CHANNEL, "Whether records hold, less the age of the last audit, 0 to 1"),
    metric(
        "fractal_delta_phase_bandwidth",
        FLEET,
        "95th less 5th percentile of the phases of the units, in rad",
    ),
    metric("fractal_resonance_entropy", FLEET, "Entropy of the risk letters of the units, in bits"),
    metric("fractal_coupling", FLEET, "Mean correlation of the residuals of the units, -1 to 1"),
    metric("lumen_runs_total", RUNS, "Runs that ended"),
    metric("lumen_runs_success_total", RUNS, "Runs that ended with their result"),
    metric(
        "lumen_runs_failed_total",
        &["pipeline", "region", "runner", "version", "error_class"],
        "Runs that failed or were killed",
    ),
    metric("lumen_region_consecutive_failures", &["region"], "Runs of the region that failed last, in a row"),
    metric(
        "lumen_proof_chain_ok",
        &[],
        "Whether the log of proofs is whole: entries, tiles, head, signature",
    ),
    metric("lumen_proof_chain_height", &[], "Entries of the log of proofs"),
    metric("lumen_proof_chain_bytes", &[], "Bytes of the log of proofs on the disk"),
    metric(
        "lumen_proof_chain_head_info",
        &["hash"],
        "1, with the first digits of the root of the log of proofs",
    ),
    metric("tlog_entries_total", &[], "Entries that were appended to the log of proofs"),
    metric("tlog_inclusion_ok", &["window"], "Whether all entries that were drawn at random were in the log"),
    metric("lumen_reproduced_total", &["result"], "Runs that were repeated and signed by who repeated them"),
    metric("lumen_remote_integrity_ok", &[], "Whether copies elsewhere are what was sent, by their bytes"),
    metric(
        "lumen_key_expiry_timestamp",
        &["role"],
        "When a key ends, by its certificate or root, since 1970",
    ),
    metric("custody_ceremony_timestamp", &[], "When custodians last did anything but audit, since 1970"),
    metric("custody_audit_timestamp", &[], "When custodians last audited, since 1970"),
    metric(
        "lumen_source_age_seconds",
        &["source"],
        "Time since store, ledger or a run at work last told something",
    ),
    metric("lumen_source_window_seconds", &["source"], "How long what the source told is taken for present"),
    metric("lumen_dropped_total", &["source"], "Events that had no room in the logs of runs"),
    metric(
        "lumen_run_last_update_timestamp_seconds",
        RUN,
        "When the run last told something, or began, since 1970",
    ),
    metric("lumen_run_update_interval_seconds", RUN, "Median time between the last updates of the run"),
];

/// Each metric of the exporter: name, type (`counter` or `gauge`), labels.
pub fn exporter_names() -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    let kind = |metric: &Metric| if metric.is_counter() { "counter" } else { "gauge" };
    METRICS.iter().map(|metric| (metric.name, kind(metric), metric.labels)).collect()
}
