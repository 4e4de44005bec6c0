use super::*;

fn played(agent: &str, scores: &[(u64, f64)]) -> Played {
    Played {
        agent: agent.to_owned(),
        training: None,
        recipe: None,
        episodes: scores.len() as u64,
        seeds: scores.iter().map(|score| score.0).collect(),
        returns: scores.iter().map(|score| score.1).collect(),
        steps: vec![10.0; scores.len()],
        terminated: 1,
        not_finite: None,
    }
}

fn file(run: &str, world: &str, agents: Vec<Played>) -> Benchmark {
    Benchmark { run: run.to_owned(), world: world.to_owned(), agents }
}

/// Pairs are found by seed, whatever the order, and those without a partner stay out.
#[test]
fn pairs_are_found_by_seed() {
    let a = played("a", &[(1, 1.0), (2, 2.0), (3, 3.0), (9, 100.0)]);
    let b = played("b", &[(3, 4.0), (1, 2.0), (2, 3.0)]);
    let worlds = worlds(&[file("r", "k8s", vec![a, b])], None, &|| true).unwrap();
    let b = worlds[0].agents[1].against_baseline.as_ref().unwrap();
    assert_eq!((b.pairs, b.difference), (3, Some(1.0)));
    assert_eq!(b.p, Some(0.25), "three of three positive: 2 / 2^3");
    assert!(worlds[0].agents[0].against_baseline.is_none());
    // a's mean, 26.5, is the best; b falls short of it by 23.5 on average.
    assert_eq!(worlds[0].agents[1].optimality_gap, Some(23.5));
}

#[test]
fn episodes_add_up_unless_their_seeds_are_the_same() {
    let one = file("one", "k8s", vec![played("a", &[(1, 1.0)])]);
    let more = file("more", "k8s", vec![played("a", &[(2, 2.0)])]);
    let again = file("again", "k8s", vec![played("a", &[(1, 3.0)])]);
    let names = |files: &[Benchmark]| {
        let worlds = worlds(files, None, &|| true).unwrap();
        worlds[0].agents.iter().map(|agent| (agent.name.clone(), agent.episodes)).collect::<Vec<_>>()
    };
    assert_eq!(names(&[one.clone(), more]), [("a".to_owned(), 2)]);
    assert_eq!(names(&[one, again]), [("a".to_owned(), 1), ("a (again)".to_owned(), 1)]);
}

/// Two files are more than are kept: the second is counted, not looked at, and that is said.
#[test]
fn no_more_episodes_are_looked_at_than_are_kept() {
    let file = |name: &str, seeds: std::ops::Range<u64>| {
        let scores: Vec<_> = seeds.map(|seed| (seed, f64::from(u8::from(name == "more")))).collect();
        file(name, "k8s", vec![played("a", &scores)])
    };
    let kept = KEPT as u64;
    let worlds = worlds(&[file("one", 0..kept - 1), file("more", kept..kept + 2)], None, &|| true).unwrap();
    let a = &worlds[0].agents[0];
    assert_eq!((a.episodes, a.played.returns.len(), a.mean), (kept + 1, KEPT - 1, Some(0.0)));
    let said = part(&worlds).unwrap().sentences.concat();
    assert!(said.contains("a played 50001 episodes: the first 49999 that were read are analysed"), "{said}");
}

#[test]
fn one_episode_has_no_interval_and_nan_no_mean() {
    let agents = vec![played("a", &[(1, 1.0)]), played("b", &[(1, f64::NAN), (2, 2.0)])];
    let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
    let [a, b] = &worlds[0].agents[..] else { panic!("two agents") };
    assert_eq!((a.mean, a.iqm_interval), (Some(1.0), None));
    assert_eq!((b.mean, b.iqm, b.optimality_gap), (None, None, None));
}

/// Three episodes have a mean with an interval, and no interquartile mean with one; the answer says so, and
/// gives no verdict that chance gives in one of four cases.
#[test]
fn few_episodes_say_little() {
    let agents = vec![
        played("a", &[(1, 20.0), (2, 20.0), (3, 20.0)]),
        played("b", &[(1, 21.0), (2, 22.0), (3, 29.0)]),
    ];
    let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
    let b = &worlds[0].agents[1];
    assert_eq!((b.iqm_interval, b.median_interval), (None, None));
    let told = part(&worlds).unwrap();
    assert_eq!(
        told.answer,
        "b has the highest interquartile mean return, 24 (3 episodes are too few for an interval of it), ahead of a with 20 (3 episodes are too few for an interval of it); on the 3 shared seeds no difference in the mean is shown: +4 (95% -7 to +15)."
    );
    assert!(told.sentences.concat().contains("b played 3 episodes: too few for an interval of the median"));
}

/// Agents that do the same have no rank among each other, in the answer or in a remark.
#[test]
fn equal_agents_share_the_first_place() {
    let scores = [(1, 20.0), (2, 21.0), (3, 25.0)];
    let told = |names: &[&str], rest: &[Played]| {
        let agents = names.iter().map(|name| played(name, &scores)).chain(rest.to_vec()).collect();
        part(&worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap()).unwrap()
    };
    let three = told(&["a", "b", "c"], &[]);
    assert_eq!(three.answer, "a, b and c share the highest interquartile mean return, 22.");
    let said = three.sentences.concat();
    assert!(said.contains("the mean return of a, b and c, the best here"), "{said}");
    let two = told(&["b", "a"], &[played("c", &[(1, 1.0), (2, 2.0), (3, 9.0)])]).answer;
    assert_eq!(
        two,
        "b and a share the highest interquartile mean return, 22; 3 shared seeds with equal differences are too few to compare; next is c with 4.0 (3 episodes are too few for an interval of it)."
            .replace("4.0", "4")
    );
    // In each of seven worlds two are the best, in one of them a third is.
    let files: Vec<Benchmark> = (0..7)
        .map(|number| {
            let third = played("c", &[(1, if number == 0 { 30.0 } else { 1.0 })]);
            file("r", &format!("w{number}"), vec![played("a", &scores), played("b", &scores), third])
        })
        .collect();
    let many = part(&worlds(&files, None, &|| true).unwrap()).unwrap().answer;
    assert!(many.contains("is that of c in 1; in 6 several agents share it."), "{many}");
}

/// Where the interquartile mean and the mean disagree, both are said.
#[test]
fn a_lower_mean_is_no_victory() {
    let scores = |of: fn(u64) -> f64| (0..40).map(|i| (i, of(i))).collect::<Vec<_>>();
    let steady = played("steady", &scores(|i| 10.0 + 0.01 * i as f64));
    // Better in most episodes, lost in eight of forty.
    let risky = played("risky", &scores(|i| if i % 5 == 0 { -90.0 } else { 11.0 + 0.01 * i as f64 }));
    let answer =
        part(&worlds(&[file("r", "k8s", vec![steady, risky])], None, &|| true).unwrap()).unwrap().answer;
    assert!(answer.starts_with("risky has the highest interquartile mean return"), "{answer}");
    assert!(answer.contains("the mean is lower nevertheless, by -19"), "{answer}");
}

/// Three trainings that differ in the seed alone: the answer is of the trainings, not of their episodes.
#[test]
fn trainings_are_the_unit_of_the_answer() {
    let scores = |mean: f64| (0..40).map(|i| (i, mean + (i % 4) as f64)).collect::<Vec<_>>();
    let trained =
        |name: &str, mean: f64| Played { training: Some("x".to_owned()), ..played(name, &scores(mean)) };
    let agents = vec![
        played("random", &scores(20.0)),
        trained("prophet:a", 19.0),
        trained("prophet:b", 22.0),
        trained("prophet:c", 25.0),
    ];
    let worlds = worlds(&[file("r", "k8s", agents.clone())], None, &|| true).unwrap();
    let told = part(&worlds).unwrap();
    assert!(
        told.answer.starts_with("prophet:a, prophet:b, prophet:c (3 seeds) have the highest interquartile mean return, 23.50 (95% over 3 trainings 16.05 to 30.95), ahead of random"),
        "{}",
        told.answer
    );
    assert!(told.answer.contains("no difference in the mean is shown: +2.00 (95% -5."), "{}", told.answer);
    assert!(told.tables.iter().any(|table| table.caption.contains("differ only in the seed")));
    let alone =
        part(&super::worlds(&[file("r", "k8s", agents[..2].to_vec())], None, &|| true).unwrap()).unwrap();
    assert!(alone.answer.contains("20.50 (95% of this one training "), "{}", alone.answer);
    assert!(alone.sentences.concat().contains("prophet:a is one training"), "{:?}", alone.sentences);
}

/// Of an agent below the target always, the gap is what is missing from its mean, and so is its interval;
/// the median of ten different scores lies between the fifth and the sixth.
#[test]
fn each_aggregate_has_its_own_interval() {
    let scores = |shift: f64| (0..10).map(|i| (i, shift + (i * i) as f64)).collect::<Vec<_>>();
    let agents = vec![played("low", &scores(0.0)), played("high", &scores(1000.0))];
    let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
    let (low, target) = (&worlds[0].agents[0], worlds[0].target.unwrap());
    let (mean, gap) = (low.mean_interval.unwrap(), low.optimality_gap_interval.unwrap());
    assert!((gap.low - (target - mean.high)).abs() < 1e-9 && (gap.high - (target - mean.low)).abs() < 1e-9);
    let halves = |end: f64| (2.0 * end).fract() == 0.0;
    let middle = low.median_interval.unwrap();
    assert!(halves(middle.low) && halves(middle.high) && middle != mean, "{middle:?}, {mean:?}");
    let iqm = low.iqm_interval.unwrap();
    assert!(iqm != mean && iqm != middle && iqm.low < low.iqm.unwrap() && low.iqm.unwrap() < iqm.high);
}

/// Returns of any size are told with digits that differ.
#[test]
fn small_and_large_returns_have_the_digits_they_need() {
    for (scale, shown) in [(1e-3, "+0.0010"), (1.0, "+1.0"), (1e4, "+10000 ")] {
        let scores = |shift: f64| {
            (0..20).map(|i| (i, scale * (shift + f64::from(i as u32) / 4.0))).collect::<Vec<_>>()
        };
        let agents = vec![played("a", &scores(0.0)), played("b", &scores(1.0))];
        let worlds = worlds(&[file("r", "k8s", agents)], None, &|| true).unwrap();
        let answer = part(&worlds).unwrap().answer;
        assert!(answer.contains(&format!("the mean difference is {shown}")), "{answer}");
    }
}

#[test]
fn an_unknown_baseline_is_refused_with_those_there_are() {
    let files = [file("r", "k8s", vec![played("a", &[(1, 1.0)]), played("b", &[(1, 1.0)])])];
    let refused = worlds(&files, Some("c"), &|| true).unwrap_err();
    let stopped = worlds(&files, None, &|| false).unwrap_err();
    assert!(stopped.starts_with("stopped before the intervals of "), "{stopped}");
    assert_eq!(refused, "no agent is called `c` in k8s; there are: a, b");
    assert_eq!(worlds(&files, Some("b"), &|| true).unwrap()[0].baseline, "b");
}

/// Worlds of different scale weigh the same: 0 is the baseline, 1 the best.
#[test]
fn several_worlds_are_brought_to_one_scale() {
    let small = file("r", "small", vec![played("a", &[(1, 0.0)]), played("b", &[(1, 1.0)])]);
    let large = file(
        "s",
        "large",
        vec![played("a", &[(1, 100.0)]), played("b", &[(1, 300.0)]), played("c", &[(1, 1.0)])],
    );
    let worlds = worlds(&[small, large], None, &|| true).unwrap();
    let overall = overall(&worlds);
    let means: Vec<_> = overall.iter().map(|agent| (agent.name.as_str(), agent.mean)).collect();
    assert_eq!(means, [("a", Some(0.0)), ("b", Some(1.0))]);
    assert_eq!(overall[1].improvement, Some(1.0));
    assert!(super::overall(&worlds[..1]).is_empty());
}
