#!/usr/bin/env python3
"""Checks a proof of Resonetics without any of its code: Python's standard library, and the openssl binary (3.0 or later).

    python check_proof.py FILE [--artifact F] [--key PUB]... [--root ROOT] [--revocations FILE] [--consistency FILE]...
                          [--chain-root FINGERPRINT [--chain FILE] [--crl FILE]] [--heads FILE]
                          [--witness PUB [--cosigned FILE]]... [--reproduction FILE]...

FILE is a proof (`RUN.proof.json`) or a signature beside a file (`F.sig.json`). It prints one line of JSON and exits with 0
if the proof holds, 1 if it does not, 2 if it was asked for something that cannot be done, 3 if it cannot be known: a key is
missing, or what it is held against. `resonetics lumen check-proof` says the same.

Trust is in keys that are given (--key), in those that root metadata names (--root), or in the signer whose certificate a
root of this fingerprint issued (--chain-root; openssl checks the certificates, which come with the proof); as the entries of the log about keys
change it: they come with the proof, and those since with --revocations.

What is checked, and where it is written down: the envelope is DSSE version 1 (its signed bytes: `pae`), the statement
in-toto Statement v1, the head of the log a C2SP checkpoint in a signed note, that the statement is in the log RFC 9162,
section 2.1.3.2, that one head follows another 2.1.4.2; a new root follows an old one as in TUF, 5.3.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from datetime import datetime, timezone
from pathlib import Path

PROOF = "resonetics-proof/1"
SIGNATURE = "resonetics-signature/1"
FINISHED = "urn:resonetics:run.finished:v1"
REPRODUCED = "urn:resonetics:run.reproduced:v1"
RECORDED = "urn:resonetics:files.recorded:v1"
KEYS = "resonetics-keys/1"
CONSISTENCY = "resonetics-consistency/1"
ROOT = "application/vnd.resonetics.root+json"
ROTATED = "urn:resonetics:key.rotated:v1"
REVOKED = "urn:resonetics:key.revoked:v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
IN_TOTO = "application/vnd.in-toto+json"
REASONS = ("unspecified", "key-compromise", "key-lost", "superseded", "cessation")
EVER = (1 << 64) - 1
SPKI = bytes.fromhex("302a300506032b6570032100")
SAID, UNKNOWN, WRONG = 0, 1, 2


class Bad(Exception):
    """What was read is not what it should be."""


def need(condition, why=""):
    if not condition:
        raise Bad(why)


# Text, each thing in one spelling


def depth(text):
    """How deeply lists and objects lie in each other."""
    deepest = level = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
        deepest = max(deepest, level)
    return deepest


def whole_number(text):
    """-0 is no whole number where one is asked for."""
    return -0.0 if text == "-0" else int(text)


def finite(text):
    value = float(text)
    need(abs(value) != float("inf"))
    return value


def loads(data):
    """JSON in which no key is there twice."""

    def once(pairs):
        need(len({key for key, _ in pairs}) == len(pairs))
        return dict(pairs)

    def refuse(_):
        raise Bad

    try:
        text = data.decode("utf-8")
        need(depth(text) < 128)
        value = json.loads(
            text, object_pairs_hook=once, parse_constant=refuse, parse_int=whole_number, parse_float=finite
        )
        # A half of a pair of surrogates is no text.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Bad from error
    return value


def fields(value, **kinds):
    """The fields of an object, exactly these, each of its kind."""
    need(isinstance(value, dict) and set(value) == set(kinds))
    for name, kind in kinds.items():
        need(kind is object or type(value[name]) is kind)
    return [value[name] for name in kinds]


def is_count(value):
    return type(value) is int and 0 <= value <= EVER


def unbase64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise Bad from error
    need(base64.b64encode(data).decode() == text)
    return data


def hash_of_hex(text):
    need(isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text))
    return bytes.fromhex(text)


def sha256(data):
    return hashlib.sha256(data).digest()


# Keys and signatures


class Key:
    def __init__(self, pem):
        pem = pem.strip()
        begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
        if not (pem.startswith(begin) and pem.endswith(end)):
            raise ValueError("it holds no public key in PEM")
        der = base64.b64decode("".join(pem[len(begin) : -len(end)].split()), validate=True)
        if not (der.startswith(SPKI) and len(der) == 44):
            raise ValueError("it holds no public key of Ed25519")
        self.raw, self.id = der[12:], sha256(der).hex()
        self.pem = f"{begin}\n{base64.b64encode(der).decode()}\n{end}\n"

    def verified(self, message, signature):
        if len(signature) != 64:
            return False
        with tempfile.TemporaryDirectory() as folder:
            files = {"key": self.pem.encode(), "message": message, "signature": signature}
            for name, data in files.items():
                Path(folder, name).write_bytes(data)
            command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin"]
            command += ["-in", "message", "-sigfile", "signature"]
            return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def pae(kind, body):
    kind = kind.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


# What a proof consists of


def is_inside(name):
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def at(value, *path):
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def parse_statement(data):
    statement = loads(data)
    kind, subject, predicate_type, predicate = fields(
        statement, _type=str, subject=list, predicateType=str, predicate=object
    )
    need(kind == STATEMENT_TYPE and predicate_type == "https://slsa.dev/provenance/v1")
    names = []
    for one in subject:
        name, digest = fields(one, name=str, digest=dict)
        (digest,) = fields(digest, sha256=str)
        hash_of_hex(digest)
        need(is_inside(name))
        names.append(name)
    need(names and all(a < b for a, b in zip(names, names[1:])))
    need(at(predicate, "buildDefinition", "buildType") in (FINISHED, REPRODUCED, RECORDED))
    return statement


def of_statement(statement):
    """The SHA-256 of the statement that this one reproduces."""
    needed = at(statement["predicate"], "buildDefinition", "resolvedDependencies")
    for one in needed if isinstance(needed, list) else []:
        if at(one, "name") == "statement":
            return at(one, "digest", "sha256")
    return None


def parse_envelope(text):
    payload, kind, signatures = fields(loads(text.encode("utf-8")), payload=str, payloadType=str, signatures=list)
    signed = [fields(one, keyid=str, sig=str) for one in signatures]
    need(signed)
    return unbase64(payload), kind, [(keyid, unbase64(sig)) for keyid, sig in signed]


def is_origin(name):
    plain = all(not c.isspace() and unicodedata.category(c) != "Cc" and c != "+" for c in name)
    return plain and 1 <= len(name.encode("utf-8")) <= 200


def parse_note(note):
    need(all(c == "\n" or unicodedata.category(c) != "Cc" for c in note))
    text, gap, below = note.rpartition("\n\n")
    need(gap)
    text += "\n"
    lines = text.split("\n")[:-1]
    need(len(lines) >= 3 and all(lines[3:]))
    origin, digits, root = lines[:3]
    need(is_origin(origin) and re.fullmatch("0|[1-9][0-9]*", digits) and int(digits) < 1 << 64)
    root = unbase64(root)
    need(len(root) == 32 and below.endswith("\n"))
    signatures = []
    for line in below[:-1].split("\n"):
        need(line.startswith("\u2014 "))
        name, space, data = line[2:].partition(" ")
        data = unbase64(data)
        need(space and is_origin(name) and len(data) > 4)
        signatures.append((name, data[:4], data[4:]))
    return origin, int(digits), root, text, signatures


def note_signed(note, key):
    """Whether the log itself signed its head with this key: none if it is not by this key."""
    origin, _, _, text, signatures = note
    known = None
    for name, number, signature in signatures:
        if sha256(name.encode() + b"\n\x01" + key.raw)[:4] == number:
            good = name == origin and key.verified(text.encode("utf-8"), signature)
            known = good if known is None else known and good
    return known


def cosigned(note, key):
    """Whether a witness signed a head with this key (C2SP cosignature/v1): none if it did not."""
    text, known = note[3], None
    for name, number, signature in note[4]:
        if sha256(name.encode() + b"\n\x04" + key.raw)[:4] == number:
            seen = b"cosignature/v1\ntime %d\n%s" % (int.from_bytes(signature[:8], "big"), text.encode("utf-8"))
            good = len(signature) == 72 and key.verified(seen, signature[8:])
            known = good if known is None else known and good
    return known


def includes(root, size, index, leaf, proof):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    at, last, value = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            value = sha256(b"\x01" + other + value)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            value = sha256(b"\x01" + value + other)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


def consistent(old, old_root, new, new_root, proof):
    """RFC 9162, 2.1.4.2."""
    if old > new:
        return False
    if old == 0:
        return not proof and old_root == sha256(b"")
    if old == new:
        return not proof and old_root == new_root
    at, last = old - 1, new - 1
    while at % 2 == 1:
        at, last = at >> 1, last >> 1
    rest = list(proof)
    # A full subtree is its own proof.
    if old & (old - 1) == 0:
        first = old_root
    elif rest:
        first = rest.pop(0)
    else:
        return False
    was = now = first
    for other in rest:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            was, now = sha256(b"\x01" + other + was), sha256(b"\x01" + other + now)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            now = sha256(b"\x01" + now + other)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def parse_consistency(data):
    form, origin, old, new, proof = fields(loads(data), format=str, origin=str, old=int, new=int, proof=list)
    need(form == CONSISTENCY and is_count(old) and is_count(new))
    return origin, old, new, [hash_of_hex(one) for one in proof]


def one_log(a, b, shown):
    """Whether two heads (origin, size, root) are of one log: none where nothing shows it."""
    if a[0] != b[0]:
        return False
    if a[1] == b[1]:
        return a[2] == b[2]
    old, new = (a, b) if a[1] < b[1] else (b, a)
    for origin, old_size, new_size, proof in shown:
        if (origin, old_size, new_size) == (new[0], old[1], new[1]):
            return consistent(old[1], old[2], new[1], new[2], proof)
    return None


# What is said of keys


def signers(envelope, keys):
    """The ids of those who signed, each once: what a threshold counts."""
    payload, kind, signatures = envelope
    good = []
    for keyid, signature in signatures:
        right = any(key.id == keyid and key.verified(pae(kind, payload), signature) for key in keys)
        if right and keyid not in good:
            good.append(keyid)
    return good


def parse_pem(pem):
    try:
        return Key(pem)
    except ValueError as error:
        raise Bad from error


def parse_event(envelope):
    """(ROTATED, old, new key, from) or (REVOKED, key, since)."""
    payload, kind, _ = envelope
    need(kind == IN_TOTO)
    form, subject, what, said = fields(loads(payload), _type=str, subject=list, predicateType=str, predicate=dict)
    need(form == STATEMENT_TYPE and what in (ROTATED, REVOKED))
    if what == ROTATED:
        old, new, start, public = fields(said, old=str, new=str, **{"from": object}, public=str)
        key = parse_pem(public)
        need(key.id == new and old != new)
        hash_of_hex(old)
        event, about = (ROTATED, old, key, start), [("new", new), ("old", old)]
    else:
        keyid, reason, start = fields(said, keyid=str, reason=str, since=object)
        hash_of_hex(keyid)
        need(reason in REASONS)
        event, about = (REVOKED, keyid, start), [("key", keyid)]
    need(start is None or is_count(start))
    need(subject == [{"name": name, "digest": {"sha256": keyid}} for name, keyid in about])
    return event


def moment(text):
    need(re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text))
    try:
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError as error:
        raise Bad from error
    need(at >= 0)
    return at


class Root:
    """Root metadata that its own custodians signed."""

    def __init__(self, envelope):
        payload, kind, _ = envelope
        need(kind == ROOT)
        self.version, expires, keys, roles = fields(loads(payload), version=int, expires=str, keys=dict, roles=dict)
        need(1 <= self.version <= EVER)
        self.expires, self.envelope, self.fingerprint = moment(expires), envelope, sha256(payload).hex()
        keys = {keyid: parse_pem(pem if isinstance(pem, str) else "") for keyid, pem in keys.items()}
        need(all(key.id == keyid for keyid, key in keys.items()))
        self.roles = {}
        fields(roles, root=dict, signer=dict, log=dict, approver=dict)
        for name, role in roles.items():
            ids, threshold = fields(role, keyids=list, threshold=int)
            need(all(isinstance(one, str) and one in keys for one in ids) and len(set(ids)) == len(ids))
            need(1 <= threshold <= max(len(ids), 1))
            self.roles[name] = ([keys[one] for one in ids], threshold)
        need(self.roles["root"][0] and self.signed(envelope))

    def signed(self, envelope):
        keys, threshold = self.roles["root"]
        return len(signers(envelope, keys)) >= threshold

    def followed_by(self, other):
        return other.version == self.version + 1 and self.signed(other.envelope)


def parse_or_none(parse, envelope):
    try:
        return parse(envelope)
    except Bad:
        return None


def included(entries, head):
    """The envelopes of entries that are about keys and in the log at this head, by their indices."""
    _, size, root = head
    found = {}
    for entry in entries:
        text, index, inclusion = fields(entry, envelope=str, index=int, inclusion=list)
        need(is_count(index))
        envelope = parse_envelope(text)
        need(envelope[1] == ROOT or parse_or_none(parse_event, envelope))
        path = [hash_of_hex(one) for one in inclusion]
        need(includes(root, size, index, sha256(b"\x00" + text.encode("utf-8")), path))
        found[index] = envelope
    return found


def need_entries(entries):
    for entry in entries:
        _, index, inclusion = fields(entry, envelope=str, index=int, inclusion=list)
        need(is_count(index) and all(isinstance(one, str) for one in inclusion))


class KeyLog:
    def __init__(self, data):
        form, checkpoint, self.entries = fields(loads(data), format=str, checkpoint=str, entries=list)
        need(form == KEYS)
        need_entries(self.entries)
        self.note = parse_note(checkpoint)
        self.head = self.note[:3]


class Chain:
    """Certificates of a signer and a root, judged by openssl, and by their texts where it knows no purpose for them."""

    def __init__(self, certificates, crl):
        self.certificates, self.crl = certificates, crl
        # Key and fingerprint, where all is well.
        self.signer, self.reasons = None, []

    def openssl(self, *arguments):
        ran = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=False)
        return ran.returncode == 0, (ran.stdout + ran.stderr).decode("utf-8", "replace")

    def verify(self, *arguments):
        """By this root alone, whatever the machine trusts, and without dates, of which some are past and some present."""
        alone = ("-no_check_time", "-no-CApath", "-no-CAstore", "-CAfile", "root")
        return self.openssl("verify", *alone, *arguments)

    def about(self, name, *what):
        good, text = self.openssl("x509", "-in", name, "-noout", *what)
        need(good)
        return text

    def split(self):
        parts = re.split("(?<=-----END CERTIFICATE-----)", self.certificates)
        parts = [part for part in parts if part.strip()]
        need(len(parts) == 2)
        keys = []
        for name, part in zip(("signer", "root"), parts):
            need("-----BEGIN CERTIFICATE-----" in part)
            Path(self.folder, name).write_text(part[part.index("-----BEGIN") :] + "\n", encoding="utf-8")
            keys.append(parse_pem(self.about(name, "-pubkey")))
        if self.crl is not None:
            Path(self.folder, "crl").write_text(self.crl, encoding="utf-8")
        return keys[0]

    def extension(self, name, title):
        """Whether an extension is critical, and its text."""
        found = re.search(rf"X509v3 {title}: ?(critical)?\s*\n\s+(.*)", self.about(name, "-text"))
        return (found.group(1) is not None, found.group(2)) if found else (False, "")

    def holds(self):
        root, signer = self.extension("root", "Basic Constraints"), self.extension("signer", "Basic Constraints")
        use, leaf = self.extension("root", "Key Usage")[1], self.extension("signer", "Key Usage")[1]
        same = self.about("root", "-subject").partition("=")[2] == self.about("root", "-issuer").partition("=")[2]
        own = self.verify("-check_ss_sig", "root")[0]
        issued = self.verify("signer")[0]
        return (
            (root[0] and "CA:TRUE" in root[1] and "Certificate Sign" in use and "CRL Sign" in use)
            and (signer[0] and "CA:FALSE" in signer[1] and (not leaf or "Digital Signature" in leaf))
            and "Code Signing" in self.extension("signer", "Extended Key Usage")[1]
            and (same and own and issued)
        )

    def within(self, at):
        for name in ("signer", "root"):
            dates = re.findall("=(.*) GMT", self.about(name, "-startdate", "-enddate"))
            start, end = (openssl_moment(text) for text in dates)
            if not start <= at <= end:
                return False
        return True

    def revoked(self, now):
        """Whether the signer is on the list: none where there is no list that counts."""
        if self.crl is None:
            return None
        good, text = self.openssl("crl", "-in", "crl", "-noout", "-lastupdate", "-nextupdate")
        dates = re.findall("=(.*) GMT", text)
        if not good or len(dates) != 2 or not openssl_moment(dates[0]) <= now < openssl_moment(dates[1]):
            return None
        good, text = self.verify("-crl_check", "-CRLfile", "crl", "signer")
        if "certificate revoked" in text:
            return True
        return False if good else None

    def judge(self, pinned, at, now):
        with tempfile.TemporaryDirectory() as self.folder:
            try:
                key = self.split()
            except Bad:
                self.reasons.append((WRONG, "the chain is not a certificate of a signer and one of a root"))
                return
            fingerprint = self.about("root", "-fingerprint", "-sha256").partition("=")[2]
            fingerprint = fingerprint.strip().replace(":", "").lower()
            if fingerprint != pinned:
                self.reasons.append((WRONG, "the root of the chain is another one than the pinned one"))
            holds = self.holds()
            if not holds:
                self.reasons.append((WRONG, "the certificates of the chain do not hold"))
            if not self.within(at):
                reason = "a certificate of the chain was not valid when it is said that it signed"
                self.reasons.append((WRONG, reason))
            # A list counts by a root that does.
            revoked = self.revoked(now) if holds else False
            if revoked is None:
                reason = "the list of revoked certificates is missing, out of date or not of this root"
                self.reasons.append((UNKNOWN, reason))
            elif revoked:
                self.reasons.append((WRONG, "the certificate of the signer was revoked"))
            if not self.reasons:
                self.signer = (key, fingerprint)


def openssl_moment(text):
    return datetime.strptime(text.strip(), "%b %d %H:%M:%S %Y").replace(tzinfo=timezone.utc).timestamp()


def said_at(text):
    """Seconds since 1970 of RFC 3339 in UTC; none where it is not that."""
    try:
        need(isinstance(text, str) and text.endswith("Z"))
        return int(datetime.fromisoformat(text[:-1] + "+00:00").timestamp())
    except (ValueError, Bad):
        return None


def judge_chain(asked, own, at):
    """The key and what speaks against the certificates, if a root of them is trusted: those given, or those of the proof."""
    if asked.chain_root is None:
        return None, []
    chain = asked.chain or own
    if chain is None:
        return None, [(UNKNOWN, "there are no certificates")]
    chain = Chain(*chain)
    now = int(time.time())
    chain.judge(asked.chain_root, now if at is None else at, now)
    return chain.signer, chain.reasons


GOOD, IS_WRONG, IS_REVOKED, IS_REPLACED, EARLY, FEW, NOBODY = range(7)


class Member:
    def __init__(self, key, start, end, ended):
        self.key, self.start, self.end, self.ended = key, start, end, ended

    def revoke(self, revoked):
        since, by = revoked.get(self.key.id, (EVER, None))
        if since < self.end:
            self.end, self.ended = since, (IS_REVOKED, by)


class Group:
    """Keys of which some have to sign, and where trust in all of them ends."""

    def __init__(self, by, roles, threshold, keys, start=0, end=EVER, ended=None):
        self.by, self.roles, self.threshold, self.end, self.ended = by, roles, threshold, end, ended
        self.members = [Member(key, start, end, ended) for key in keys]


class Trust:
    """Who is trusted, for what, and for which entries of a log: its order is the only clock."""

    def __init__(self, keys, root, chain, entries):
        entries = dict(sorted(entries.items()))
        self.groups = [Group("key", ("signer", "log"), 1, [key]) for key in keys]
        if chain is not None:
            self.groups.append(Group(f"chain:{chain[1]}", ("signer", "log"), 1, [chain[0]]))
        self.roots = [] if root is None else [(0, root)]
        for index, envelope in entries.items() if root else ():
            new = parse_or_none(Root, envelope)
            if new and self.roots[-1][1].followed_by(new):
                self.roots.append((index + 1, new))
        for at, (start, one) in enumerate(self.roots):
            end = self.roots[at + 1][0] if at + 1 < len(self.roots) else EVER
            ended = None if end == EVER else (IS_REPLACED, end - 1)
            for role in ("signer", "log"):
                keys, threshold = one.roles[role]
                self.groups.append(Group(f"root:{root.fingerprint}", (role,), threshold, keys, start, end, ended))
        events = [(index, envelope, parse_or_none(parse_event, envelope)) for index, envelope in entries.items()]
        events = [one for one in events if one[2]]
        self.revoke(events)
        for index, envelope, event in events:
            if event[0] == ROTATED:
                self.rotate(index, envelope, *event[1:])

    def by_root(self, index, envelope):
        root = next((root for start, root in reversed(self.roots) if start <= index), None)
        return root is not None and root.signed(envelope)

    def revoke(self, events):
        known = [member.key for group in self.groups for member in group.members]
        known += [event[2] for _, _, event in events if event[0] == ROTATED]
        self.revoked = {}
        for index, envelope, event in events:
            if event[0] == REVOKED and (event[1] in signers(envelope, known) or self.by_root(index, envelope)):
                since = index if event[2] is None else min(event[2], index)
                if event[1] not in self.revoked or since < self.revoked[event[1]][0]:
                    self.revoked[event[1]] = (since, index)
        for group in self.groups:
            for member in group.members:
                member.revoke(self.revoked)

    def rotate(self, index, envelope, old, new, start):
        start = index + 1 if start is None else min(start, index + 1)
        by_root = self.by_root(index, envelope)
        for group in self.groups:
            heirs = []
            for member in group.members:
                if member.key.id != old or not member.start <= index < member.end:
                    continue
                if not by_root and not signers(envelope, [member.key]):
                    continue
                heirs.append(Member(new, start, group.end, group.ended))
                heirs[-1].revoke(self.revoked)
                member.end, member.ended = start, (IS_REPLACED, index)
            group.members += heirs

    def judge(self, role, signed, within):
        """(what, key, what trust rests on, the entry that ends it)."""
        groups = [group for group in self.groups if role in group.roles]
        said, good = (NOBODY, None, None, None), None
        for group in groups:
            ids, end = [], None
            for member in group.members:
                right, keyid = signed(member.key), member.key.id
                if right is None:
                    continue
                if not right:
                    return IS_WRONG, keyid, None, None
                begun, lasts = within(member)
                if begun and lasts:
                    if keyid not in ids:
                        ids.append(keyid)
                        end = member.ended[1] if end is None and member.ended else end
                elif said[0] == NOBODY:
                    why = (member.ended or (IS_REPLACED,))[0]
                    said = (why if begun else EARLY, keyid, None, None)
            if not ids:
                continue
            if len(ids) >= group.threshold:
                members = (member for one in groups for member in one.members)
                lasting = any(member.end == EVER and member.key.id == ids[0] for member in members)
                good = good or (GOOD, ids[0], group.by, None if lasting else end)
            elif said[0] == NOBODY:
                said = (FEW, ids[0], None, None)
        return good or said

    def of_statement(self, envelope, index):
        payload, kind, signatures = envelope

        def signed(key):
            own = [signature for keyid, signature in signatures if keyid == key.id]
            return all(key.verified(pae(kind, payload), one) for one in own) if own else None

        return self.judge("signer", signed, lambda member: (member.start <= index, index < member.end))

    def of_head(self, note):
        size = note[1]
        within = lambda member: (member.start <= size, size <= member.end)  # noqa: E731
        return self.judge("log", lambda key: note_signed(note, key), within)

    def of_file(self, keyid, signed):
        within = lambda member: (True, member.end == EVER)  # noqa: E731
        return self.judge("signer", lambda key: signed(key) if key.id == keyid else None, within)


# The check itself


class Verdict:
    def __init__(self):
        self.kind = self.subject = self.matches = self.signer = self.log = None
        self.by, self.reproductions, self.reasons = None, 0, []

    def say(self, weight, reason):
        self.reasons.append((weight, reason))

    def ends(self):
        return max((weight for weight, _ in self.reasons), default=SAID)

    def told(self):
        return {
            "ok": self.ends() == SAID,
            "kind": self.kind,
            "subject": self.subject,
            "match": self.matches,
            "signer": self.signer,
            "trust": self.by or "none",
            "log": self.log,
            "reproductions": self.reproductions,
            "reasons": [reason for _, reason in self.reasons],
        }


class Asked:
    """What a proof is held against."""

    keys, root, key_log, consistency, artifact, heads, reproductions = [], None, None, [], None, None, []
    chain_root, chain, witnesses, cosigned = None, None, [], None


def parse_proof(data):
    proof = loads(data)
    need(isinstance(proof, dict))
    proof.setdefault("keys", [])
    certificates, crl = proof.pop("chain", None), proof.pop("crl", None)
    need(certificates is None or isinstance(certificates, str))
    need(crl is None or isinstance(crl, str))
    form, _, _, index, _, keys = fields(
        proof, format=str, envelope=str, checkpoint=str, index=int, inclusion=list, keys=list
    )
    proof["chain"] = None if certificates is None else (certificates, crl)
    need(form == PROOF and is_count(index) and all(isinstance(one, str) for one in proof["inclusion"]))
    need_entries(keys)
    return proof


def finished(proof):
    """When the run ended, as its statement says."""
    try:
        statement = parse_statement(parse_envelope(proof["envelope"])[0])
    except Bad:
        return None
    return said_at(at(statement["predicate"], "runDetails", "metadata", "finishedOn"))


OTHER_KEYS = "the log is another one than that of the entries about keys"
NOT_INCLUDED = "the log does not include an entry about keys"
NOT_SHOWN = "a key was revoked or replaced since, and nothing shows that this happened in the log of the proof"


def gather(proof, head, asked, wrong):
    """What the log says of keys, in the proof and since; whether both are of one log, where something shows it."""
    entries = {}
    try:
        entries = included(proof["keys"], head)
    except Bad:
        wrong.append(NOT_INCLUDED)
    if asked.key_log is None or asked.key_log.head[0] != head[0]:
        return entries, None
    one = one_log(head, asked.key_log.head, asked.consistency)
    if one is False:
        wrong.append(OTHER_KEYS)
        return entries, one
    try:
        more = included(asked.key_log.entries, asked.key_log.head)
    except Bad:
        wrong.append(NOT_INCLUDED)
        return entries, one
    for index, envelope in sorted(more.items()):
        if index in entries and entries[index][:2] != envelope[:2]:
            wrong.append(OTHER_KEYS)
            return entries, False
        entries[index] = envelope
    return entries, one


def check_envelope(proof, trust, shown, verdict):
    try:
        envelope = parse_envelope(proof["envelope"])
    except Bad:
        verdict.say(WRONG, "the envelope is damaged")
        return None
    payload, kind, signatures = envelope
    what, keyid, by, end = trust.of_statement(envelope, proof["index"])
    verdict.signer = keyid or signatures[0][0]
    if what == GOOD:
        verdict.by = by
        if not shown(end):
            verdict.say(UNKNOWN, NOT_SHOWN)
    elif what == NOBODY:
        verdict.say(UNKNOWN, "the signer is none of the given keys")
    else:
        replaced = "another key had taken the place of the signer's before the log took the statement"
        reasons = {
            IS_WRONG: "the signature of the statement is wrong",
            IS_REVOKED: "the key of the signer was revoked before the log took the statement",
            IS_REPLACED: replaced,
            EARLY: "the key of the signer was not trusted yet when the log took the statement",
            FEW: "too few of the signers signed the statement",
        }
        verdict.say(WRONG, reasons[what])
    try:
        need(kind == IN_TOTO)
        statement = parse_statement(payload)
    except Bad:
        verdict.say(WRONG, "the statement is malformed")
        return None
    verdict.kind = statement["predicate"]["buildDefinition"]["buildType"]
    return statement, payload


def check_log(proof, note, trust, shown, asked, verdict):
    if note is None:
        verdict.say(WRONG, "the checkpoint is damaged")
        return
    origin, size, root = note[:3]
    verdict.log = {"origin": origin, "size": size, "index": proof["index"]}
    what, _, _, end = trust.of_head(note)
    reasons = {
        IS_WRONG: "the signature of the checkpoint is wrong",
        IS_REVOKED: "the key of the log was revoked or replaced before it signed the checkpoint",
        IS_REPLACED: "the key of the log was revoked or replaced before it signed the checkpoint",
        EARLY: "the key of the log was not trusted yet when it signed the checkpoint",
        FEW: "too few of the keys of the log signed the checkpoint",
    }
    if what == NOBODY:
        verdict.say(UNKNOWN, "the key of the log is none of the given keys")
    elif what != GOOD:
        verdict.say(WRONG, reasons[what])
    elif not shown(end):
        verdict.say(UNKNOWN, NOT_SHOWN)
    leaf = sha256(b"\x00" + proof["envelope"].encode("utf-8"))
    try:
        path = [hash_of_hex(one) for one in proof["inclusion"]]
        need(includes(root, size, proof["index"], leaf, path))
    except Bad:
        verdict.say(WRONG, "the log does not include the statement")
    if asked.heads is None:
        return
    held = [one_log(note[:3], seen, asked.consistency) for seen in asked.heads if seen[0] == origin]
    if False in held:
        verdict.say(WRONG, "the log is another one than the kept heads say")
    elif True not in held:
        verdict.say(UNKNOWN, "no head of this size was kept of the log")


def check_key_log(asked, origin, trust, verdict):
    if asked.key_log is None:
        return
    if asked.key_log.head[0] != origin:
        verdict.say(UNKNOWN, "the entries about keys are of a log with another origin")
        return
    what = trust.of_head(asked.key_log.note)[0]
    if what == NOBODY:
        verdict.say(UNKNOWN, "the log of the entries about keys is signed by none of the given keys")
    elif what != GOOD:
        verdict.say(WRONG, "the signature of the log of the entries about keys does not count")


def check_witnesses(note, asked, verdict):
    """Whether each witness signed the head of the proof, or one of which it is shown that it is of the same log."""
    for witness in asked.witnesses:
        own = cosigned(note, witness)
        other = None if asked.cosigned is None else cosigned(asked.cosigned, witness)
        if own is False or other is False:
            verdict.say(WRONG, "the signature of a witness is wrong")
        elif own is None and other is None:
            verdict.say(UNKNOWN, "a witness did not sign a head of the log")
        elif own is None:
            one = one_log(note[:3], asked.cosigned[:3], asked.consistency)
            if one is False:
                verdict.say(WRONG, "a witness saw another log")
            elif one is None or asked.cosigned[1] < note[1]:
                verdict.say(UNKNOWN, "nothing shows that a witness saw what the log was at the proof")


def check_root(trust, verdict):
    by_root = verdict.by is not None and verdict.by.startswith("root:")
    if by_root and trust.roots[-1][1].expires <= int(time.time()):
        verdict.say(UNKNOWN, "the root metadata has expired")


def check_statement(proof, asked, verdict):
    """Judges statement and log; the statement and its bytes, where there is one."""
    wrong, entries, one = [], {}, None
    note = parse_or_none(parse_note, proof["checkpoint"])
    if note is not None:
        entries, one = gather(proof, note[:3], asked, wrong)
    signer, against = judge_chain(asked, proof["chain"], finished(proof))
    trust = Trust(asked.keys, asked.root, signer, entries)
    size = EVER if note is None else note[1]

    def shown(end):
        return one is True or end is None or end < size

    found = check_envelope(proof, trust, shown, verdict)
    check_log(proof, note, trust, shown, asked, verdict)
    for reason in wrong:
        verdict.say(WRONG, reason)
    check_key_log(asked, None if note is None else note[0], trust, verdict)
    if note is not None:
        check_witnesses(note, asked, verdict)
    check_root(trust, verdict)
    verdict.reasons += against
    return found


def count_reproductions(statement, payload, asked, verdict):
    by = set()
    for data in asked.reproductions:
        own, found, inner = Verdict(), None, Asked()
        inner.keys, inner.root, inner.consistency = asked.keys, asked.root, asked.consistency
        inner.chain_root = asked.chain_root
        try:
            proof = parse_proof(data)
            note = parse_or_none(parse_note, proof["checkpoint"])
            # What is said of keys is said in a log, and theirs may be another one.
            if asked.key_log is not None and note is not None and asked.key_log.head[0] == note[0]:
                inner.key_log = asked.key_log
            found = check_statement(proof, inner, own)
        except Bad:
            pass
        if found is None:
            verdict.say(WRONG, "a reproduction is no proof")
        elif own.ends() == WRONG:
            verdict.say(WRONG, "a reproduction does not hold")
        elif own.ends() == UNKNOWN:
            verdict.say(UNKNOWN, "a reproduction is by a key that was not given")
        elif (
            own.kind != REPRODUCED
            or of_statement(found[0]) != sha256(payload).hex()
            or found[0]["subject"] != statement["subject"]
        ):
            verdict.say(WRONG, "a reproduction is of another run")
        elif own.signer == verdict.signer:
            verdict.say(SAID, "a reproduction is by the signer and counts for none")
        else:
            by.add(own.signer)
    verdict.reproductions = len(by)


def parse_signature(data):
    form, keyid, digest, time, sig = fields(loads(data), format=str, keyid=str, digest=dict, time=str, sig=str)
    (digest,) = fields(digest, sha256=str)
    hash_of_hex(digest)
    need(form == SIGNATURE and len(time) <= 40 and all("!" <= c <= "~" for c in time))
    return keyid, digest, time, unbase64(sig)


def check_signature(signature, asked):
    keyid, digest, time_said, sig = signature
    verdict, entries, lost = Verdict(), {}, False
    verdict.kind, verdict.signer = SIGNATURE, keyid
    try:
        if asked.key_log is not None:
            entries = included(asked.key_log.entries, asked.key_log.head)
    except Bad:
        lost = True
    signer, against = judge_chain(asked, None, said_at(time_said))
    trust = Trust(asked.keys, asked.root, signer, entries)
    message = f"{SIGNATURE}\n{digest}\n{time_said}\n".encode()
    what, _, by, _ = trust.of_file(keyid, lambda key: key.verified(message, sig))
    if what == GOOD:
        verdict.by = by
    elif what == IS_WRONG:
        verdict.say(WRONG, "the signature is wrong")
    elif what in (IS_REVOKED, IS_REPLACED):
        verdict.say(UNKNOWN, "the key was revoked or replaced, and nothing tells whether it signed before")
    elif what in (FEW, EARLY):
        verdict.say(UNKNOWN, "more than one of the signers has to sign")
    else:
        verdict.say(UNKNOWN, "the signer is none of the given keys")
    if lost:
        verdict.say(WRONG, NOT_INCLUDED)
    if asked.key_log is not None:
        check_key_log(asked, asked.key_log.head[0], trust, verdict)
    check_root(trust, verdict)
    verdict.reasons += against
    if asked.artifact is None:
        verdict.say(UNKNOWN, "there is no artifact to compare")
    else:
        verdict.matches = asked.artifact == digest
        if not verdict.matches:
            verdict.say(WRONG, "the artifact is another one than was signed")
    return verdict


def is_detached(data):
    try:
        return parse_signature(data) is not None
    except Bad:
        return False


def check(data, asked):
    try:
        return check_signature(parse_signature(data), asked)
    except Bad:
        pass
    verdict = Verdict()
    try:
        proof = parse_proof(data)
    except Bad:
        verdict.say(WRONG, "the file is no proof")
        return verdict
    found = check_statement(proof, asked, verdict)
    if found is None:
        return verdict
    statement, payload = found
    if asked.artifact is not None:
        names = [one["name"] for one in statement["subject"] if one["digest"]["sha256"] == asked.artifact]
        verdict.matches, verdict.subject = bool(names), names[0] if names else None
        if not names:
            verdict.say(WRONG, "the artifact is none of the subjects")
    count_reproductions(statement, payload, asked, verdict)
    return verdict


def file_sum(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def read_heads(path):
    if not Path(path).exists():
        return []
    heads = []
    for line in Path(path).read_bytes().splitlines():
        origin, size, root = fields(loads(line), origin=str, size=int, root=str)
        heads.append((origin, size, hash_of_hex(root)))
    return heads


def main():
    parser = argparse.ArgumentParser(description="Checks a proof of Resonetics.")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--artifact", metavar="F", help="a file that it should be of")
    parser.add_argument("--key", metavar="PUB", action="append", default=[], help="a public key that is trusted")
    parser.add_argument("--root", metavar="ROOT", help="root metadata that is trusted")
    parser.add_argument("--chain-root", metavar="FINGERPRINT", help="SHA-256 of the root certificate that is trusted")
    parser.add_argument("--chain", metavar="FILE", help="certificates of signer and root, if not those of the proof")
    parser.add_argument("--crl", metavar="FILE", help="the list of revoked certificates that goes with them")
    parser.add_argument("--revocations", metavar="FILE", help="what the log said of keys since")
    parser.add_argument("--consistency", metavar="FILE", action="append", default=[], help="that heads belong together")
    parser.add_argument("--heads", metavar="FILE", help="heads of logs that were seen")
    parser.add_argument("--witness", metavar="PUB", action="append", default=[], help="a witness that must have signed")
    parser.add_argument("--cosigned", metavar="FILE", help="a head of the log that witnesses signed")
    parser.add_argument("--reproduction", metavar="FILE", action="append", default=[], help="a proof that it was repeated")
    args = parser.parse_args()
    asked = Asked()
    if args.crl is not None and args.chain is None:
        parser.error("--crl goes with --chain: the list of the proof goes with the proof's own certificates")
    for once in ("--root", "--chain-root", "--chain", "--crl", "--revocations", "--heads", "--cosigned", "--artifact"):
        if sum(word == once or word.startswith(once + "=") for word in sys.argv[1:]) > 1:
            parser.error(f"{once} is given twice")
    try:
        data = Path(args.file).read_bytes()
        about_logs = (args.heads, args.cosigned, *args.witness, *args.consistency, *args.reproduction)
        need(not (is_detached(data) and any(about_logs)), "what is about logs says nothing of a signature beside a file")
        beside = Path(args.file.removesuffix(".sig.json"))
        if args.artifact is None and args.file.endswith(".sig.json") and beside.exists():
            args.artifact = beside
        asked.artifact = None if args.artifact is None else file_sum(args.artifact)
        asked.keys = [Key(Path(path).read_text(encoding="utf-8")) for path in args.key]
        if args.root is not None:
            asked.root = Root(parse_envelope(Path(args.root).read_bytes().decode("utf-8")))
        if args.chain_root is not None:
            asked.chain_root = args.chain_root.replace(":", "").lower()
            hash_of_hex(asked.chain_root)
        if args.chain is not None:
            need(asked.chain_root is not None)
            crl = None if args.crl is None else Path(args.crl).read_text(encoding="utf-8")
            asked.chain = (Path(args.chain).read_text(encoding="utf-8"), crl)
        if args.revocations is not None:
            asked.key_log = KeyLog(Path(args.revocations).read_bytes())
        asked.consistency = [parse_consistency(Path(path).read_bytes()) for path in args.consistency]
        asked.witnesses = [Key(Path(path).read_text(encoding="utf-8")) for path in args.witness]
        if args.cosigned is not None:
            asked.cosigned = parse_note(Path(args.cosigned).read_bytes().decode("utf-8"))
        asked.heads = None if args.heads is None else read_heads(args.heads)
        asked.reproductions = [Path(path).read_bytes() for path in args.reproduction]
    except (OSError, ValueError, Bad) as error:
        print(f"error: cannot read what was given: {error}", file=sys.stderr)
        return 2
    verdict = check(data, asked)
    print(json.dumps(verdict.told(), ensure_ascii=False, separators=(",", ":")))
    return {SAID: 0, UNKNOWN: 3, WRONG: 1}[verdict.ends()]


if __name__ == "__main__":
    sys.exit(main())
