"""Custodians change root metadata with `resonetics lumen keys root`, and python-tuf judges the same situations.

    pip install tuf cryptography
    python lumen/tests/tuf_peer.py [PROGRAM]

PROGRAM is target/release/resonetics otherwise. Each custodian has a folder of its own, into which the request is copied and
out of which the part comes. Exits with 1 where one of both takes what the other refuses.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Signature
from tuf.api.exceptions import RepositoryError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["a", "b", "c", "d", "signer"]
LATER, PAST = "2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
FIRST = (1, LATER, "abc", 2)
# What it is, the new version, who is in it and how many of them sign, who signed; a capital signs wrongly.
CASES = [
    ("two of three", (2, LATER, "abc", 2), "ab", True),
    ("all", (2, LATER, "abc", 2), "abc", True),
    ("another custodian", (2, LATER, "abd", 2), "ab", True),
    ("who leaves, who stays and who comes", (2, LATER, "abd", 2), "bcd", True),
    ("two, and one wrongly", (2, LATER, "abc", 2), "abC", True),
    ("one alone", (2, LATER, "abc", 2), "a", False),
    ("one twice", (2, LATER, "abc", 2), "aa", False),
    ("one, and one wrongly", (2, LATER, "abc", 2), "aB", False),
    ("one, and one who is none", (2, LATER, "abc", 2), "ad", False),
    ("a skipped version", (3, LATER, "abc", 2), "ab", False),
    ("the same version", (1, LATER, "abd", 2), "ab", False),
    ("an expired root", (2, PAST, "abc", 2), "ab", False),
    ("enough of the new, not of the old", (2, LATER, "abd", 2), "ad", False),
    ("enough of the old, not of the new", (2, LATER, "abd", 2), "bc", False),
    ("a root of one, by that one", (2, LATER, "d", 1), "d", False),
    ("a root of one, by two of the old and it", (2, LATER, "d", 1), "abd", True),
    ("more are needed than before, and they are there", (2, LATER, "abcd", 3), "abc", True),
    ("more are needed than before, and they are not", (2, LATER, "abcd", 3), "ab", False),
]


def theirs_says(signers, case):
    def made(version, expires, custodians, threshold, by):
        moment = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        root = Root(version=version, expires=moment)
        for name in custodians:
            root.add_key(signers[name].public_key, "root")
        root.roles["root"].threshold = threshold
        signed = Metadata(root)
        for name in by:
            signed.sign(signers[name.lower()], append=True)
            if name.isupper():
                keyid = signers[name.lower()].public_key.keyid
                signed.signatures[keyid] = Signature(keyid, "00" * 64)
        return signed.to_bytes()

    first = made(*FIRST, "ab")
    trusted = TrustedMetadataSet(first, EnvelopeType.METADATA)
    try:
        root = trusted.update_root(made(*case[1], case[2]))
    except RepositoryError:
        return False
    return not root.is_expired()


class Ours:
    def __init__(self, program, place):
        self.program, self.place, self.ids, self.pems = program, Path(place), {}, {}
        for name in NAMES:
            self.run("keys", "init", "--dir", name)
            pem = (self.place / name / "signer.pub.pem").read_text()
            der = base64.b64decode("".join(pem.splitlines()[1:-1]))
            self.ids[name], self.pems[name] = hashlib.sha256(der).hexdigest(), pem

    def run(self, *arguments, folder="."):
        command = [self.program, "lumen", *arguments]
        return subprocess.run(command, cwd=self.place / folder, capture_output=True, text=True, check=False)

    def parts(self, request, by, name):
        """Each custodian signs in its own folder, with nothing there but its key and the request."""
        parts = []
        for at, who in enumerate(by):
            shutil.copy(self.place / request, self.place / who.lower() / "request")
            out = f"{name}-{at}.part"
            ran = self.run("keys", "root", "sign", "request", "--dir", ".", "--out", out, folder=who.lower())
            assert ran.returncode == 0, ran
            text = (self.place / who.lower() / out).read_text()
            if who.isupper():
                part = json.loads(text)
                text = json.dumps(dict(part, sig=base64.b64encode(bytes(64)).decode()))
            (self.place / out).write_text(text)
            parts.append(out)
        return parts

    def request(self, name, version, expires, custodians, threshold):
        ids = {who: self.ids[who] for who in custodians}
        role = {"keyids": [self.ids["signer"]], "threshold": 1}
        roles = {"root": {"keyids": list(ids.values()), "threshold": threshold}, "signer": role, "log": role}
        roles["approver"] = {"keyids": [], "threshold": 1}
        keys = {self.ids[who]: self.pems[who] for who in [*custodians, "signer"]}
        payload = json.dumps({"version": version, "expires": expires, "keys": keys, "roles": roles}).encode()
        written = {"format": "resonetics-request/1", "payloadType": "application/vnd.resonetics.root+json"}
        (self.place / name).write_text(json.dumps(dict(written, payload=base64.b64encode(payload).decode())))

    def says(self, at, case):
        name = f"case-{at}"
        self.request(name, *case[1])
        parts = self.parts(name, case[2], name)
        ran = self.run("keys", "root", "accept", name, *parts, "--root", "root.json", "--out", f"{name}.json")
        assert ran.returncode in (0, 1), ran
        assert (self.place / f"{name}.json").exists() == (ran.returncode == 0)
        return ran.returncode == 0

    def rotates(self):
        """Two of three make a root and change it, by the commands alone."""
        words = [word for who in "abc" for word in ("--custodian", f"{who}/signer.pub.pem")]
        ran = self.run("keys", "root", "init", *words, "--signer", "signer/signer.pub.pem", "--out", "first")
        assert ran.returncode == 0, ran
        parts = self.parts("first", "ab", "first")
        assert self.run("keys", "root", "accept", "first", *parts, "--out", "root.json").returncode == 0
        change = ["root", "--custodian", "a/signer.pub.pem", "--custodian", "b/signer.pub.pem"]
        change += ["--custodian", "d/signer.pub.pem"]
        ran = self.run("keys", "root", "request", "--root", "root.json", "--out", "second", *change)
        assert ran.returncode == 0, ran
        parts = self.parts("second", "bd", "second")
        accept = ["keys", "root", "accept", "second", "--root", "root.json", "--out", "root-2.json"]
        # Of the old ones that is one.
        assert self.run(*accept, *parts).returncode == 1
        parts += self.parts("second", "a", "more")
        assert self.run(*accept, *parts).returncode == 0
        shown = json.loads(self.run("keys", "root", "show", "root-2.json").stdout)
        assert (shown["version"], shown["roles"]["root"]["threshold"], shown["expired"]) == (2, 2, False), shown


def main():
    program = str(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/resonetics").resolve())
    signers = {name: CryptoSigner.generate_ed25519() for name in NAMES}
    with tempfile.TemporaryDirectory() as place:
        ours = Ours(program, place)
        ours.rotates()
        for at, case in enumerate(CASES):
            verdicts = (ours.says(at, case), theirs_says(signers, case))
            assert verdicts == (case[3], case[3]), f"{case[0]}: ours {verdicts[0]}, tuf {verdicts[1]}"
    print(f"tuf and ours agree on {len(CASES)} changes of the root")


if __name__ == "__main__":
    main()
