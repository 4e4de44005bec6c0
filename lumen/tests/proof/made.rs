//! Proofs to be judged.

use std::fs;

use resonetics_lumen::proof::append::Writer;
use resonetics_lumen::proof::detached;
use resonetics_lumen::proof::dsse::Envelope;
use resonetics_lumen::proof::file::prove;
use resonetics_lumen::proof::key::Secret;
use resonetics_lumen::proof::log::Log;
use resonetics_lumen::proof::statement::{Built, Statement};
use resonetics_lumen::proof::text::hex;
use serde_json::{Value, json};

use super::common::{Place, by};

/// Three runs proven in one log, one of them repeated by somebody else, and a file that is signed.
pub(crate) struct Made {
    pub(crate) place: Place,
    pub(crate) key: Secret,
    pub(crate) other: Secret,
}

impl Made {
    pub(crate) fn new() -> Made {
        let place = Place::new();
        let (key, other) = (place.key("keys"), place.key("other"));
        place.key("third");
        let log = place.path("log");
        for seed in [1, 2, 3] {
            let statement = place.statement(&format!("run-{seed}"), seed);
            prove(&statement, &by(&key, &log), &place.path(&format!("{seed}.json"))).unwrap();
        }
        let made = Made { place, key, other };
        let first = made.statement("2.json");
        for (whose, log, name) in [(&made.other, "other-log", "repeated"), (&made.key, "log", "self")] {
            made.place.run(name, 2);
            let again = first.reproduced(&first.bytes(), &made.place.path(name), &Built::default()).unwrap();
            let (log, path) = (made.place.path(log), made.place.path(&format!("{name}.json")));
            prove(&again, &by(whose, &log), &path).unwrap();
        }
        fs::write(made.place.path("file"), "text").unwrap();
        detached::sign(&made.place.path("file"), &made.key).unwrap();
        made
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.place.path(name)).unwrap()).unwrap()
    }

    pub(crate) fn statement(&self, name: &str) -> Statement {
        let envelope = self.json(name)["envelope"].as_str().unwrap().to_owned();
        Statement::parse(&Envelope::open(envelope.as_bytes()).unwrap().body).unwrap()
    }

    /// The proof of a body that our key signed and our log took, whatever it says.
    pub(crate) fn sealed(&self, kind: &str, body: &[u8]) -> Value {
        let envelope = Envelope::seal(kind, body, &self.key);
        let log = self.place.path("log");
        let mut writer = Writer::open(&log, &self.key, None).unwrap();
        let (index, _) = writer.append_once(envelope.as_bytes()).unwrap();
        writer.commit().unwrap();
        let mut log = Log::open(&log, &[]).unwrap();
        let inclusion: Vec<String> = log.inclusion(index).unwrap().iter().map(|hash| hex(hash)).collect();
        json!({
            "format": "resonetics-proof/1", "envelope": envelope, "checkpoint": log.note, "index": index,
            "inclusion": inclusion,
        })
    }
}
