//! Settings that are refused, and how: the place, the key, the value and what is allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use resonetics_envs::config::{ConfigError, Source, resolve};
use resonetics_envs::gardener::GardenerConfig;
use resonetics_envs::k8s::{Action, K8sConfig, Rules, Schedule};

fn sets(sets: &[&str]) -> Result<K8sConfig, ConfigError> {
    resolve(&K8sConfig::default(), None, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>())
}

fn file(text: &str) -> Result<K8sConfig, ConfigError> {
    resolve(&K8sConfig::default(), Some(Source { name: "storm.toml", text }), &[])
}

#[track_caller]
fn refused<T: std::fmt::Debug>(
    result: Result<T, ConfigError>,
    place: &str,
    key: &str,
    value: &str,
    problem: &str,
) {
    let error = result.expect_err("refused");
    assert_eq!((error.place.as_str(), error.key.as_str(), error.value.as_str()), (place, key, value));
    assert!(error.problem.contains(problem), "{}", error.problem);
    assert_eq!(error.to_string(), format!("{place}: `{key} = {value}`: {}", error.problem));
}

#[test]
fn nothing_set_leaves_the_base() {
    assert_eq!(sets(&[]), Ok(K8sConfig::default()));
    assert_eq!(file(""), Ok(K8sConfig::default()));
    assert_eq!(resolve(&K8sConfig::v46(), None, &[]), Ok(K8sConfig::v46()));
}

#[test]
fn values_are_set_and_the_rest_stays() {
    let config = sets(&["max_steps=1000", " mem_drift_mu = 0.01 ", "risk.ema_alpha=0.5"]).unwrap();
    let mut expected = K8sConfig { max_steps: 1000, mem_drift_mu: 0.01, ..K8sConfig::default() };
    expected.risk.smoothing.ema_alpha = 0.5;
    assert_eq!(config, expected);
}

#[test]
fn strings_need_no_quotes_on_the_command_line() {
    for text in ["drift.schedule=ramp", "drift.schedule=\"ramp\""] {
        assert_eq!(sets(&[text]).unwrap().drift.schedule, Schedule::Ramp);
    }
    assert_eq!(sets(&["observation_rules=v4.6"]).unwrap().observation_rules, Rules::V46);
    assert_eq!(sets(&["control.suppress=[\"scale\"]"]).unwrap().control.suppress, [Action::Scale]);
}

#[test]
fn whole_numbers_serve_as_numbers_and_not_the_other_way() {
    assert_eq!(sets(&["max_budget=50"]).unwrap().max_budget, 50.0);
    assert_eq!(file("max_budget = 50").unwrap().max_budget, 50.0);
    refused(sets(&["max_steps=1.5"]), "--set", "max_steps", "1.5", "expected a whole number, not a number");
}

#[test]
fn later_settings_win_and_the_command_line_wins_over_the_file() {
    assert_eq!(sets(&["max_steps=1", "max_steps=2"]).unwrap().max_steps, 2);
    let source = Source { name: "a.toml", text: "max_steps = 7\nheight = 5" };
    let config = resolve(&K8sConfig::default(), Some(source), &["max_steps=9".to_owned()]).unwrap();
    assert_eq!((config.max_steps, config.height), (9, 5));
    // A value that is corrected later is no error: only what remains is checked.
    assert_eq!(sets(&["height=1", "height=6"]).unwrap().height, 6);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known() {
    refused(sets(&["max_step=5"]), "--set", "max_step", "5", "did you mean `max_steps`?");
    refused(
        sets(&["drift.shedule=ramp"]),
        "--set",
        "drift.shedule",
        "\"ramp\"",
        "did you mean `drift.schedule`?",
    );
    refused(sets(&["max_steps.deep=5"]), "--set", "max_steps.deep", "5", "unknown key");
    let far = sets(&["qqqqqqqqqq=5"]).unwrap_err();
    assert!(far.problem.starts_with("unknown key; known are: ") && far.problem.contains("scale_cost"));
    refused(file("height = 4\n\nwidht = 4\n"), "storm.toml, line 3", "widht", "4", "did you mean `width`?");
    refused(file("[drift]\nfoo = 1"), "storm.toml, line 2", "drift.foo", "1", "unknown key");
}

#[test]
fn values_of_another_type_are_refused() {
    refused(
        sets(&["max_steps=many"]),
        "--set",
        "max_steps",
        "\"many\"",
        "expected a whole number, not a string",
    );
    refused(
        sets(&["max_budget=true"]),
        "--set",
        "max_budget",
        "true",
        "expected a number, not true or false",
    );
    refused(sets(&["control.enabled=1"]), "--set", "control.enabled", "1", "expected true or false");
    refused(sets(&["max_steps="]), "--set", "max_steps", "\"\"", "expected a whole number");
    refused(file("max_steps = [1]"), "storm.toml, line 1", "max_steps", "[1]", "not a list");
    refused(file("[max_steps]\na = 1"), "storm.toml, line 1", "max_steps", "{ a = 1 }", "not a table");
}

#[test]
fn names_that_are_no_choice_are_refused_with_the_choices() {
    refused(sets(&["drift.schedule=wild"]), "--set", "drift.schedule", "\"wild\"", "`seasonal`");
    refused(sets(&["observation_rules=v9"]), "--set", "observation_rules", "\"v9\"", "`v4.6`");
    refused(sets(&["control.suppress=[\"fly\"]"]), "--set", "control.suppress", "[\"fly\"]", "`scale`");
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    refused(sets(&["height=2"]), "--set", "height", "2", "allowed are whole numbers from 3 to 64");
    refused(sets(&["height=65"]), "--set", "height", "65", "from 3 to 64");
    refused(sets(&["oom_memory=1.5"]), "--set", "oom_memory", "1.5", "allowed are numbers from 0 to 1");
    refused(
        file("height = 4\n[risk]\n# a comment\nema_alpha = -0.1"),
        "storm.toml, line 4",
        "risk.ema_alpha",
        "-0.1",
        "from 0 to 1",
    );
    // What the type cannot hold is refused with the range too.
    for height in ["-1", "99999999999", "9223372036854775808"] {
        let refused = sets(&[&format!("height={height}")]).unwrap_err();
        assert_eq!(
            (refused.value.trim_matches('"'), refused.problem.as_str()),
            (height, "allowed are whole numbers from 3 to 64")
        );
    }
    assert!(sets(&["max_steps=5000000000"]).is_err());
}

#[test]
fn every_number_of_both_worlds_refuses_nan_and_infinity() {
    let mut tried = every_number(&K8sConfig::default());
    assert!(tried > 40, "{tried}");
    tried = every_number(&GardenerConfig::default());
    assert!(tried > 30, "{tried}");
}

fn every_number<T: resonetics_envs::config::Settings + std::fmt::Debug>(base: &T) -> usize {
    let table = toml::Table::try_from(base).unwrap();
    let mut keys = Vec::new();
    for (key, value) in &table {
        match value {
            toml::Value::Float(_) => keys.push(key.clone()),
            toml::Value::Table(inner) => {
                let inner = inner.iter().filter(|(_, value)| value.is_float());
                keys.extend(inner.map(|(name, _)| format!("{key}.{name}")));
            }
            _ => {}
        }
    }
    for key in &keys {
        for value in ["nan", "inf", "-inf"] {
            let result = resolve(base, None, &[format!("{key}={value}")]);
            refused(result, "--set", key, value, "allowed are numbers");
        }
    }
    keys.len()
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let garden = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        resolve(&GardenerConfig::default(), None, &sets)
    };
    refused(garden(&["min_population=81"]), "--set", "min_population", "81", "from 0 to 80");
    refused(
        garden(&["min_population=20", "max_population=18", "init_agents=18"]),
        "--set",
        "min_population",
        "20",
        "from 0 to 18",
    );
    assert!(garden(&["max_population=18"]).is_err(), "the default of init_agents is 25");
    assert!(garden(&["max_population=18", "init_agents=18"]).is_ok());
    refused(garden(&["view_size=8"]), "--set", "view_size", "8", "odd");
    refused(
        garden(&["risk.bubble_th=0.9"]),
        "--set",
        "risk.bubble_th",
        "0.9",
        "must not be above collapse_th",
    );
}

#[test]
fn tables_are_not_values() {
    refused(sets(&["drift=ramp"]), "--set", "drift", "\"ramp\"", "this is a table");
    refused(file("\ndrift = 3"), "storm.toml, line 2", "drift", "3", "set the keys below it");
}

#[test]
fn tables_may_be_written_in_each_of_tomls_ways() {
    for text in ["[drift]\nramp_steps = 7", "drift.ramp_steps = 7", "drift = { ramp_steps = 7 }"] {
        assert_eq!(file(text).unwrap().drift.ramp_steps, 7, "{text}");
    }
    refused(
        file("height = 4\ndrift = { ramp_step = 7 }"),
        "storm.toml, line 2",
        "drift.ramp_step",
        "7",
        "ramp_steps",
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let error = file("height = 4\nwidth = = 5\n").unwrap_err();
    assert_eq!((error.place.as_str(), error.value.as_str()), ("storm.toml, line 2", "width = = 5"));
    assert_eq!(file("height = 4\nheight = 5").unwrap_err().place, "storm.toml, line 2");
    refused(sets(&["max_steps"]), "--set", "max_steps", "", "expected key=value");
}
