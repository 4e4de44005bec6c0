//! What others signed: an envelope of securesystemslib with a statement of in-toto-attestation, recorded by
//! `proof_peers.py`, and the published example of DSSE.

use resonetics_lumen::proof::dsse::{Envelope, IN_TOTO, Signed, pae};
use resonetics_lumen::proof::key::Public;
use resonetics_lumen::proof::note::Note;
use resonetics_lumen::proof::statement::Statement;
use serde_json::Value;

fn peer() -> (Value, Public) {
    let peer: Value = serde_json::from_str(include_str!("../fixtures/proof/peer.json")).unwrap();
    let envelope = serde_json::from_str(peer["envelope"].as_str().unwrap()).unwrap();
    (envelope, Public::parse(peer["public"].as_str().unwrap()).unwrap())
}

/// The specification's example, and what securesystemslib makes of an empty object.
#[test]
fn what_is_signed_are_type_and_body_behind_their_lengths() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae(IN_TOTO, b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    // Lengths are of bytes.
    assert_eq!(pae("é", "é".as_bytes()), "DSSEv1 2 é 2 é".as_bytes());
}

#[test]
fn an_envelope_of_securesystemslib_is_read() {
    let (mut envelope, key) = peer();
    // They name keys in another way.
    let said = Envelope::open(envelope.to_string().as_bytes()).unwrap();
    assert!(matches!(said.signed_by(std::slice::from_ref(&key)), Signed::Unknown(_)));
    envelope["signatures"][0]["keyid"] = key.id().into();
    let opened = Envelope::open(envelope.to_string().as_bytes()).unwrap();
    assert_eq!(opened.signed_by(std::slice::from_ref(&key)), Signed::By(key.id()));
    assert_eq!(opened.kind, IN_TOTO);
    let statement = Statement::parse(&opened.body).unwrap();
    assert_eq!(statement.subject[0].name, "table.csv");
    assert_eq!(statement.config(), Some("command = \"benchmark\"\n"));
    envelope["payloadType"] = "application/json".into();
    let changed = Envelope::open(envelope.to_string().as_bytes()).unwrap();
    assert_eq!(changed.signed_by(std::slice::from_ref(&key)), Signed::Wrong(key.id()));
}

/// The checkpoint that Go's sumdb prints in its documentation is none of C2SP; neither is this of another shape.
#[test]
fn what_is_no_checkpoint_is_not_read() {
    let line = "\u{2014} example.test/log AAAAAAAA\n";
    let root = "A".repeat(43) + "=";
    let good = format!("example.test/log\n5\n{root}\n\n{line}");
    assert!(Note::parse(&good).is_some());
    assert!(Note::parse(&good.replacen("\n\n", "\nextension\n\n", 1)).is_some());
    for bad in [
        format!("go.sum database tree\n5\n{root}\n\n{line}"),
        format!("example.test/log\n5\n\n{line}"),
        format!("example.test/log\n5\n{}\n\n{line}", &root[4..]),
        format!("example.test/log\n18446744073709551616\n{root}\n\n{line}"),
        format!("example.test/log\n5\n{root}\n\n"),
        format!("example.test/log\n5\n{root}\n\n{line}\n"),
        format!("example.test/log\n5\n{root}\n\n\u{2014} example.test/log\n"),
    ] {
        assert!(Note::parse(&bad).is_none(), "{bad}");
    }
}
