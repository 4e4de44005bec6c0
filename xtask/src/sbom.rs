//! `cargo xtask sbom`: bills of materials in sbom/, `CycloneDX` 1.6 as JSON: every package that the program is linked from or
//! built by, at its locked version, without libtorch and with it.
//!
//! They are made from `cargo metadata` and Cargo.lock and nothing else, hold no time, no random number and no path, so
//! that the same Cargo.lock gives the same bytes; a test makes them again. `cyclonedx-python-lib` reads them
//! (`cargo xtask lumen`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::workspace::{answer, cargo_program, root};

/// Files, and what their program is built with.
pub(crate) const BILLS: [(&str, &[&str]); 2] =
    [("resonetics.cdx.json", &[]), ("resonetics-torch.cdx.json", &["--features", "resonetics/torch"])];

/// The package with the program.
const PROGRAM: &str = "resonetics";
/// What it is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Writes all of them.
pub(crate) fn write() -> Result<(), String> {
    let folder = root().join("sbom");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    for (name, features) in BILLS {
        let path = folder.join(name);
        let text = bill(features)?;
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("wrote sbom/{name}");
    }
    Ok(())
}

/// The text of one.
fn bill(features: &[&str]) -> Result<String, String> {
    let mut asked = Command::new(cargo_program());
    asked.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]).args(features);
    let told: Value = serde_json::from_str(&answer(asked.current_dir(root()))?)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let lock = fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    let bill = of(&told, &checksums(&lock)).ok_or("cargo metadata has another shape than it had")?;
    let text = serde_json::to_string_pretty(&bill).map_err(|error| format!("cannot encode: {error}"))?;
    Ok(text + "\n")
}

/// The SHA-256 of the archive of each package that has one, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    let found = packages.filter_map(|package| {
        let of = |key| package.lines().find_map(|line| value(line, key));
        Some(((of("name")?, of("version")?), of("checksum")?))
    });
    found.collect()
}

/// A bill of what cargo told; none if that lacks something.
fn of(told: &Value, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = told["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes = told["resolve"]["nodes"].as_array()?;
    let needs: BTreeMap<&str, Vec<&str>> =
        nodes.iter().filter_map(|node| Some((node["id"].as_str()?, needed(node)?))).collect();
    let program = *packages.iter().find(|(_, package)| package["name"] == PROGRAM)?.0;
    // All that the program needs, and what that needs.
    let (mut reached, mut next) = (BTreeSet::from([program]), vec![program]);
    while let Some(id) = next.pop() {
        next.extend(needs.get(id)?.iter().filter(|id| reached.insert(**id)));
    }
    let url = |id: &str| purl(packages.get(id)?);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for &id in &reached {
        let mut on = needs.get(id)?.iter().map(|id| url(id)).collect::<Option<Vec<_>>>()?;
        on.sort();
        on.dedup();
        dependencies.push(json!({ "ref": url(id)?, "dependsOn": on }));
        if id != program {
            components.push(component(packages.get(id)?, "library", checksums)?);
        }
    }
    let by = |key: &'static str| move |value: &Value| value[key].as_str().unwrap_or_default().to_owned();
    components.sort_by_key(by("bom-ref"));
    dependencies.sort_by_key(by("ref"));
    Some(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": component(packages.get(program)?, "application", checksums)? },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What a package is linked with or built by; not what its tests need.
fn needed(node: &Value) -> Option<Vec<&str>> {
    let needed = node["deps"].as_array()?.iter().filter(|dependency| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
    });
    needed.map(|dependency| dependency["pkg"].as_str()).collect()
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<(String, String), String>) -> Option<Value> {
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package)?,
        "name": name,
        "version": version,
        "scope": "required",
        "purl": purl(package)?,
    });
    if let Some(license) = package["license"].as_str() {
        // As some packages still write it.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    Some(component)
}

/// What a package is called among all packages of all kinds. Those of this workspace are nowhere but here.
fn purl(package: &Value) -> Option<String> {
    Some(format!("pkg:cargo/{}@{}", package["name"].as_str()?, package["version"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bill: &Value) -> BTreeMap<&str, &Value> {
        let all = bill["components"].as_array().unwrap();
        all.iter().map(|part| (part["name"].as_str().unwrap(), part)).collect()
    }

    #[test]
    fn the_bills_are_those_of_the_lock_file() {
        for (name, features) in BILLS {
            let there = fs::read_to_string(root().join("sbom").join(name)).unwrap_or_default();
            let made = bill(features).unwrap();
            assert!(there == made, "sbom/{name} is not what Cargo.lock says: cargo xtask sbom");
            let bill: Value = serde_json::from_str(&made).unwrap();
            let parts = parts(&bill);
            assert_eq!(parts.contains_key("tch"), !features.is_empty(), "{name}");
            // Of our own and of others; tests' tools are none of it.
            assert!(parts.contains_key("resonetics-lumen") && parts.contains_key("serde"));
            assert!(!parts.contains_key("criterion") && !parts.contains_key("xtask"));
            let foreign =
                parts.values().filter(|part| !part["name"].as_str().unwrap().starts_with("resonetics"));
            assert!(foreign.clone().all(|part| part["hashes"][0]["content"].as_str().unwrap().len() == 64));
            assert!(!made.contains("file:") && !made.contains("registry+"), "{name}");
        }
    }
}
