#!/usr/bin/env python3
"""Checks a proof of Resonetics without any of its code: Python's standard library, and the openssl binary (3.0 or later).

    python check_proof.py FILE [--artifact F] [--key PUB]... [--heads FILE] [--reproduction FILE]...

FILE is a proof (`RUN.proof.json`) or a signature beside a file (`F.sig.json`). It prints one line of JSON and exits with 0
if the proof holds, 1 if it does not, 2 if it was asked for something that cannot be done, 3 if it cannot be known: a key is
missing, or what it is held against. `resonetics lumen check-proof` says the same.

What is checked, and where it is written down: the envelope is DSSE version 1 (its signed bytes: `pae`), the statement
in-toto Statement v1, the head of the log a C2SP checkpoint in a signed note, that the statement is in the log RFC 9162,
section 2.1.3.2.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

PROOF = "resonetics-proof/1"
SIGNATURE = "resonetics-signature/1"
FINISHED = "urn:resonetics:run.finished:v1"
REPRODUCED = "urn:resonetics:run.reproduced:v1"
RECORDED = "urn:resonetics:files.recorded:v1"
SPKI = bytes.fromhex("302a300506032b6570032100")
SAID, UNKNOWN, WRONG = 0, 1, 2


class Bad(Exception):
    """What was read is not what it should be."""


def need(condition):
    if not condition:
        raise Bad


# Text, each thing in one spelling


def loads(data):
    """JSON in which no key is there twice."""

    def once(pairs):
        need(len({key for key, _ in pairs}) == len(pairs))
        return dict(pairs)

    def refuse(_):
        raise Bad

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
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
    def __init__(self, path):
        pem = Path(path).read_text(encoding="utf-8").strip()
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
    need(kind == "https://in-toto.io/Statement/v1" and predicate_type == "https://slsa.dev/provenance/v1")
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


def note_signed(note, keys):
    origin, _, _, text, signatures = note
    known = None
    for name, number, signature in signatures:
        for key in keys:
            if sha256(name.encode() + b"\n\x01" + key.raw)[:4] == number:
                good = name == origin and key.verified(text.encode("utf-8"), signature)
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


# The check itself


class Verdict:
    def __init__(self):
        self.kind = self.subject = self.matches = self.signer = self.log = None
        self.trusted, self.reproductions, self.reasons = False, 0, []

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
            "trust": "key" if self.trusted else "none",
            "log": self.log,
            "reproductions": self.reproductions,
            "reasons": [reason for _, reason in self.reasons],
        }


def parse_proof(data):
    proof = loads(data)
    form, _, _, index, _ = fields(proof, format=str, envelope=str, checkpoint=str, index=int, inclusion=list)
    need(form == PROOF and 0 <= index < 1 << 64 and all(isinstance(one, str) for one in proof["inclusion"]))
    return proof


def check_envelope(proof, keys, verdict):
    try:
        payload, kind, signatures = parse_envelope(proof["envelope"])
    except Bad:
        verdict.say(WRONG, "the envelope is damaged")
        return None
    good = None
    for keyid, signature in signatures:
        key = next((key for key in keys if key.id == keyid), None)
        if key is None:
            continue
        if not key.verified(pae(kind, payload), signature):
            verdict.signer = keyid
            verdict.say(WRONG, "the signature of the statement is wrong")
            break
        good = good or keyid
    else:
        verdict.signer, verdict.trusted = good or signatures[0][0], good is not None
        if good is None:
            verdict.say(UNKNOWN, "the signer is none of the given keys")
    try:
        need(kind == "application/vnd.in-toto+json")
        statement = parse_statement(payload)
    except Bad:
        verdict.say(WRONG, "the statement is malformed")
        return None
    verdict.kind = statement["predicate"]["buildDefinition"]["buildType"]
    return statement, payload


def check_log(proof, keys, heads, verdict):
    try:
        note = parse_note(proof["checkpoint"])
    except Bad:
        verdict.say(WRONG, "the checkpoint is damaged")
        return
    origin, size, root = note[:3]
    verdict.log = {"origin": origin, "size": size, "index": proof["index"]}
    signed = note_signed(note, keys)
    if signed is None:
        verdict.say(UNKNOWN, "the key of the log is none of the given keys")
    elif not signed:
        verdict.say(WRONG, "the signature of the checkpoint is wrong")
    leaf = sha256(b"\x00" + proof["envelope"].encode("utf-8"))
    try:
        path = [hash_of_hex(one) for one in proof["inclusion"]]
        need(includes(root, size, proof["index"], leaf, path))
    except Bad:
        verdict.say(WRONG, "the log does not include the statement")
    if heads is None:
        return
    roots = [seen for of, at_size, seen in heads if of == origin and at_size == size]
    if not roots:
        verdict.say(UNKNOWN, "no head of this size was kept of the log")
    elif any(seen != root for seen in roots):
        verdict.say(WRONG, "the log is another one than the kept heads say")


def count_reproductions(statement, payload, keys, reproductions, verdict):
    by = set()
    for data in reproductions:
        own, found = Verdict(), None
        try:
            proof = parse_proof(data)
            found = check_envelope(proof, keys, own)
            check_log(proof, keys, None, own)
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


def check_signature(signature, artifact, keys):
    keyid, digest, time, sig = signature
    verdict = Verdict()
    verdict.kind, verdict.signer = SIGNATURE, keyid
    key = next((key for key in keys if key.id == keyid), None)
    if key is None:
        verdict.say(UNKNOWN, "the signer is none of the given keys")
    elif key.verified(f"{SIGNATURE}\n{digest}\n{time}\n".encode(), sig):
        verdict.trusted = True
    else:
        verdict.say(WRONG, "the signature is wrong")
    if artifact is None:
        verdict.say(UNKNOWN, "there is no artifact to compare")
    else:
        verdict.matches = artifact == digest
        if not verdict.matches:
            verdict.say(WRONG, "the artifact is another one than was signed")
    return verdict


def check(data, artifact, keys, heads, reproductions):
    try:
        return check_signature(parse_signature(data), artifact, keys)
    except Bad:
        pass
    verdict = Verdict()
    try:
        proof = parse_proof(data)
    except Bad:
        verdict.say(WRONG, "the file is no proof")
        return verdict
    found = check_envelope(proof, keys, verdict)
    check_log(proof, keys, heads, verdict)
    if found is None:
        return verdict
    statement, payload = found
    if artifact is not None:
        names = [one["name"] for one in statement["subject"] if one["digest"]["sha256"] == artifact]
        verdict.matches, verdict.subject = bool(names), names[0] if names else None
        if not names:
            verdict.say(WRONG, "the artifact is none of the subjects")
    count_reproductions(statement, payload, keys, reproductions, verdict)
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
    parser.add_argument("--heads", metavar="FILE", help="heads of logs that were seen")
    parser.add_argument("--reproduction", metavar="FILE", action="append", default=[], help="a proof that it was repeated")
    args = parser.parse_args()
    try:
        data = Path(args.file).read_bytes()
        beside = Path(args.file.removesuffix(".sig.json"))
        if args.artifact is None and args.file.endswith(".sig.json") and beside.exists():
            args.artifact = beside
        artifact = None if args.artifact is None else file_sum(args.artifact)
        keys = [Key(path) for path in args.key]
        heads = None if args.heads is None else read_heads(args.heads)
        reproductions = [Path(path).read_bytes() for path in args.reproduction]
    except (OSError, ValueError, Bad) as error:
        print(f"error: cannot read what was given: {error}", file=sys.stderr)
        return 2
    verdict = check(data, artifact, keys, heads, reproductions)
    print(json.dumps(verdict.told(), ensure_ascii=False, separators=(",", ":")))
    return {SAID: 0, UNKNOWN: 3, WRONG: 1}[verdict.ends()]


if __name__ == "__main__":
    sys.exit(main())
