//! The file for containers: what its schema does not ask for.

use std::path::Path;

use serde_json::Value;

use super::files::{list, read, text, yaml};

pub(super) fn problems(place: &Path) -> Result<Vec<String>, String> {
    let mut problems = problems_of(&yaml(&place.join("compose.yml"))?, place);
    let image = read(&place.join("Dockerfile"))?;
    let last = image.rsplit("\nFROM ").next().unwrap_or_default();
    if !last.contains("\nUSER 65532:65532\n") || last.contains("\nRUN ") {
        problems.push("Dockerfile: its last stage runs nothing and has the user 65532".to_owned());
    }
    let froms = image.lines().filter_map(|line| line.strip_prefix("FROM "));
    for from in froms.filter(|from| !from.contains(':') || from.contains(":latest")) {
        problems.push(format!("Dockerfile: {from} is of no version"));
    }
    Ok(problems)
}

fn problems_of(compose: &Value, place: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let Some(services) = compose["services"].as_object() else {
        return vec!["compose.yml: has no services".to_owned()];
    };
    for (name, service) in services {
        let mut say = |what: &str| problems.push(format!("compose.yml, {name}: {what}"));
        if service["read_only"] != Value::Bool(true) {
            say("its root is read only");
        }
        if list(service, "cap_drop") != ["ALL"] || list(service, "security_opt") != ["no-new-privileges:true"]
        {
            say("drops all capabilities, and gets no new privileges");
        }
        if matches!(text(service, "user").split(':').next(), None | Some("" | "0" | "root")) {
            say("has a user that is not root");
        }
        if text(&service["healthcheck"], "test").is_empty()
            && list(&service["healthcheck"], "test").is_empty()
        {
            say("has a health check");
        }
        if service["profiles"].as_array().is_none_or(Vec::is_empty) {
            say("is in a profile");
        }
        let image = text(service, "image");
        if !image.contains(':') || image.ends_with(":latest") {
            say("its image has a version");
        }
        let variables = service["environment"].as_object().into_iter().flatten();
        for (variable, _) in
            variables.filter(|(name, _)| name.contains("PASSWORD") && !name.ends_with("__FILE"))
        {
            say(&format!("{variable}: a secret is a file"));
        }
        for volume in list(service, "volumes").iter().filter_map(Value::as_str) {
            let from = volume.split(':').next().unwrap_or_default();
            let known = match from.strip_prefix("./") {
                Some(path) => place.join(path).exists(),
                None => from.starts_with("${") || compose["volumes"].get(from).is_some(),
            };
            if !known {
                say(&format!("{from} is not there"));
            }
        }
        for secret in list(service, "secrets").iter().filter_map(Value::as_str) {
            if text(&compose["secrets"][secret], "file").is_empty() {
                say(&format!("the secret {secret} is no file"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
services:
  a:
    image: a:1
    profiles: [base]
    user: '65532:65532'
    read_only: true
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    environment: { A_PASSWORD__FILE: /run/secrets/a }
    secrets: [a]
    volumes: ['data:/data']
    healthcheck: { test: [CMD, a] }
volumes: { data: {} }
secrets: { a: { file: a } }
";

    #[test]
    fn what_a_container_must_not_be_is_said() {
        let found = |text: &str| problems_of(&serde_saphyr::from_str(text).unwrap(), Path::new("."));
        assert_eq!(found(GOOD), [""; 0]);
        for (from, to, expected) in [
            ("read_only: true", "read_only: false", "read only"),
            ("'65532:65532'", "'0:0'", "not root"),
            ("[ALL]", "[]", "capabilities"),
            ("a:1", "a:latest", "version"),
            ("A_PASSWORD__FILE: /run/secrets/a", "A_PASSWORD: admin", "a secret is a file"),
            ("    healthcheck: { test: [CMD, a] }\n", "", "health check"),
            ("'data:/data'", "'dat:/data'", "dat is not there"),
            ("{ a: { file: a } }", "{}", "secret a"),
            ("    profiles: [base]\n", "", "profile"),
        ] {
            let problems = found(&GOOD.replacen(from, to, 1));
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
        }
    }
}
