//! What is said of a run: an in-toto Statement v1 with the predicate SLSA provenance v1.
//!
//! It holds no path of a machine, no name of one, and nothing that was typed but the settings. Numbers that may be large
//! are texts, since readers by protobuf make doubles of numbers.

use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::commands::command::Command;
use resonetics_runs::commands::record::{Entry, Record, Request};
use resonetics_runs::files::{sha256, text};
use resonetics_runs::run_dir::{ended, read_record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::digest::digest;
use super::dsse::{Envelope, IN_TOTO};
use super::fingerprint::Fingerprint;
use super::key::Secret;
use super::text::{hash_of_hex, strict};

/// What a statement says that it is.
pub const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// What was done: a run that came to its end.
pub const FINISHED: &str = "urn:resonetics:run.finished:v1";
/// What was done: the run of another statement, repeated with the same results.
pub const REPRODUCED: &str = "urn:resonetics:run.reproduced:v1";
/// What was done: files were recorded, of which no more is said than what they are.
pub const RECORDED: &str = "urn:resonetics:files.recorded:v1";
/// How the statement that was reproduced is called among what this one depends on.
pub const STATEMENT: &str = "statement";
/// What a run was told while it was at work: a line of JSON for each command, in their order.
const COMMANDS: &str = "commands";
/// What a run's program is called.
const BUILDER: &str = "urn:resonetics:program";

/// A file, and what its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its path in the folder of the run.
    pub name: String,
    /// Its hashes.
    pub digest: Digest,
}

/// The hashes of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, in hex.
    pub sha256: String,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The result files, sorted.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Value,
}

/// What a statement depends on that this program knows and the run does not say.
#[derive(Clone, Debug, Default)]
pub struct Built<'a> {
    /// The commit that this program is of.
    pub commit: &'a str,
    /// `Cargo.lock` as it was built with.
    pub lock: &'a [u8],
}

impl Statement {
    /// What is said of the finished run in the folder `run`, whose results are `files`.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has not come to its end, has no results, or its settings name a path of this machine.
    pub fn of_run(run: &Path, files: &[impl AsRef<Path>], built: &Built<'_>) -> Result<Statement, Error> {
        let shown = run.display();
        let record = read_record(run)?;
        match ended(run).as_deref() {
            Some("finished") => {}
            how => {
                return Err(Error::Refused(format!(
                    "{shown} is {}: a proof is of a finished run",
                    how.unwrap_or("of unknown state")
                )));
            }
        }
        let config = text(&run.join("config.toml"))?;
        let settings: toml::Table = config.parse().map_err(|error: toml::de::Error| {
            Error::Refused(format!("{shown}/config.toml is no TOML: {}", error.message()))
        })?;
        if let Some(place) = settings.values().find_map(path_in) {
            return Err(Error::Refused(format!(
                "{shown}/config.toml names `{place}`, a path of this machine, which nobody else has and a proof must not tell; make the run again with a path that begins in the current folder"
            )));
        }
        let recorded = record.get("config_sha256").and_then(Value::as_str);
        if recorded.is_some_and(|sum| sum != sha256(config.as_bytes())) {
            return Err(Error::Refused(format!(
                "{shown}/config.toml has been edited since the run began; put it back as it was"
            )));
        }
        let subject = subjects(run, files)?;
        let told = Record::read(run)?.entries;
        let predicate = of_record(&record, (&config, &settings), &told, built, byproducts(run)?);
        Ok(Statement::new(subject, predicate))
    }

    /// What is said of all files in the folder `dir`: what they are, and nothing of how they came to be.
    ///
    /// # Errors
    /// Those of [`Fingerprint::of`].
    pub fn of_files(dir: &Path) -> Result<Statement, Error> {
        let files = Fingerprint::of(dir)?.files.into_iter();
        let subject = files.map(|file| Subject { name: file.path, digest: Digest { sha256: file.sha256 } });
        let predicate = json!({
            "buildDefinition": { "buildType": RECORDED, "externalParameters": {} },
            "runDetails": { "builder": { "id": BUILDER } },
        });
        Ok(Statement::new(subject.collect(), predicate))
    }

    fn new(mut subject: Vec<Subject>, predicate: Value) -> Statement {
        subject.sort();
        Statement { kind: TYPE.to_owned(), subject, predicate_type: PREDICATE.to_owned(), predicate }
    }

    /// What is said where this statement's run was repeated: by whose program, between which moments.
    ///
    /// # Errors
    /// [`Error::Refused`] if `run` is not finished.
    pub fn reproduced(&self, payload: &[u8], run: &Path, built: &Built<'_>) -> Result<Statement, Error> {
        let record = read_record(run)?;
        let mut predicate = self.predicate.clone();
        if let Some(definition) = predicate.get_mut("buildDefinition").and_then(Value::as_object_mut) {
            definition.insert("buildType".to_owned(), REPRODUCED.into());
            definition.insert("internalParameters".to_owned(), internal(&record));
            let of = json!({ "name": STATEMENT, "digest": { "sha256": sha256(payload) } });
            let mut needed = vec![of];
            needed.extend(program(&record, built));
            definition.insert("resolvedDependencies".to_owned(), needed.into());
        }
        if let Some(predicate) = predicate.as_object_mut() {
            predicate.insert("runDetails".to_owned(), details(&record, Vec::new()));
        }
        Ok(Statement::new(self.subject.clone(), predicate))
    }

    /// Reads what an envelope holds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Statement, String> {
        let statement: Statement = strict(bytes)?;
        if statement.kind != TYPE || statement.predicate_type != PREDICATE {
            return Err("it is no in-toto Statement v1 of SLSA provenance v1".to_owned());
        }
        if statement.subject.is_empty() {
            return Err("it has no subject".to_owned());
        }
        if statement.subject.windows(2).any(|two| two[0].name >= two[1].name) {
            return Err("its subjects are not sorted, each once".to_owned());
        }
        let whole =
            |subject: &Subject| hash_of_hex(&subject.digest.sha256).is_some() && is_inside(&subject.name);
        if !statement.subject.iter().all(whole) {
            return Err("a subject has no SHA-256, or a name that leads out of its folder".to_owned());
        }
        if ![FINISHED, REPRODUCED, RECORDED].contains(&statement.build_type()) {
            return Err("what was done is not known".to_owned());
        }
        Ok(statement)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json!(self).to_string().into_bytes()
    }

    /// Itself in an envelope, signed.
    #[must_use]
    pub fn sealed(&self, key: &Secret) -> String {
        Envelope::seal(IN_TOTO, &self.bytes(), key)
    }

    fn definition(&self, key: &str) -> Option<&Value> {
        self.predicate.get("buildDefinition")?.get(key)
    }

    /// What was done.
    #[must_use]
    pub fn build_type(&self) -> &str {
        self.definition("buildType").and_then(Value::as_str).unwrap_or_default()
    }

    /// The settings that repeat the run, as a config.toml.
    #[must_use]
    pub fn config(&self) -> Option<&str> {
        self.definition("externalParameters")?.get("config")?.as_str()
    }

    /// What the run was told while it was at work, and is told again where it is repeated.
    ///
    /// # Errors
    /// The line that is no command.
    pub fn commands(&self) -> Result<Vec<Entry>, String> {
        let text =
            self.definition("externalParameters").and_then(|external| external.get(COMMANDS)?.as_str());
        let mut told = Vec::new();
        for (id, line) in (1..).zip(text.unwrap_or_default().lines()) {
            let Said { clock, cmd, args } =
                serde_json::from_str(line).map_err(|error| format!("its command {id}: {error}"))?;
            let command =
                Command::parse(&cmd, &args).map_err(|problem| format!("its command {id}: {problem}"))?;
            let (by, note) = ("the proof".to_owned(), String::new());
            let request = Request { cmd, args, by, note, approval: None };
            told.push(Entry { id, ts: String::new(), request, command, clock, result: None });
        }
        Ok(told)
    }

    /// What is said of the run beside its settings and is not so: its command or its seed.
    #[must_use]
    pub fn contradiction(&self) -> Option<&'static str> {
        let settings: toml::Table = self.config()?.parse().ok()?;
        let external = self.definition("externalParameters")?;
        let command = settings.get("command").and_then(toml::Value::as_str);
        if external.get("command").and_then(Value::as_str) != command {
            return Some("command");
        }
        let seed = settings.get("seed").and_then(toml::Value::as_integer).map(|seed| seed.to_string());
        let said = external.get("seed").and_then(Value::as_str);
        (seed.is_some() && said.is_some() && said != seed.as_deref()).then_some("seed")
    }

    /// The SHA-256 of the statement that this one reproduces.
    #[must_use]
    pub fn of_statement(&self) -> Option<&str> {
        let needed = self.definition("resolvedDependencies")?.as_array()?;
        let of = needed.iter().find(|needed| needed.get("name").is_some_and(|name| name == STATEMENT))?;
        of.get("digest")?.get("sha256")?.as_str()
    }

    /// When the run ended, as it says, RFC 3339.
    #[must_use]
    pub fn finished_on(&self) -> Option<&str> {
        self.predicate.get("runDetails")?.get("metadata")?.get("finishedOn")?.as_str()
    }

    /// The program and the commit that made the run, in words.
    #[must_use]
    pub fn made_by(&self) -> String {
        let needed = self.definition("resolvedDependencies").and_then(Value::as_array);
        let program = needed.and_then(|needed| {
            needed.iter().find(|needed| needed.get("name").is_some_and(|name| name == "resonetics"))
        });
        let word = |key: &str| {
            let value = program.and_then(|program| program.get("annotations")?.get(key)?.as_str());
            value.unwrap_or("unknown")
        };
        format!("version {}, commit {}", word("version"), word("commit"))
    }
}

/// A command as a statement says it: neither who nor why, which would name people.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    clock: u64,
    cmd: String,
    args: Map<String, Value>,
}

fn lines(told: &[Entry]) -> String {
    let line = |Entry { clock, request: Request { cmd, args, .. }, .. }: &Entry| {
        json!(Said { clock: *clock, cmd: cmd.clone(), args: args.clone() }).to_string()
    };
    told.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a name stays in the folder that it is looked up in.
fn is_inside(name: &str) -> bool {
    !name.contains('\0') && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// The files of a run with their hashes.
///
/// # Errors
/// [`Error::Refused`] for none, for names that are no text, and for files that cannot be read.
pub fn subjects(run: &Path, files: &[impl AsRef<Path>]) -> Result<Vec<Subject>, Error> {
    let named = |file: &Path| -> Result<Subject, Error> {
        let name = file.to_str().filter(|name| is_inside(name)).ok_or_else(|| {
            Error::Refused(format!("the name of {} is no plain text: rename it", run.join(file).display()))
        })?;
        let (_, sha256) = digest(&run.join(file))?;
        Ok(Subject { name: name.to_owned(), digest: Digest { sha256 } })
    };
    let mut subjects = files.iter().map(|file| named(file.as_ref())).collect::<Result<Vec<_>, _>>()?;
    if subjects.is_empty() {
        return Err(Error::Refused(format!(
            "{} has no results that a proof could be of: what `resonetics rerun` compares can be proven, and with --files what its files are",
            run.display()
        )));
    }
    subjects.sort();
    Ok(subjects)
}

/// A path from the root of a file system in a setting: there, or behind the `:` of `prophet:DIR`.
fn path_in(value: &toml::Value) -> Option<&str> {
    match value {
        toml::Value::String(text) => (text.starts_with(['/', '~']) || text.contains(":/")).then_some(text),
        toml::Value::Array(values) => values.iter().find_map(path_in),
        toml::Value::Table(table) => table
            .iter()
            .find_map(|(key, value)| if key.contains(":/") { Some(key.as_str()) } else { path_in(value) }),
        _ => None,
    }
}

/// What came out beside the results and is not compared: what `analyze` wrote.
fn byproducts(run: &Path) -> Result<Vec<Value>, Error> {
    let name = "analysis.json";
    let path = run.join(name);
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(vec![json!({ "name": name, "digest": { "sha256": digest(&path)?.1 } })])
}

fn of_record(
    record: &Value,
    (config, settings): (&str, &toml::Table),
    told: &[Entry],
    built: &Built<'_>,
    made: Vec<Value>,
) -> Value {
    let mut external = Map::new();
    if !told.is_empty() {
        external.insert(COMMANDS.to_owned(), lines(told).into());
    }
    external.insert("command".to_owned(), record.get("command").cloned().unwrap_or_default());
    external.insert("config".to_owned(), config.into());
    if let Some(seed) = record.get("seed").and_then(Value::as_u64) {
        external.insert("seed".to_owned(), seed.to_string().into());
    }
    let mut needed =
        vec![json!({ "name": "config.toml", "digest": { "sha256": sha256(config.as_bytes()) } })];
    needed.extend(program(record, built));
    checkpoints(settings.iter(), &mut needed);
    json!({
        "buildDefinition": {
            "buildType": FINISHED,
            "externalParameters": external,
            "internalParameters": internal(record),
            "resolvedDependencies": needed,
        },
        "runDetails": details(record, made),
    })
}

/// Trained agents that acted, by the SHA-256 of their checkpoint, wherever the settings name one.
fn checkpoints<'a>(settings: impl Iterator<Item = (&'a String, &'a toml::Value)>, needed: &mut Vec<Value>) {
    for (name, value) in settings {
        let Some(table) = value.as_table() else { continue };
        match table.get("sha256").and_then(toml::Value::as_str) {
            Some(sha256) => needed.push(json!({ "name": name, "digest": { "sha256": sha256 } })),
            None => checkpoints(table.iter(), needed),
        }
    }
}

/// What results do not depend on.
fn internal(record: &Value) -> Value {
    let mut all = Map::new();
    if let Some(threads) = record.get("threads").and_then(Value::as_u64) {
        all.insert("threads".to_owned(), threads.into());
    }
    if let Some(trace) = record.get("trace_id").and_then(Value::as_str) {
        all.insert("trace_id".to_owned(), trace.into());
    }
    for key in ["os", "arch", "cpu_model"] {
        if let Some(text) = record.get("host").and_then(|host| host.get(key)?.as_str()) {
            all.insert(key.to_owned(), text.into());
        }
    }
    all.into()
}

/// The program that made the run; its `Cargo.lock` where this is the same one.
fn program(record: &Value, built: &Built<'_>) -> Vec<Value> {
    let word = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("unknown");
    let commit = word("commit");
    let mut said = json!({ "version": word("version"), "commit": commit });
    if let (Some(earlier), Some(said)) = (record.get("earlier_commits"), said.as_object_mut()) {
        said.insert("earlier_commits".to_owned(), earlier.clone());
    }
    let mut needed = vec![json!({ "name": "resonetics", "annotations": said })];
    let same = commit == built.commit && commit != "unknown" && !commit.ends_with("-dirty");
    if same && !built.lock.is_empty() {
        needed.push(json!({ "name": "Cargo.lock", "digest": { "sha256": sha256(built.lock) } }));
    }
    needed
}

fn details(record: &Value, byproducts: Vec<Value>) -> Value {
    let word = |key: &str| record.get(key).and_then(Value::as_str);
    let mut metadata = Map::new();
    let seed = record.get("seed").map(Value::to_string).unwrap_or_default();
    let begun = word("started_at").unwrap_or_default();
    // Of what the ledger's id is made of too, and nothing that only this machine knows.
    let id = sha256(format!("{}\n{begun}\n{seed}\n", word("command").unwrap_or_default()).as_bytes());
    metadata.insert("invocationId".to_owned(), id[..32].into());
    for (key, of) in [("startedOn", "started_at"), ("finishedOn", "finished_at")] {
        if let Some(text) = word(of) {
            metadata.insert(key.to_owned(), text.into());
        }
    }
    let mut details = json!({
        "builder": { "id": BUILDER, "version": { "resonetics": word("version").unwrap_or("unknown") } },
        "metadata": metadata,
    });
    if let (false, Some(details)) = (byproducts.is_empty(), details.as_object_mut()) {
        details.insert("byproducts".to_owned(), byproducts.into());
    }
    details
}
