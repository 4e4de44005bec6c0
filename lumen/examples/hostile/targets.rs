//! What is attacked: each format of ours, made once, and what reads it.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use resonetics_lumen::archive::index::Index;
use resonetics_lumen::archive::remote::record::Records;
use resonetics_lumen::archive::{
    Archive, Key, MANIFEST, Options, Preset, Seal, decrypt_age, decrypt_lumenenc, freeze, restore,
    restore_opened, verify, verify_opened,
};
use resonetics_lumen::context::Context;
use resonetics_lumen::gate::Gate;
use resonetics_lumen::log::whole_events;
use resonetics_lumen::pack;
use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::chain::{self, Chain};
use resonetics_lumen::proof::check::{Asked, Ends, check};
use resonetics_lumen::proof::consistency::Consistency;
use resonetics_lumen::proof::custody::Record;
use resonetics_lumen::proof::detached;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::file::{By, prove};
use resonetics_lumen::proof::fingerprint::Fingerprint;
use resonetics_lumen::proof::heads::Heads;
use resonetics_lumen::proof::issue;
use resonetics_lumen::proof::key::{PUBLIC, Public, SECRET, Secret};
use resonetics_lumen::proof::key_log::{self, KeyLog};
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::request::{Part, Request};
use resonetics_lumen::proof::root::{Role, Roles, Root, Signed};
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_lumen::proof::verify as whole;
use resonetics_lumen::resonance::metrics::Metrics;
use resonetics_lumen::resonance::observer::ObserverField;
use resonetics_lumen::signals::window::Shape;
use resonetics_lumen::store::{Reader, Store};
use resonetics_lumen::validate::validate;
use resonetics_runs::Error;
use resonetics_runs::commands::Commands;
use resonetics_runs::commands::force::Force;
use resonetics_runs::plan;
use resonetics_runs::run_dir::{RunDir, RunRecord};
use resonetics_runs::setup::Setup;

const EVENT: &str = r#"{"ts":"2026-11-30T12:00:00.000Z","entity_id":"watched/training","group":"design_core","event_type":"observe","resonance_v3":{"phase_diff":0.0,"residual_entropy":0.5,"creative_band":"MID","risk_band":"SAFE"},"memory_bridge":{"slot_id":"rmb/v17/slot-1","op":"UPSERT","key":"window:1","value_hash":"0123456789abcdef"},"trace":{"loop_id":"train.k8s","iter":1,"host":"host","clock":1},"phase_valid":false,"signals":{"residual":0.5}}"#;
const OBSERVER: &str = "version: 1\nwindows: [W24h, W7d]\nchannels:\n  own: {symmetry: 0.5, continuity: 0.5, entropy: 0, safety: 0}\n";
const METRICS: &str = r#"{"window_s":86400,"series_rates":[1,2,3],"gap_minutes":5,"failure_hist":{"ok":5,"numeric":1},"chain_ok":true}"#;

/// What is done with changed bytes; what comes back is what must not be.
type Reads = dyn Fn(&[u8]) -> Option<&'static str>;

/// A file, and what is done with it once it was changed. What comes back is what must not be.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) read: Box<Reads>,
}

/// Everything whose formats are ours, made once.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    key: Secret,
}

impl Place {
    pub(crate) fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        Secret::create(&at("keys"), None).unwrap();
        let key = Secret::open(&at("keys"), &none).unwrap();
        let config = "command = \"benchmark\"\nseed = 3\n";
        let run = RunDir::create(Some(&at("run")), RunRecord::new("benchmark", Some(3)), config).unwrap();
        for name in ["benchmark.csv", "episodes.csv"] {
            fs::write(at("run").join(name), "a,b\n1,2\n".repeat(50)).unwrap();
        }
        run.finish(Ok(())).unwrap();
        let files = ["benchmark.csv", "episodes.csv"].map(Path::new);
        let statement = Statement::of_run(&at("run"), &files, &Built::default()).unwrap();
        fs::write(at("statement"), statement.bytes()).unwrap();
        fs::write(at("envelope"), statement.sealed(&key)).unwrap();
        let log = at("log");
        let by = By { key: &key, log: &log, origin: None, formerly: None, chain: None };
        prove(&statement, &by, &at("run.proof.json")).unwrap();
        let mut writer = Writer::open(&at("log"), &key, None).unwrap();
        for number in 0..300_u32 {
            writer.append(&number.to_be_bytes()).unwrap();
        }
        let head = writer.commit().unwrap();
        drop(writer);
        Heads::default().keep(&head, &at("heads.jsonl")).unwrap();
        detached::sign(&at("statement"), &key).unwrap();
        fs::write(at("fingerprint"), Fingerprint::of(&at("run")).unwrap().text().unwrap()).unwrap();
        Place { dir, key }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A target that is one file, read from its bytes.
    fn bytes(&self, name: &'static str, file: &str, read: impl Fn(&[u8]) + 'static) -> Target {
        let read = move |bytes: &[u8]| {
            read(bytes);
            None
        };
        Target { name, file: self.at(file), read: Box::new(read) }
    }

    /// A target that is one file, read from where it lies.
    fn file(&self, name: &'static str, file: &str, read: impl Fn(&Path) + 'static) -> Target {
        let path = self.at(file);
        let read = move |_: &[u8]| {
            read(&path);
            None
        };
        Target { name, file: self.at(file), read: Box::new(read) }
    }

    pub(crate) fn proofs(&self) -> Vec<Target> {
        let keys = [self.key.public()];
        let judged = |bytes: &[u8], keys: &[Public]| {
            let verdict = check(bytes, &Asked { keys, ..Asked::default() });
            let _ = verdict.json();
            verdict.ends()
        };
        let (mine, whole_proof) = (keys.clone(), fs::read(self.at("run.proof.json")).unwrap());
        let same = move |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let proof = Target {
            name: "proof",
            file: self.at("run.proof.json"),
            read: Box::new(move |bytes| {
                let good = judged(bytes, &mine) == Ends::Good && same(bytes) != same(&whole_proof);
                good.then_some("a proof that was changed is called good")
            }),
        };
        let (log, keys) = (self.at("log"), keys.to_vec());
        let read_log = move |_: &Path| {
            if let Ok(mut read) = Log::open(&log, &keys) {
                let _ = whole::verify(&read, &log, &[100, 200]);
                let _ = (read.entry(7), read.inclusion(290), read.consistency(256, 301));
            }
        };
        let secret = self.at("keys");
        vec![
            proof,
            self.bytes("signature beside a file", "statement.sig.json", move |bytes| {
                let _ = check(bytes, &Asked::default()).json();
            }),
            self.bytes("envelope", "envelope", |bytes| drop(Envelope::open(bytes))),
            self.bytes("statement", "statement", |bytes| {
                if let Ok(statement) = Statement::parse(bytes) {
                    let _ = (statement.config(), statement.made_by(), statement.of_statement());
                }
            }),
            self.bytes("checkpoint", "log/checkpoint", |bytes| {
                drop(Note::parse(&String::from_utf8_lossy(bytes)));
            }),
            self.file("log: checkpoint", "log/checkpoint", read_log.clone()),
            self.file("log: hashes", "log/tile/0/000", read_log.clone()),
            self.file("log: entries", "log/tile/entries/000", read_log),
            self.file("heads", "heads.jsonl", |path| drop(Heads::read(path))),
            self.file("fingerprint", "fingerprint", |path| drop(Fingerprint::read(path))),
            self.file("public key", &format!("keys/{PUBLIC}"), |path| drop(Public::read(path))),
            self.file("private key", &format!("keys/{SECRET}"), move |_| {
                drop(Secret::open(&secret, &none));
            }),
        ]
    }

    pub(crate) fn archives(&self) -> Vec<Target> {
        let to = self.at("archive");
        let options = Options { to: &to, preset: Preset::Run, label: None, seal: None };
        let frozen = freeze(&self.at("run"), &options, 1e9).unwrap();
        let relative = frozen.dir.strip_prefix(self.dir.path()).unwrap().to_str().unwrap().to_owned();
        let mut targets = Vec::new();
        for (name, file) in [
            ("archive: manifest", MANIFEST),
            ("archive: bundle", "bundle.tar.zst"),
            ("archive: sums", "SHA256SUMS"),
        ] {
            let (dir, out) = (frozen.dir.clone(), self.at("restored"));
            let read = move |_: &[u8]| {
                let _ = verify(&dir);
                let good = restore(&dir, &out).is_ok_and(|verified| verified.is_good());
                let there = out.exists();
                if there {
                    fs::remove_dir_all(&out).unwrap();
                }
                (there && !good).then_some("what is not good was restored")
            };
            targets.push(Target { name, file: self.at(&format!("{relative}/{file}")), read: Box::new(read) });
        }
        let root = self.at("archive");
        targets.push(self.file("archive: index", "archive/index.jsonl", move |_| {
            let _ = Index::read(&Archive::at(&root));
        }));
        targets
    }

    /// What says who is trusted.
    pub(crate) fn trust(&self) -> Vec<Target> {
        let public = self.key.public();
        let role = Role { keyids: vec![public.id()], threshold: 1 };
        let root = Root {
            version: 1,
            expires: "2036-01-01T00:00:00Z".to_owned(),
            keys: [(public.id(), public.pem())].into_iter().collect(),
            roles: Roles { root: role.clone(), signer: role.clone(), log: role.clone(), approver: role },
        };
        let request = Request::root(&root);
        let part = request.signed(&self.key);
        let (joined, _) = request.joined(std::slice::from_ref(&part)).unwrap();
        let record = Record {
            ts_utc: "2026-11-30T12:00:00Z".to_owned(),
            event: "audit".to_owned(),
            participants: vec![public.id()],
            seal_ids: vec!["1".to_owned()],
            photos: Vec::new(),
            root_fingerprint: public.id(),
            notes: "as it should be".to_owned(),
        };
        let certificate = issue::root(&self.key, 1_700_000_000, 3_650).unwrap();
        let keys = KeyLog::of(&mut Log::open(&self.at("log"), &[]).unwrap()).unwrap();
        let mut log = Log::open(&self.at("log"), &[]).unwrap();
        let proof = log.consistency(7, 301).unwrap();
        let consistency = Consistency::new(&log.head.origin, 7, log.head.size, &proof);
        keys.write(&self.at("keys.json")).unwrap();
        for (name, text) in [
            ("root.json", joined),
            ("request", request.text()),
            ("part", part.text()),
            ("record", String::from_utf8(record.bytes()).unwrap()),
            ("chain.pem", issue::pem(&certificate).unwrap()),
            ("consistency", consistency.text()),
        ] {
            fs::write(self.at(name), text).unwrap();
        }
        let fingerprint = chain::fingerprint(&certificate);
        vec![
            self.bytes("root metadata", "root.json", |bytes| drop(Signed::parse(bytes))),
            self.bytes("root metadata: request", "request", |bytes| {
                if let Ok(request) = Request::parse(bytes) {
                    let _ = (request.asks(), request.shown());
                }
            }),
            self.bytes("root metadata: part", "part", |bytes| drop(Part::parse(bytes))),
            self.bytes("custody record", "record", |bytes| drop(Record::parse(bytes))),
            self.bytes("entries of keys", "keys.json", |bytes| {
                if let Ok(keys) = KeyLog::parse(bytes)
                    && let Some(note) = keys.note()
                {
                    let _ = key_log::included(&keys.entries, &note.head);
                }
            }),
            self.bytes("consistency", "consistency", |bytes| drop(Consistency::parse(bytes))),
            self.bytes("certificates", "chain.pem", move |bytes| {
                let chain = Chain { certificates: String::from_utf8_lossy(bytes).into_owned(), crl: None };
                let _ = chain.held(&fingerprint, 1_700_000_100, 1_700_000_200);
                let _ = chain::list(&chain.certificates);
            }),
        ]
    }

    /// Archives that are encrypted.
    pub(crate) fn sealed(&self) -> Vec<Target> {
        let to = self.at("sealed");
        let identity = Identity::generate();
        let seal = Seal::to(&[identity.to_public().to_string()]).unwrap();
        fs::write(self.at("identity"), identity.to_string().expose_secret()).unwrap();
        let options = Options { to: &to, preset: Preset::Run, label: None, seal: Some(&seal) };
        let frozen = freeze(&self.at("run"), &options, 1e9).unwrap();
        let relative = frozen.dir.strip_prefix(self.dir.path()).unwrap().to_str().unwrap().to_owned();
        let mut targets = Vec::new();
        for (name, file) in
            [("sealed archive: bundle", "bundle.tar.zst.age"), ("sealed archive: manifest", MANIFEST)]
        {
            let (dir, out, key) = (frozen.dir.clone(), self.at("opened"), self.at("identity"));
            let read = move |_: &[u8]| {
                let key = Key::read(&key).unwrap();
                let _ = verify_opened(&dir, &key);
                let good = restore_opened(&dir, &out, &key).is_ok_and(|verified| verified.is_good());
                let there = out.exists();
                if there {
                    fs::remove_dir_all(&out).unwrap();
                }
                (there && !good).then_some("what is not good was restored")
            };
            targets.push(Target { name, file: self.at(&format!("{relative}/{file}")), read: Box::new(read) });
        }
        let lumenenc = [&b"LUMENENC\x01"[..], &[7; 28], &[9; 200]].concat();
        fs::write(self.at("old.enc"), lumenenc).unwrap();
        let out = self.at("decrypted");
        let nothing_left = move |path: PathBuf, how: fn(&Path, &Path) -> bool| {
            let out = out.clone();
            move |_: &[u8]| {
                let good = how(&path, &out);
                let there = out.exists();
                let _ = fs::remove_file(&out);
                (there && !good).then_some("bytes that were not authenticated were left")
            }
        };
        let old = nothing_left(self.at("old.enc"), |path, out| decrypt_lumenenc(path, "x", out).is_ok());
        targets.push(Target { name: "lumenenc", file: self.at("old.enc"), read: Box::new(old) });
        let age = self.at(&format!("{relative}/bundle.tar.zst.age"));
        let key = |path: &Path, out: &Path| {
            let key = Key::read(&out.with_file_name("identity")).unwrap();
            decrypt_age(path, &key, out).is_ok()
        };
        let age = Target { name: "age", file: age.clone(), read: Box::new(nothing_left(age, key)) };
        targets.push(age);
        let line = r#"{"ts":"2026-11-30T12:00:00Z","archive_id":"ID","provider":"s3://b","key":"p/run/20261130T120000Z/x.tar.zst.age","bytes":7,"sha256":"ID","etag":null,"enc":"age","verified_at":null,"result":"OK","prev":"0"}"#;
        let line = line.replace("ID", &"ab".repeat(32)).replace("\"0\"", &format!("\"{}\"", "0".repeat(64)));
        fs::write(self.at("sealed/remote_index.jsonl"), format!("{line}\n")).unwrap();
        Records::read(&Archive::at(&self.at("sealed"))).unwrap();
        let root = self.at("sealed");
        targets.push(self.file("records of copies", "sealed/remote_index.jsonl", move |_| {
            drop(Records::read(&Archive::at(&root)));
        }));
        targets
    }

    /// What a run was told, and what its checkpoints keep of its gate.
    pub(crate) fn told(&self) -> Vec<Target> {
        let first = r#"{"id":1,"ts":"2026-11-30T12:00:00.000Z","cmd":"knob.set","args":{"key":"mem_drift_mu","value":0.02},"by":"ctl","note":"","clock":3,"prev":"0"}"#;
        let first = first.replace("\"0\"", &format!("\"{}\"", "0".repeat(64)));
        fs::create_dir(self.at("told")).unwrap();
        fs::write(self.at("told/commands.jsonl"), format!("{first}\n")).unwrap();
        let begun = || Force::new(None, &Setup::preset("k8s", "storm").unwrap());
        let dir = self.at("told");
        Commands::read(&dir, begun()).and_then(|mut told| told.go_on_behind(1)).unwrap();
        let read = move |_: &Path| {
            let _ = Commands::read(&dir, begun()).and_then(|mut told| told.go_on_behind(1));
        };
        let mut gate = Gate::new(plan::Gate::default(), [0.55, 0.85], Shape::TRAINING, 3);
        gate.checkpoint(1024, 8);
        fs::write(self.at("told/gate.json"), gate.kept().to_string()).unwrap();
        let gate = RefCell::new(gate);
        let remember = move |path: &Path| {
            if let Ok(kept) = serde_json::from_slice(&fs::read(path).unwrap()) {
                let mut gate = gate.borrow_mut();
                gate.remember(&kept);
                drop(gate.asks());
            }
        };
        vec![
            self.file("commands of a run", "told/commands.jsonl", read),
            self.file("a gate in a checkpoint", "told/gate.json", remember),
        ]
    }

    /// Packs, and what is kept of a run.
    pub(crate) fn packs(&self) -> Vec<Target> {
        let (path, archive, out) = (self.at("run.pack"), self.at("packed"), self.at("placed"));
        let asked =
            pack::Asked { to: &path, archive: Some(&archive), note: None, alertmanager: None, keep: false };
        let packed = pack::pack(&self.at("run"), &asked, 1e9).unwrap();
        fs::write(self.at("context"), packed.context.encoded().unwrap()).unwrap();
        let read = move |_: &[u8]| {
            let placed = pack::open(&path, None).and_then(|opened| opened.place(&out, &[]));
            let there = out.exists();
            if there {
                fs::remove_dir_all(&out).unwrap();
            }
            (there && placed.is_err()).then_some("a run was restored in part")
        };
        let pack = Target { name: "pack", file: self.at("run.pack"), read: Box::new(read) };
        vec![
            pack,
            self.bytes("context", "context", |bytes| {
                if let Ok(context) = Context::parse(bytes) {
                    let _ = context.lines();
                }
            }),
        ]
    }

    pub(crate) fn watched(&self) -> Vec<Target> {
        fs::create_dir(self.at("watched")).unwrap();
        fs::write(self.at("watched/events.jsonl"), format!("{EVENT}\n").repeat(20)).unwrap();
        fs::write(self.at("observer.yaml"), OBSERVER).unwrap();
        fs::write(self.at("metrics.json"), METRICS).unwrap();
        let (store, runs) = (self.at("lumen.db"), self.at("watched"));
        let ingested = Store::open(&store).unwrap().ingest(std::slice::from_ref(&runs)).unwrap();
        assert!(ingested.left_out.is_empty(), "{ingested:?}");
        assert!(whole_events(&fs::read(self.at("watched/events.jsonl")).unwrap()).unwrap().len() == 20);
        Metrics::parse(METRICS).unwrap();
        ObserverField::read(Some(&self.at("observer.yaml"))).unwrap();
        let asked = store.clone();
        vec![
            self.bytes("metrics.json", "metrics.json", |bytes| {
                drop(Metrics::parse(&String::from_utf8_lossy(bytes)));
            }),
            self.file("observer field", "observer.yaml", |path| drop(ObserverField::read(Some(path)))),
            self.bytes("events", "watched/events.jsonl", |bytes| drop(whole_events(bytes))),
            self.file("events: validated", "watched/events.jsonl", |path| drop(validate(path))),
            self.file("events: ingested", "watched/events.jsonl", move |_| {
                let store = tempfile::tempdir().unwrap();
                if let Ok(mut store) = Store::open(&store.path().join("lumen.db")) {
                    let _ = store.ingest(std::slice::from_ref(&runs));
                }
            }),
            self.file("store", "lumen.db", move |_| {
                if let Ok(reader) = Reader::open(&asked) {
                    let _ = (reader.totals(), reader.last_rmb(None), reader.metrics(None, 5));
                }
            }),
        ]
    }
}

/// The passphrase that a key might ask for.
#[allow(clippy::unnecessary_wraps)] // what asks wants it so
fn none() -> Result<String, Error> {
    Ok("a passphrase".to_owned())
}
