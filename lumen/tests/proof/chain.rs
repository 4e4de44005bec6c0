//! Certificates, good and bad: ours, the verifier in Python and openssl say the same of them.

use std::fs;
use std::process::Command;

use resonetics_lumen::proof::chain::{Certificate, certificates, fingerprint};
use resonetics_lumen::proof::check::Ends;
use resonetics_lumen::proof::detached;
use resonetics_lumen::proof::file::{By, prove};
use resonetics_lumen::proof::issue::{self, pem};
use resonetics_lumen::proof::key::Secret;
use resonetics_runs::run_dir::seconds;
use serde_json::json;

use super::check::both;
use super::common::{Place, by};

const DAY: u64 = 86_400;

struct Story {
    place: Place,
    signer: Secret,
    ca: Secret,
    other: Secret,
    now: u64,
}

impl Story {
    fn new() -> Story {
        let place = Place::new();
        let [signer, ca, other] = ["signer", "ca", "other"].map(|name| place.key(name));
        fs::write(place.path("file"), "text").unwrap();
        detached::sign(&place.path("file"), &signer).unwrap();
        Story { place, signer, ca, other, now: seconds() as u64 }
    }

    fn openssl(&self, arguments: &str) -> (bool, String) {
        let ran = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.place.path(""))
            .output()
            .expect("openssl");
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.place.path(name), text).unwrap();
    }

    /// A root, valid from so many days ago on.
    fn root(&self, key: &Secret, ago: u64, days: u64) -> Certificate {
        issue::root(key, self.now - ago * DAY, days).unwrap()
    }

    fn leaf(&self, root: &Certificate, from: u64) -> Certificate {
        issue::signer(root, &self.ca, &self.signer.public(), from, 180).unwrap()
    }

    fn crl(&self, root: &Certificate, key: &Secret, revoked: &[&Certificate], at: u64) -> String {
        let serials: Vec<_> =
            revoked.iter().map(|one| one.tbs_certificate().serial_number().clone()).collect();
        pem(&issue::crl(root, key, None, &serials, "key-compromise", at, 30).unwrap()).unwrap()
    }

    /// What openssl makes of the signer's key with these extensions.
    fn foreign(&self, root: &Certificate, extensions: &str) -> Certificate {
        self.write("foreign-root.pem", &pem(root).unwrap());
        self.write("extensions", extensions);
        let request = "req -new -key signer/signer.pem -subj /CN=Foreign -out request";
        assert!(self.openssl(request).0);
        let issue = "x509 -req -in request -CA foreign-root.pem -CAkey ca/signer.pem -CAcreateserial -days 90 -extfile extensions -out foreign.pem";
        assert!(self.openssl(issue).0);
        certificates(&fs::read_to_string(self.place.path("foreign.pem")).unwrap()).unwrap().remove(0)
    }

    /// Whether openssl takes the chain, by what it verifies and what it prints.
    fn openssl_says(&self, leaf: &str, root: &str, crl: Option<&str>, pinned: &str) -> bool {
        self.write("leaf.pem", leaf);
        self.write("root.pem", root);
        self.write("crl.pem", crl.unwrap_or_default());
        let list = if crl.is_some() { "-CRLfile crl.pem" } else { "" };
        let verified = self.openssl(&format!(
            "verify -no-CApath -no-CAstore -check_ss_sig -crl_check -attime {} -CAfile root.pem {list} leaf.pem",
            self.now
        ));
        let texts = "x509 -in leaf.pem -noout -ext basicConstraints,extendedKeyUsage";
        let shown = self.openssl(texts).1;
        let root = self.openssl("x509 -in root.pem -noout -ext basicConstraints,keyUsage").1;
        let print = self.openssl("x509 -in root.pem -noout -fingerprint -sha256").1;
        let print = print.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
        verified.0
            && print == pinned
            && root.contains("CA:TRUE")
            && shown.contains("Code Signing")
            && shown.contains("Basic Constraints: critical")
            && shown.contains("CA:FALSE")
    }

    #[track_caller]
    fn ours_says(&self, leaf: &str, root: &str, crl: Option<&str>, pinned: &str) -> (Ends, String) {
        self.write("chain", &format!("{leaf}{root}"));
        let mut arguments = vec!["--chain-root", pinned, "--chain", "chain"];
        if let Some(crl) = crl {
            self.write("crl", crl);
            arguments.extend(["--crl", "crl"]);
        }
        let (ends, told) = both(&self.place, "file.sig.json", &arguments);
        let trust = if ends == Ends::Good { format!("chain:{pinned}") } else { "none".to_owned() };
        assert_eq!(told["trust"], trust, "{told}");
        (ends, told["reasons"].to_string())
    }
}

const WHOLE: &str =
    "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=codeSigning\nkeyUsage=critical,digitalSignature\n";

#[test]
fn openssl_and_both_verifiers_agree_on_good_and_bad_chains() {
    let story = Story::new();
    let Story { ca, other, now, .. } = &story;
    let root = story.root(ca, 10, 3650);
    let twin = story.root(other, 10, 3650);
    let old = story.root(ca, 200, 190);
    let leaf = story.leaf(&root, *now - DAY);
    let foreign = |extensions: &str| story.foreign(&root, extensions);
    let no_ca = {
        story.write("extensions", "basicConstraints=critical,CA:FALSE\nkeyUsage=keyCertSign,cRLSign\n");
        let made = "req -x509 -key ca/signer.pem -days 90 -subj /CN=Root -addext basicConstraints=critical,CA:FALSE -addext keyUsage=keyCertSign,cRLSign -config /dev/null -out no-ca.pem";
        story.write("empty.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
        assert!(story.openssl(&made.replace("/dev/null", "empty.cnf")).0);
        certificates(&fs::read_to_string(story.place.path("no-ca.pem")).unwrap()).unwrap().remove(0)
    };
    let flipped = {
        let text = pem(&leaf).unwrap();
        let at = text.rfind("\n-----END").unwrap() - 12;
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        text[..at].to_owned() + other + &text[at + 1..]
    };
    let text = |one: &Certificate| pem(one).unwrap();
    let (hold, dates) =
        ("the certificates of the chain do not hold", "was not valid when it is said that it signed");
    let (revoked, list) =
        ("the certificate of the signer was revoked", "list of revoked certificates is missing");
    let crl = story.crl(&root, ca, &[], *now - DAY);
    let pinned = fingerprint(&root);
    let print = |one: &Certificate| fingerprint(one);
    let expired = story.leaf(&story.root(ca, 300, 3650), *now - 250 * DAY);
    let cases: Vec<(&str, String, String, Option<String>, String, &str)> = vec![
        ("ours", text(&leaf), text(&root), Some(crl.clone()), pinned.clone(), ""),
        ("made by openssl", text(&foreign(WHOLE)), text(&root), Some(crl.clone()), pinned.clone(), ""),
        (
            "for no purpose",
            text(&foreign("basicConstraints=critical,CA:FALSE\n")),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            hold,
        ),
        (
            "for servers",
            text(&foreign(&WHOLE.replace("codeSigning", "serverAuth"))),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            hold,
        ),
        (
            "a signer that issues",
            text(&foreign(&WHOLE.replace("FALSE", "TRUE"))),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            hold,
        ),
        (
            "it may issue for all that it says",
            text(&foreign("extendedKeyUsage=codeSigning\n")),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            hold,
        ),
        (
            "something critical that nobody knows",
            text(&foreign(&format!("{WHOLE}1.2.3.4=critical,DER:05:00\n"))),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            hold,
        ),
        (
            "a root that issues nothing",
            text(&story.foreign(&no_ca, WHOLE)),
            text(&no_ca),
            Some(story.crl(&no_ca, ca, &[], *now - DAY)),
            print(&no_ca),
            hold,
        ),
        (
            "a root of the same name with another key",
            text(&leaf),
            text(&twin),
            Some(story.crl(&twin, other, &[], *now - DAY)),
            print(&twin),
            hold,
        ),
        ("a signature with another letter", flipped, text(&root), Some(crl.clone()), pinned.clone(), hold),
        ("an expired signer", text(&expired), text(&root), Some(crl.clone()), pinned.clone(), dates),
        (
            "a signer from tomorrow on",
            text(&story.leaf(&root, *now + DAY)),
            text(&root),
            Some(crl.clone()),
            pinned.clone(),
            dates,
        ),
        (
            "an expired root",
            text(&story.leaf(&story.root(ca, 10, 3650), *now - DAY)),
            text(&old),
            Some(story.crl(&old, ca, &[], *now - DAY)),
            print(&old),
            dates,
        ),
        (
            "a revoked signer",
            text(&leaf),
            text(&root),
            Some(story.crl(&root, ca, &[&leaf], *now - DAY)),
            pinned.clone(),
            revoked,
        ),
        (
            "another one was revoked",
            text(&leaf),
            text(&root),
            Some(story.crl(&root, ca, &[&expired], *now - DAY)),
            pinned.clone(),
            "",
        ),
        (
            "an old list",
            text(&leaf),
            text(&root),
            Some(story.crl(&root, ca, &[], *now - 40 * DAY)),
            pinned.clone(),
            list,
        ),
        (
            "a list from tomorrow on",
            text(&leaf),
            text(&root),
            Some(story.crl(&root, ca, &[], *now + DAY)),
            pinned.clone(),
            list,
        ),
        (
            "a list by another key under the same name",
            text(&leaf),
            text(&root),
            Some(story.crl(&twin, other, &[], *now - DAY)),
            pinned.clone(),
            list,
        ),
        ("no list", text(&leaf), text(&root), None, pinned.clone(), list),
        (
            "another root is pinned",
            text(&leaf),
            text(&root),
            Some(crl.clone()),
            print(&twin),
            "another one than the pinned one",
        ),
    ];
    for (what, leaf, root, crl, pinned, reason) in &cases {
        let theirs = story.openssl_says(leaf, root, crl.as_deref(), pinned);
        let (ends, reasons) = story.ours_says(leaf, root, crl.as_deref(), pinned);
        assert_eq!(theirs, reason.is_empty(), "{what}: openssl; ours {reasons}");
        assert_eq!(ends == Ends::Good, theirs, "{what}: {reasons}");
        assert!(reasons.contains(reason), "{what}: {reasons}");
    }
    let one = text(&leaf);
    for bad in [String::new(), one.clone(), one.repeat(3), one.replace("CERTIFICATE", "PUBLIC KEY")] {
        let (ends, reasons) = story.ours_says(&bad, "", Some(&crl), &pinned);
        assert!(
            ends == Ends::Bad && reasons.contains("not a certificate of a signer and one of a root"),
            "{reasons}"
        );
    }
}

/// A proof carries its certificates: who knows the root needs nothing else.
#[test]
fn a_proof_with_certificates_needs_the_fingerprint_of_the_root_alone() {
    let story = Story::new();
    let root = story.root(&story.ca, 10, 3650);
    let leaf = story.leaf(&root, story.now - DAY);
    let chain = resonetics_lumen::proof::chain::Chain {
        certificates: pem(&leaf).unwrap() + &pem(&root).unwrap(),
        crl: Some(story.crl(&root, &story.ca, &[], story.now - DAY)),
    };
    let (log, statement) = (story.place.path("log"), story.place.statement("run", 1));
    let with = By { chain: Some(&chain), ..by(&story.signer, &log) };
    prove(&statement, &with, &story.place.path("1.json")).unwrap();
    prove(&story.place.statement("run-2", 2), &by(&story.signer, &log), &story.place.path("2.json")).unwrap();
    let pinned = fingerprint(&root);
    let (ends, told) = both(&story.place, "1.json", &["--chain-root", &pinned]);
    assert_eq!((ends, &told["trust"]), (Ends::Good, &json!(format!("chain:{pinned}"))), "{told}");
    let key = ["--key", "signer/signer.pub.pem"];
    assert_eq!(both(&story.place, "1.json", &key).0, Ends::Good);
    let (ends, told) = both(&story.place, "2.json", &["--chain-root", &pinned]);
    assert!(ends == Ends::Unknown && told["reasons"].to_string().contains("there are no certificates"));
    let (ends, _) = both(&story.place, "1.json", &["--chain-root", &"0".repeat(64)]);
    assert_eq!(ends, Ends::Bad);
}

#[test]
fn a_list_goes_on_from_the_one_before_and_openssl_reads_what_is_in_it() {
    let story = Story::new();
    let root = story.root(&story.ca, 10, 3650);
    let [one, two] = [0, 1].map(|_| story.leaf(&root, story.now - DAY));
    let serial = |one: &Certificate| one.tbs_certificate().serial_number().clone();
    let make = |before, more: &[_]| issue::crl(&root, &story.ca, before, more, "superseded", story.now, 30);
    let first = make(None, &[serial(&one)]).unwrap();
    let second = make(Some(&first), &[serial(&two), serial(&one)]).unwrap();
    story.write("crl.pem", &pem(&second).unwrap());
    story.write("root.pem", &pem(&root).unwrap());
    let (good, text) = story.openssl("crl -in crl.pem -CAfile root.pem -noout -text");
    assert!(good && text.matches("Serial Number:").count() == 2 && text.contains("Superseded"), "{text}");
    assert!(text.contains("X509v3 CRL Number: \n                2"), "{text}");
    let text = story.openssl("x509 -in root.pem -noout -text").1;
    for part in ["O = Lumen System C, CN = Lumen Root CA", "CA:TRUE, pathlen:1", "Certificate Sign, CRL Sign"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    story.write("leaf.pem", &pem(&one).unwrap());
    let text = story.openssl("x509 -in leaf.pem -noout -text").1;
    for part in ["OU = Pipeline, CN = Lumen Artifact Signer", "CA:FALSE", "Code Signing"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let twin = story.root(&story.other, 10, 3650);
    let wrong = issue::crl(&twin, &story.other, Some(&first), &[], "superseded", story.now, 30);
    assert!(wrong.unwrap_err().to_string().contains("not signed by this root"));
    assert!(issue::crl(&root, &story.other, None, &[], "superseded", story.now, 30).is_err());
    assert!(issue::signer(&root, &story.other, &story.signer.public(), story.now, 1).is_err());
    let short = issue::signer(&root, &story.ca, &story.signer.public(), story.now, 3650).unwrap_err();
    assert!(short.to_string().contains("ends before"), "{short}");
}
