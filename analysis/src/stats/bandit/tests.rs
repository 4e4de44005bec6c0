use super::super::test_data::assert_close;
use super::*;

fn bandit(seed: u64) -> Bandit {
    Bandit::new(seed, 3, NormalInverseGamma::default(), Rules::default()).unwrap()
}

/// Pulls until there is a verdict, with the arms' means, noise of 0.05 and every seventh block without a reward.
fn played(mut bandit: Bandit, means: [f64; 3]) -> Bandit {
    let mut draws = Drawn::Noise.stream(bandit.seed, 1);
    while let Some(arm) = bandit.next_arm() {
        let reward = means[arm] + 0.05 * draws.normal();
        bandit.record((bandit.pulls.len() % 7 != 6).then_some(reward));
    }
    bandit
}

/// What was saved in the middle goes on as if it had never been.
#[test]
fn a_saved_bandit_goes_on_with_the_same_draws() {
    let whole = played(bandit(4), [0.0, 0.01, 0.0]);
    assert!(whole.pulls.len() > 20, "{}", whole.pulls.len());
    let mut half = whole.clone();
    half.pulls.truncate(17);
    let text = serde_json::to_string(&half).unwrap();
    let mut read: Bandit = serde_json::from_str(&text).unwrap();
    assert!(read.is_valid());
    assert_eq!(read, half);
    for pull in &whole.pulls[17..] {
        assert_eq!(read.next_arm(), Some(pull.arm));
        read.record(pull.reward);
    }
    assert_eq!(read, whole);
    assert_eq!(read.verdict(), whole.verdict());
}

#[test]
fn a_state_that_was_changed_is_noticed() {
    let whole = played(bandit(4), [0.0, 0.01, 0.0]);
    assert!(whole.is_valid());
    let changed = |change: fn(&mut Bandit)| {
        let mut bandit = whole.clone();
        change(&mut bandit);
        bandit.is_valid()
    };
    assert!(!changed(|bandit| bandit.pulls[18].arm = (bandit.pulls[18].arm + 1) % 3));
    assert!(!changed(|bandit| bandit.pulls[3].reward = Some(0.2)));
    assert!(!changed(|bandit| bandit.pulls[3].reward = Some(f64::NAN)));
    assert!(!changed(|bandit| bandit.seed += 1));
    assert!(!changed(|bandit| bandit.pulls[20].drawn[1] += 1e-6));
    assert!(!changed(|bandit| bandit.pulls[20].drawn.truncate(2)));
    assert!(changed(|bandit| bandit.pulls[20].drawn[1] *= 1.0 + 1e-15), "another machine's logarithm");
    assert!(!changed(|bandit| bandit.arms = 1));
    assert!(!changed(|bandit| bandit.prior.shape = 0.4));
    assert!(!changed(|bandit| bandit.rules.certainty = 1.0));
    assert!(!changed(|bandit| bandit.rules.least = 0));
}

#[test]
fn what_is_missing_says_nothing_and_costs_a_pull() {
    let mut bandit = bandit(5);
    let first = bandit.next_arm().unwrap();
    for nothing in [None, Some(f64::NAN)] {
        bandit.record(nothing);
        assert_eq!(bandit.pulls.last().unwrap().reward, None);
        assert_eq!(bandit.standing().arms, [NormalInverseGamma::default(); 3]);
        assert_eq!(bandit.next_arm(), Some(first), "it still has the fewest rewards");
    }
    while bandit.next_arm().is_some() {
        bandit.record(None);
    }
    assert_eq!((bandit.pulls.len(), bandit.verdict()), (30, Verdict::NoDifference));
    bandit.record(Some(1.0));
    assert_eq!(bandit.pulls.len(), 30);
}

/// However clear the first rewards are, each arm has five before anything is said; what is clear ends it then.
#[test]
fn each_arm_is_tried_before_one_is_called_best() {
    let mut bandit = bandit(6);
    while let Some(arm) = bandit.next_arm() {
        bandit.record(Some([0.0, 1.0, 0.0][arm]));
    }
    assert_eq!((bandit.verdict(), bandit.pulls.len()), (Verdict::Best(1), 15));
    assert_eq!(bandit.standing().rewards, [5, 5, 5]);
    assert_close(bandit.regret(&[0.0, 1.0, 0.0]).unwrap(), 10.0, 1e-12);
    assert_eq!(bandit.regret(&[0.0, 1.0]), None);
    assert_eq!(bandit.regret(&[0.0, 1.0, f64::NAN]), None);
}

/// Arms that give exactly the same: a margin apart they cannot be, and nothing is to be gained.
#[test]
fn arms_that_are_the_same_end_without_a_difference() {
    let prior = NormalInverseGamma { scale: 1e-8, ..NormalInverseGamma::default() };
    let mut bandit = Bandit::new(7, 3, prior, Rules::default()).unwrap();
    while bandit.next_arm().is_some() {
        bandit.record(Some(0.0));
    }
    assert_eq!((bandit.verdict(), bandit.pulls.len()), (Verdict::NoDifference, 15));
}

/// After the first five of each the arm that is better is pulled more often than its share.
#[test]
fn promising_arms_are_pulled_more_often() {
    let later = |means| -> usize {
        let on_best = |seed| {
            let pulls = played(bandit(seed), means).pulls;
            pulls.iter().skip(17).filter(|pull| pull.arm == 2).count()
        };
        (0..60).map(on_best).sum()
    };
    let (better, equal) = (later([0.0, 0.0, 0.02]), later([0.0, 0.0, 0.0]));
    assert!(better > equal + equal / 3, "{better}, {equal}");
}

#[test]
fn bandits_out_of_range_are_none() {
    let (prior, rules) = (NormalInverseGamma::default(), Rules::default());
    assert_eq!(Bandit::new(1, 1, prior, rules), None);
    assert_eq!(Bandit::new(1, 2, NormalInverseGamma { scale: 0.0, ..prior }, rules), None);
    assert_eq!(Bandit::new(1, 2, prior, Rules { margin: f64::NAN, ..rules }), None);
    assert_eq!(Bandit::new(1, 2, prior, Rules { least: 0, ..rules }), None);
}
