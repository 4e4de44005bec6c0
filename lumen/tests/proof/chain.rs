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

/// A list of this moment.
fn crl(root: &Certificate, key: &Secret, revoked: &[&Certificate], at: u64) -> String {
    let serials: Vec<_> = revoked.iter().map(|one| one.tbs_certificate().serial_number().clone()).collect();
    pem(&issue::crl(root, key, None, &serials, "key-compromise", at, 30).unwrap()).unwrap()
}

fn text(one: &Certificate) -> String {
    pem(one).unwrap()
}

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

/// A chain, and what is said of it.
#[derive(Clone)]
struct Case {
    what: &'static str,
    leaf: String,
    root: String,
    crl: Option<String>,
    pinned: String,
    reason: &'static str,
}

impl Case {
    /// The same, but for something.
    fn but(&self, what: &'static str, reason: &'static str, change: impl FnOnce(&mut Case)) -> Case {
        let mut other = Case { what, reason, ..self.clone() };
        change(&mut other);
        other
    }

    /// The same, with another signer.
    fn of(&self, what: &'static str, leaf: &Certificate, reason: &'static str) -> Case {
        self.but(what, reason, |it| it.leaf = text(leaf))
    }

    /// The same, with another root, whose list this key signs.
    fn under(
        &self,
        what: &'static str,
        root: &Certificate,
        key: &Secret,
        at: u64,
        reason: &'static str,
    ) -> Case {
        self.but(what, reason, |it| {
            it.root = text(root);
            it.crl = Some(crl(root, key, &[], at));
            it.pinned = fingerprint(root);
        })
    }
}

const HOLD: &str = "the certificates of the chain do not hold";
const DATES: &str = "was not valid when it is said that it signed";
const REVOKED: &str = "the certificate of the signer was revoked";
const LIST: &str = "list of revoked certificates is missing";

fn of_signers(story: &Story, root: &Certificate, good: &Case) -> Vec<Case> {
    let foreign = |extensions: &str| story.foreign(root, extensions);
    let open = |what, extensions: &str| good.of(what, &foreign(extensions), HOLD);
    let flipped = |it: &mut Case| {
        let at = it.leaf.rfind("\n-----END").unwrap() - 12;
        let other = if it.leaf.as_bytes()[at] == b'A' { "B" } else { "A" };
        it.leaf.replace_range(at..=at, other);
    };
    let expired = story.leaf(&story.root(&story.ca, 300, 3650), story.now - 250 * DAY);
    vec![
        good.of("made by openssl", &foreign(WHOLE), ""),
        open("for no purpose", "basicConstraints=critical,CA:FALSE\n"),
        open("for servers", &WHOLE.replace("codeSigning", "serverAuth")),
        open("a signer that issues", &WHOLE.replace("FALSE", "TRUE")),
        open("it may issue for all that it says", "extendedKeyUsage=codeSigning\n"),
        open("something critical that nobody knows", &format!("{WHOLE}1.2.3.4=critical,DER:05:00\n")),
        good.but("a signature with another letter", HOLD, flipped),
        good.of("an expired signer", &expired, DATES),
        good.of("a signer from tomorrow on", &story.leaf(root, story.now + DAY), DATES),
        good.but("another one was revoked", "", |it| {
            it.crl = Some(crl(root, &story.ca, &[&expired], story.now - DAY));
        }),
    ]
}

fn of_roots(story: &Story, root: &Certificate, leaf: &Certificate, good: &Case) -> Vec<Case> {
    let Story { ca, other, now, .. } = story;
    let (twin, old) = (story.root(other, 10, 3650), story.root(ca, 200, 190));
    let no_ca = {
        story.write("empty.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
        let made = "req -x509 -key ca/signer.pem -days 90 -subj /CN=Root -addext basicConstraints=critical,CA:FALSE -addext keyUsage=keyCertSign,cRLSign -config empty.cnf -out no-ca.pem";
        assert!(story.openssl(made).0);
        certificates(&fs::read_to_string(story.place.path("no-ca.pem")).unwrap()).unwrap().remove(0)
    };
    let day = *now - DAY;
    let list = |what, reason, list: String| good.but(what, reason, |it| it.crl = Some(list));
    let by_no_ca = good.of("", &story.foreign(&no_ca, WHOLE), HOLD);
    vec![
        by_no_ca.under("a root that issues nothing", &no_ca, ca, day, HOLD),
        good.under("a root of the same name with another key", &twin, other, day, HOLD),
        good.under("an expired root", &old, ca, day, DATES),
        good.but("another root is pinned", "another one than the pinned one", |it| {
            it.pinned = fingerprint(&twin);
        }),
        list("a revoked signer", REVOKED, crl(root, ca, &[leaf], day)),
        list("an old list", LIST, crl(root, ca, &[], *now - 40 * DAY)),
        list("a list from tomorrow on", LIST, crl(root, ca, &[], *now + DAY)),
        list("a list by another key under the same name", LIST, crl(&twin, other, &[], day)),
        good.but("no list", LIST, |it| it.crl = None),
    ]
}

#[test]
fn openssl_and_both_verifiers_agree_on_good_and_bad_chains() {
    let story = Story::new();
    let root = story.root(&story.ca, 10, 3650);
    let leaf = story.leaf(&root, story.now - DAY);
    let good = Case {
        what: "ours",
        leaf: text(&leaf),
        root: text(&root),
        crl: Some(crl(&root, &story.ca, &[], story.now - DAY)),
        pinned: fingerprint(&root),
        reason: "",
    };
    let mut cases = vec![good.clone()];
    cases.extend(of_signers(&story, &root, &good));
    cases.extend(of_roots(&story, &root, &leaf, &good));
    assert_eq!(cases.len(), 20);
    for Case { what, leaf, root, crl, pinned, reason } in &cases {
        let theirs = story.openssl_says(leaf, root, crl.as_deref(), pinned);
        let (ends, reasons) = story.ours_says(leaf, root, crl.as_deref(), pinned);
        assert_eq!(theirs, reason.is_empty(), "{what}: openssl; ours {reasons}");
        assert_eq!(ends == Ends::Good, theirs, "{what}: {reasons}");
        assert!(reasons.contains(reason), "{what}: {reasons}");
    }
    let (one, Case { crl, pinned, .. }) = (text(&leaf), &good);
    for bad in [String::new(), one.clone(), one.repeat(3), one.replace("CERTIFICATE", "PUBLIC KEY")] {
        let (ends, reasons) = story.ours_says(&bad, "", crl.as_deref(), pinned);
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
        crl: Some(crl(&root, &story.ca, &[], story.now - DAY)),
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
