//! Root metadata: who may change it, and what it takes. `lumen/tests/tuf_peer.py` holds the same table against python-tuf.

use std::collections::BTreeMap;

use resonetics_lumen::proof::key::{Public, Secret};
use resonetics_lumen::proof::request::{Asks, Part, Request};
use resonetics_lumen::proof::root::{Role, Roles, Root, Signed};

use super::common::Place;

/// Root metadata of these custodians, of whom `threshold` have to sign.
pub(crate) fn root(
    version: u64,
    expires: &str,
    custodians: &[&Secret],
    threshold: u64,
    signer: &Secret,
    log: &Secret,
) -> Root {
    let role = |keys: &[&Secret], threshold: u64| Role {
        keyids: keys.iter().map(|key| key.public().id()).collect(),
        threshold,
    };
    let all: Vec<Public> = custodians.iter().chain(&[signer, log]).map(|key| key.public()).collect();
    let keys: BTreeMap<String, String> = all.iter().map(|key| (key.id(), key.pem())).collect();
    let roles = Roles {
        root: role(custodians, threshold),
        signer: role(&[signer], 1),
        log: role(&[log], 1),
        approver: role(&[], 1),
    };
    Root { version, expires: expires.to_owned(), keys, roles }
}

/// What these keys sign, put together.
pub(crate) fn sealed(request: &Request, by: &[&Secret]) -> String {
    let parts: Vec<Part> = by.iter().map(|key| request.signed(key)).collect();
    request.joined(&parts).unwrap().0
}

pub(crate) const LATER: &str = "2999-01-01T00:00:00Z";

struct Custodians {
    a: Secret,
    b: Secret,
    c: Secret,
    d: Secret,
    signer: Secret,
    _place: Place,
}

impl Custodians {
    fn new() -> Custodians {
        let place = Place::new();
        let [a, b, c, d, signer] = ["a", "b", "c", "d", "signer"].map(|name| place.key(name));
        Custodians { a, b, c, d, signer, _place: place }
    }

    fn signed(
        &self,
        version: u64,
        keys: &[&Secret],
        threshold: u64,
        by: &[&Secret],
    ) -> Result<Signed, String> {
        let root = root(version, LATER, keys, threshold, &self.signer, &self.signer);
        Signed::parse(sealed(&Request::root(&root), by).as_bytes())
    }
}

/// What it is, the new version, who is in it, how many of them sign, who signed, and whether that is enough.
type Case<'a> = (&'static str, u64, &'a [&'a Secret], u64, &'a [&'a Secret], bool);

#[test]
fn two_of_three_change_the_root_and_nobody_alone() {
    let keys = Custodians::new();
    let Custodians { a, b, c, d, signer, .. } = &keys;
    let first = keys.signed(1, &[a, b, c], 2, &[a, b]).unwrap();
    let (abc, abd, only_d) = ([a, b, c], [a, b, d], [d]);
    let cases: [Case<'_>; 13] = [
        ("two of three, the same keys", 2, &abc, 2, &[a, b], true),
        ("two of three, one key is another", 2, &abd, 2, &[a, b], true),
        ("all three", 2, &abc, 2, &[a, b, c], true),
        ("the leaving one and another one, and one of the new", 2, &abd, 2, &[b, c, d], true),
        ("one alone", 2, &abc, 2, &[a], false),
        ("one twice", 2, &abc, 2, &[a, a], false),
        ("one, and one who is no custodian", 2, &abc, 2, &[a, signer], false),
        ("a skipped version", 3, &abc, 2, &[a, b], false),
        ("the same version", 1, &abd, 2, &[a, b], false),
        ("enough of the new ones, not of the old", 2, &abd, 2, &[a, d], false),
        ("enough of the old ones, not of the new: the one who leaves", 2, &abd, 2, &[b, c], false),
        ("the new one alone", 2, &only_d, 1, &[d], false),
        ("to a root of one, by two of the old and the new", 2, &only_d, 1, &[a, b, d], true),
    ];
    for (what, version, new, threshold, by, good) in cases {
        let next = keys.signed(version, new, threshold, by);
        let taken = next.and_then(|next| first.followed_by(&next));
        assert_eq!(taken.is_ok(), good, "{what}: {taken:?}");
    }
    // One who left signs nothing of the version behind.
    let second = keys.signed(2, &abd, 2, &[a, b]).unwrap();
    let third = keys.signed(3, &[a, b, c], 2, &[a, c]).unwrap();
    assert!(second.followed_by(&third).unwrap_err().contains("1 of the custodians of version 2"));
}

/// What is done to root metadata.
type Change = Box<dyn Fn(&mut Root)>;

#[test]
fn root_metadata_that_says_nothing_that_can_be_is_refused() {
    let keys = Custodians::new();
    let Custodians { a, b, c, d, .. } = &keys;
    let good = root(1, LATER, &[a, b, c], 2, &keys.signer, &keys.signer);
    assert!(Root::parse(&good.bytes()).is_ok());
    let change = |change: &dyn Fn(&mut Root)| {
        let mut root = good.clone();
        change(&mut root);
        Root::parse(&root.bytes())
    };
    let same = good.roles.root.keyids[0].clone();
    let bad: [(&str, Change); 9] = [
        ("version 0", Box::new(|it| it.version = 0)),
        ("a moment that is none", Box::new(|it| it.expires = "2027-02-30T00:00:00Z".to_owned())),
        ("a moment spelt otherwise", Box::new(|it| it.expires = "2027-02-20T00:00:00.5Z".to_owned())),
        ("threshold 0", Box::new(|it| it.roles.root.threshold = 0)),
        ("more than there are", Box::new(|it| it.roles.root.threshold = 4)),
        ("a key twice", Box::new(move |it| it.roles.root.keyids[1].clone_from(&same))),
        ("a key that is not there", Box::new(|it| it.roles.signer.keyids[0] = "0".repeat(64))),
        ("no custodians", Box::new(|it| it.roles.root = Role { keyids: Vec::new(), threshold: 1 })),
        ("a key under the name of another", {
            let pem = d.public().pem();
            Box::new(move |it| {
                let id = it.roles.root.keyids[0].clone();
                it.keys.insert(id, pem.clone());
            })
        }),
    ];
    for (what, bad) in bad {
        assert!(change(&*bad).is_err(), "{what}");
    }
    let text = String::from_utf8(good.bytes()).unwrap();
    for bad in [text.replacen('{', "{\"version\":1,", 1), text.replacen('{', "{\"more\":1,", 1)] {
        assert!(Root::parse(bad.as_bytes()).is_err());
    }
}

/// What is signed is what was asked, and nothing else goes under the same hand.
#[test]
fn a_request_is_for_something_that_custodians_sign() {
    let keys = Custodians::new();
    let request = Request::root(&root(1, LATER, &[&keys.a], 1, &keys.signer, &keys.signer));
    let read = Request::parse(request.text().as_bytes()).unwrap();
    assert!(matches!(read.asks(), Ok(Asks::Root(_))) && read.body == request.body);
    let statement = Request { kind: "application/vnd.in-toto+json".to_owned(), body: b"{}".to_vec() };
    assert!(statement.asks().is_err());
    let part = request.signed(&keys.a);
    assert_eq!(Part::parse(part.text().as_bytes()).unwrap().keyid, keys.a.public().id());
    assert!(
        Part::parse(request.text().as_bytes()).is_err() && Request::parse(part.text().as_bytes()).is_err()
    );
}
