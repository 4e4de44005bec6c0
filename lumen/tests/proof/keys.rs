//! Keys as files: who may read them, and that openssl reads them too.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use resonetics_lumen::proof::key::{Public, Secret};
use resonetics_runs::Error;

use super::common::{Place, none};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What openssl prints; it must succeed.
fn openssl(arguments: &[&str], dir: &Path) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    let place = Place::new();
    let dir = place.path("a/keys");
    let public = Secret::create(&dir, None).unwrap();
    assert_eq!((mode(&dir), mode(&dir.join("signer.pem"))), (0o700, 0o600));
    let before = fs::read(dir.join("signer.pem")).unwrap();
    let said = Secret::create(&dir, None).unwrap_err();
    assert!(said.is_refusal() && said.to_string().contains("never overwritten"), "{said}");
    assert!(fs::read(dir.join("signer.pem")).unwrap() == before);
    // Neither is a public key that is there.
    fs::remove_file(dir.join("signer.pem")).unwrap();
    assert!(Secret::create(&dir, None).unwrap_err().is_refusal());
    assert!(!dir.join("signer.pem").exists());
    assert!(matches!(Secret::open(&dir, &none), Err(Error::Unknown(_))));
    fs::write(dir.join("signer.pem"), &before).unwrap();
    fs::set_permissions(dir.join("signer.pem"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Secret::open(&dir, &none).unwrap().public(), public);
    for (path, lax) in
        [(dir.join("signer.pem"), 0o640), (dir.join("signer.pem"), 0o604), (dir.clone(), 0o710)]
    {
        let strict = mode(&path);
        fs::set_permissions(&path, Permissions::from_mode(lax)).unwrap();
        let said = Secret::open(&dir, &none).err().unwrap();
        assert!(said.is_refusal() && said.to_string().contains(&format!("chmod {strict:03o}")), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(strict)).unwrap();
    }
    let open = place.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    assert!(Secret::create(&open, None).unwrap_err().is_refusal());
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
}

#[test]
fn openssl_reads_our_keys_and_signatures_and_we_read_its() {
    let place = Place::new();
    let key = place.key("keys");
    let dir = place.path("keys");
    // The private key leads to the public one, whose name is the hash of its DER.
    let public = openssl(&["pkey", "-in", "signer.pem", "-pubout"], &dir);
    assert_eq!(String::from_utf8(public).unwrap(), fs::read_to_string(dir.join("signer.pub.pem")).unwrap());
    let der = openssl(&["pkey", "-pubin", "-in", "signer.pub.pem", "-outform", "DER"], &dir);
    assert_eq!(resonetics_runs::files::sha256(&der), key.public().id());
    fs::write(dir.join("message"), "said").unwrap();
    fs::write(dir.join("ours"), key.sign(b"said")).unwrap();
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "signer.pub.pem", "-rawin", "-in", "message"];
    openssl(&[&verify[..], &["-sigfile", "ours"]].concat(), &dir);
    openssl(&["pkeyutl", "-sign", "-inkey", "signer.pem", "-rawin", "-in", "message", "-out", "its"], &dir);
    assert!(key.public().verified(b"said", &fs::read(dir.join("its")).unwrap()));
    assert!(!key.public().verified(b"sad", &fs::read(dir.join("its")).unwrap()));
    // A key that openssl made.
    let theirs = place.path("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, Permissions::from_mode(0o700)).unwrap();
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "signer.pem"], &theirs);
    fs::set_permissions(theirs.join("signer.pem"), Permissions::from_mode(0o600)).unwrap();
    let pem = openssl(&["pkey", "-in", "signer.pem", "-pubout"], &theirs);
    let public = Public::parse(&String::from_utf8(pem).unwrap()).unwrap();
    assert_eq!(Secret::open(&theirs, &none).unwrap().public(), public);
}

#[test]
fn a_passphrase_opens_a_key_here_and_in_openssl() {
    let place = Place::new();
    let dir = place.path("keys");
    let public = Secret::create(&dir, Some("a secret")).unwrap();
    let told = |word: &'static str| move || Ok(word.to_owned());
    assert_eq!(Secret::open(&dir, &told("a secret")).unwrap().public(), public);
    let said = Secret::open(&dir, &told("another")).err().unwrap();
    assert!(said.is_refusal() && said.to_string().contains("passphrase does not open"), "{said}");
    assert!(Secret::open(&dir, &none).err().unwrap().to_string().contains("no passphrase"));
    let pem = openssl(&["pkey", "-in", "signer.pem", "-passin", "pass:a secret", "-pubout"], &dir);
    assert_eq!(Public::parse(&String::from_utf8(pem).unwrap()), Some(public));
    assert!(Secret::create(&place.path("empty"), Some("")).unwrap_err().is_refusal());
    // One that openssl encrypted.
    let theirs = place.path("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, Permissions::from_mode(0o700)).unwrap();
    let made = ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:word", "-out", "signer.pem"];
    openssl(&made, &theirs);
    fs::set_permissions(theirs.join("signer.pem"), Permissions::from_mode(0o600)).unwrap();
    assert!(Secret::open(&theirs, &told("word")).is_ok());
}

#[test]
fn what_is_no_key_is_refused() {
    let place = Place::new();
    let key = place.key("keys");
    let path = place.path("keys/signer.pem");
    let whole = fs::read_to_string(&path).unwrap();
    let rsa = openssl(&["genpkey", "-algorithm", "x25519"], &place.path(""));
    for bad in
        ["", "x", &whole[..60], &whole.replace("PRIVATE", "SECRET"), std::str::from_utf8(&rsa).unwrap()]
    {
        fs::write(&path, bad).unwrap();
        let said = Secret::open(&place.path("keys"), &none).err().unwrap();
        assert!(said.is_refusal() && !said.to_string().contains("MC4C"), "{bad}: {said}");
    }
    let pem = key.public().pem();
    for bad in ["", &pem[1..], &pem.replace("MCow", "MCox"), &whole, &pem.replace('=', "")] {
        assert_eq!(Public::parse(bad), None, "{bad}");
    }
    assert_eq!(Public::parse(&pem.replace('\n', "\r\n")), Some(key.public()));
}
