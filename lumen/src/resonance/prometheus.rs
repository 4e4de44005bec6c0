//! Fields of `metrics.json` from a Prometheus of somebody else's: a file of queries, asked one by one (A9).
//!
//! ```yaml
//! fail_rate: sum(rate(jobs_failed_total[1d])) / sum(rate(jobs_total[1d]))
//! failure_hist: sum by (class) (increase(jobs_total[1d]))
//! ```
//!
//! A field is a query whose answer is one number; `failure_hist` takes a number for each label `class`. An answer
//! without samples, or NaN, says that the field is not known. What Prometheus answers has the time of the question: how
//! old a sample is, up to its five minutes of looking back, it does not tell.

use std::collections::BTreeMap;
use std::time::Duration;

use resonetics_runs::Error;
use serde::Deserialize;
use ureq::Agent;

use super::collect::aged;
use super::metrics::{Amount, Metrics, Share};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const MOST_BYTES: u64 = 1 << 20;

/// A field that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// In minutes, from 0 on.
    GapMinutes,
    /// A count for each label `class`.
    FailureHist,
    /// 0 or 1.
    ChainOk,
    /// 0 or 1.
    DsseOk,
    /// 0 or 1.
    TlogOk,
    /// In days, from 0 on.
    #[serde(rename = "last_ceremony_age_d")]
    CeremonyAge,
    /// In ms, from 0 on.
    #[serde(rename = "latency_p95_ms")]
    Latency,
    /// From 0 on.
    Slowdown,
    /// In [0, 1].
    FailRate,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::GapMinutes => "gap_minutes",
            Self::FailureHist => "failure_hist",
            Self::ChainOk => "chain_ok",
            Self::DsseOk => "dsse_ok",
            Self::TlogOk => "tlog_ok",
            Self::CeremonyAge => "last_ceremony_age_d",
            Self::Latency => "latency_p95_ms",
            Self::Slowdown => "slowdown",
            Self::FailRate => "fail_rate",
        }
    }
}

/// Which query answers which field.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Queries(BTreeMap<Field, String>);

impl Queries {
    /// What the YAML text of a file called `name` says.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column for what is no YAML, a field that is none, one that is there twice, and a
    /// query that is no text.
    pub fn parse(name: &str, text: &str) -> Result<Queries, Error> {
        let queries: Queries = super::observer::yaml(name, text)?;
        if queries.0.is_empty() {
            return Err(Error::Refused(format!(
                "{name}: it holds no query; give lines such as `fail_rate: PROMQL`"
            )));
        }
        Ok(queries)
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Sample {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// Asks the Prometheus at `url`, such as `http://127.0.0.1:9090`, and puts what it answers in place of what `metrics`
/// says of these fields; what it does not know is not known then.
///
/// # Errors
/// [`Error::Refused`] for an address that is none of plain HTTP; [`Error::Failed`] with the field's name for no answer
/// within 10 s, one that is none of Prometheus, a query that it refuses, several numbers where one is asked for, and a
/// number that the field cannot have.
pub fn ask(url: &str, queries: &Queries, now: f64, metrics: &mut Metrics) -> Result<(), Error> {
    if !url.starts_with("http://") {
        return Err(Error::Refused(format!(
            "`{url}` is no address of a Prometheus; allowed: http://HOST:PORT"
        )));
    }
    let config =
        Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).max_redirects(0);
    let agent = config.build().new_agent();
    let address = format!("{}/api/v1/query", url.trim_end_matches('/'));
    for (&field, query) in &queries.0 {
        let failed = |reason: String| Error::Failed(format!("{}, asked of {url}: {reason}", field.name()));
        let text = fetch(&agent, &address, query).map_err(failed)?;
        let samples = samples(&text).map_err(failed)?;
        let age = samples.iter().map(|sample| now - sample.time).reduce(f64::max);
        forget(metrics, field);
        put(metrics, field, &samples).map_err(failed)?;
        if let Some(age) = age {
            aged(metrics, &[field.name()], age);
        }
    }
    Ok(())
}

fn fetch(agent: &Agent, address: &str, query: &str) -> Result<String, String> {
    let said =
        |error: ureq::Error| format!("{error}; is a Prometheus there, and does it answer within 10 s?");
    let mut response = agent.get(address).query("query", query).call().map_err(said)?;
    response.body_mut().with_config().limit(MOST_BYTES).read_to_string().map_err(said)
}

/// A number of an answer, which is not NaN.
struct Number {
    time: f64,
    value: f64,
    class: Option<String>,
}

fn samples(text: &str) -> Result<Vec<Number>, String> {
    let answer: Answer =
        serde_json::from_str(text).map_err(|error| format!("no answer of a Prometheus: {error}"))?;
    if answer.status != "success" {
        return Err(format!("it refuses the query: {}", answer.error_type.unwrap_or(answer.status)));
    }
    let samples = match answer.data {
        Some(Data::Vector(samples)) => samples,
        Some(Data::Scalar(value)) => vec![Sample { metric: BTreeMap::new(), value }],
        _ => return Err("the answer is no instant vector and no scalar; ask for one".to_owned()),
    };
    let number = |mut sample: Sample| -> Result<Number, String> {
        let (time, text) = sample.value;
        // "+Inf" and "NaN" are among them.
        let value = text.parse().map_err(|_| format!("`{text}` is no number"))?;
        Ok(Number { time, value, class: sample.metric.remove("class") })
    };
    let numbers: Result<Vec<Number>, String> = samples.into_iter().map(number).collect();
    Ok(numbers?.into_iter().filter(|number| !number.value.is_nan()).collect())
}

fn forget(metrics: &mut Metrics, field: Field) {
    match field {
        Field::GapMinutes => metrics.gap_minutes = None,
        Field::FailureHist => metrics.failure_hist = None,
        Field::ChainOk => metrics.chain_ok = None,
        Field::DsseOk => metrics.dsse_ok = None,
        Field::TlogOk => metrics.tlog_ok = None,
        Field::CeremonyAge => metrics.last_ceremony_age_d = None,
        Field::Latency => metrics.latency_p95_ms = None,
        Field::Slowdown => metrics.slowdown = None,
        Field::FailRate => metrics.fail_rate = None,
    }
    if let Some(ages) = &mut metrics.ages {
        ages.remove(field.name());
    }
}

fn put(metrics: &mut Metrics, field: Field, numbers: &[Number]) -> Result<(), String> {
    if field == Field::FailureHist {
        if !numbers.is_empty() {
            metrics.failure_hist = Some(histogram(numbers)?);
        }
        return Ok(());
    }
    let value = match numbers {
        [] => return Ok(()),
        [one] => one.value,
        _ => {
            return Err(format!(
                "{} numbers where one is asked for; aggregate them, as with sum()",
                numbers.len()
            ));
        }
    };
    let truth = || match value {
        1.0 => Ok(Some(true)),
        0.0 => Ok(Some(false)),
        _ => Err(format!("{value} is not allowed; 0 or 1 is")),
    };
    match field {
        Field::GapMinutes => metrics.gap_minutes = Some(Amount::try_from(value)?),
        Field::FailureHist => {}
        Field::ChainOk => metrics.chain_ok = truth()?,
        Field::DsseOk => metrics.dsse_ok = truth()?,
        Field::TlogOk => metrics.tlog_ok = truth()?,
        Field::CeremonyAge => metrics.last_ceremony_age_d = Some(Amount::try_from(value)?),
        Field::Latency => metrics.latency_p95_ms = Some(Amount::try_from(value)?),
        Field::Slowdown => metrics.slowdown = Some(Amount::try_from(value)?),
        Field::FailRate => metrics.fail_rate = Some(Share::try_from(value)?),
    }
    Ok(())
}

/// `increase` extrapolates, so that counts come with decimals: they are rounded.
fn histogram(numbers: &[Number]) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for number in numbers {
        let class =
            number.class.clone().ok_or("a number has no label `class`; ask for sum by (class) (...)")?;
        let count = Amount::try_from(number.value)?.value().round();
        if count > 1e15 {
            return Err(format!("{count} is too many; allowed: up to 1e15"));
        }
        if counts.insert(class.clone(), count as u64).is_some() {
            return Err(format!("the class `{class}` has two numbers; ask for sum by (class) (...)"));
        }
    }
    Ok(counts)
}
