//! Proofs of results/: each folder has one beside it, and all are in `results/log`, signed with a key that is made for this
//! and forgotten, as those of the three custodians of the root metadata are. What they say, and how a stranger checks it: docs/VERIFY.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::workspace::{answer, root};

/// The name under which the proofs alone are renewed.
pub(super) const NAME: &str = "proofs";

/// Whose keys sign the root metadata, two of three.
const CUSTODIANS: [&str; 3] = ["custodian-1", "custodian-2", "custodian-3"];

/// What a proof's name ends in, behind that of its folder.
const ENDING: &str = ".proof.json";

/// Signs what all folders of results/ hold, in place of the proofs that are there.
pub(super) fn renew() -> Result<(), String> {
    println!("\n== {NAME}");
    let results = root().join("results");
    let problem = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("cannot {what}: {error}")
    };
    let folders = folders(&results).map_err(problem("read results"))?;
    for old in ["log", "keys"] {
        remove(&results.join(old)).map_err(problem("remove an old log"))?;
    }
    for proof in names(&results).map_err(problem("read results"))? {
        if proof.ends_with(ENDING) {
            fs::remove_file(results.join(proof)).map_err(problem("remove an old proof"))?;
        }
    }
    // Outside of what is committed, and gone at the end.
    let keys = root().join("target/results-keys");
    remove(&keys).map_err(problem("remove an old key"))?;
    let signed = signed(&folders, &keys);
    remove(&keys).map_err(problem("forget the key"))?;
    signed
}

fn signed(folders: &[String], keys: &Path) -> Result<(), String> {
    let program = root().join("target/release/resonetics");
    let lumen = |words: &[&str]| {
        let mut command = Command::new(&program);
        // A passphrase of the user's is for other keys.
        command.env_remove("LUMEN_KEY_PASS").env_remove("LUMEN_KEY_PASS_FILE");
        answer(command.arg("lumen").args(words).current_dir(root()))
    };
    let at = |name: &str| keys.join(name).to_string_lossy().into_owned();
    let place = at("signer");
    let public = |name: &str| at(&format!("{name}/signer.pub.pem"));
    fs::create_dir_all(root().join("results/keys"))
        .and_then(|()| fs::create_dir_all(keys))
        .map_err(|error| format!("cannot create results/keys: {error}"))?;
    for who in ["signer", CUSTODIANS[0], CUSTODIANS[1], CUSTODIANS[2]] {
        lumen(&["keys", "init", "--dir", &at(who)])?;
    }
    fs::copy(public("signer"), root().join("results/keys/signer.pub.pem"))
        .map_err(|error| format!("cannot keep the public key: {error}"))?;
    let custodians = CUSTODIANS.map(public);
    let (signer, request) = (public("signer"), at("request"));
    // Nobody can replace it, since its keys are forgotten too.
    let mut init = vec!["keys", "root", "init", "--signer", &signer, "--days", "3650", "--out", &request];
    init.extend(custodians.iter().flat_map(|key| ["--custodian", key.as_str()]));
    lumen(&init)?;
    let parts = [at("part-1"), at("part-2")];
    for (who, part) in CUSTODIANS.iter().zip(&parts) {
        lumen(&["keys", "root", "sign", &request, "--dir", &at(who), "--out", part])?;
    }
    lumen(&["keys", "root", "accept", &request, &parts[0], &parts[1], "--out", "results/keys/root.json"])?;
    for name in folders {
        let folder = format!("results/{name}");
        let mut words = vec!["prove", &folder, "--keys", &place, "--log", "results/log"];
        words.extend(["--origin", "resonetics/results"]);
        if !can_be_repeated(&root().join(&folder)) {
            words.push("--files");
        }
        print!("{}", lumen(&words)?);
    }
    let key = "results/keys/signer.pub.pem";
    print!("{}", lumen(&["log", "verify", "--log", "results/log", "--key", key])?);
    Ok(())
}

/// Whether `resonetics rerun` would compare what is made anew with what lies there: not for what is no run, nor for
/// measured speeds.
fn can_be_repeated(folder: &Path) -> bool {
    folder.join("run.json").exists() && !folder.join("throughput.json").exists()
}

/// The folders with results, sorted.
fn folders(results: &Path) -> std::io::Result<Vec<String>> {
    let all = names(results)?;
    let is = |name: &String| results.join(name).is_dir() && !["log", "keys"].contains(&name.as_str());
    Ok(all.into_iter().filter(is).collect())
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn remove(folder: &Path) -> std::io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}
