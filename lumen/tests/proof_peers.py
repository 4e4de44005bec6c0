"""Securesystemslib and in-toto-attestation read what `resonetics lumen prove` writes, and write what it has to read.

    pip install securesystemslib cryptography in-toto-attestation
    python lumen/tests/proof_peers.py [--record] [PROGRAM]

PROGRAM is target/release/resonetics otherwise. Exits with 1 where one of them refuses ours, or takes what was changed. With
--record it writes lumen/tests/fixtures/proof/peer.json: an envelope that securesystemslib signed, of a statement that
in-toto-attestation made, and the public key; the private one is drawn for it and kept nowhere.
"""

import base64
import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

ROOT = Path(__file__).resolve().parents[2]
RUN = ["benchmark", "--episodes", "2", "--seed", "3", "--set", "max_steps=50", "--out", "run"]


def ours(program, place):
    for command in (
        ["lumen", "keys", "init", "--dir", "keys"],
        RUN,
        ["lumen", "prove", "run", "--keys", "keys"],
    ):
        subprocess.run([program, *command], cwd=place, check=True, capture_output=True)
    proof = json.loads(Path(place, "run.proof.json").read_text())
    return json.loads(proof["envelope"]), Path(place, "keys/signer.pub.pem").read_bytes()


def verified(envelope, key):
    try:
        Envelope.from_dict(copy.deepcopy(envelope)).verify([key], 1)
    except VerificationError:
        return False
    return True


def reads_ours(program):
    with tempfile.TemporaryDirectory() as place:
        envelope, pem = ours(program, place)
    keyid = envelope["signatures"][0]["keyid"]
    key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid)
    assert verified(envelope, key), "securesystemslib refuses our envelope"
    payload = base64.b64decode(envelope["payload"])
    changed = dict(envelope, payload=base64.b64encode(payload.replace(b'"3"', b'"4"')).decode())
    assert changed["payload"] != envelope["payload"] and not verified(changed, key), "a changed payload is taken"
    assert not verified(dict(envelope, payloadType="application/json"), key), "a changed type is taken"
    # Unknown fields are refused.
    message = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    predicate = json.dumps(json.loads(payload)["predicate"])
    provenance = json_format.Parse(predicate, provenance_pb2.Provenance())
    assert provenance.build_definition.external_parameters["command"] == "benchmark"
    assert provenance.run_details.builder.id and provenance.run_details.metadata.invocation_id
    assert [one.name for one in message.subject] == ["benchmark.csv", "episodes.csv"]


def theirs():
    subject = {"name": "table.csv", "digest": {"sha256": "ab" * 32}}
    predicate = {
        "buildDefinition": {
            "buildType": "urn:resonetics:run.finished:v1",
            "externalParameters": {"command": "benchmark", "config": "command = \"benchmark\"\n", "seed": "7"},
            "resolvedDependencies": [{"name": "é", "annotations": {"n": 1.5}}],
        },
        "runDetails": {"builder": {"id": "urn:peer"}},
    }
    descriptor = json_format.ParseDict(subject, statement_pb2.Statement().subject.add())
    statement = Statement([descriptor], "https://slsa.dev/provenance/v1", predicate)
    statement.validate()
    payload = json_format.MessageToJson(statement.pb, indent=None).encode()
    signer = CryptoSigner.generate_ed25519()
    envelope = Envelope(payload, "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public_key.keyval["public"]))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"envelope": json.dumps(envelope.to_dict()), "public": pem}


def main():
    arguments = [one for one in sys.argv[1:] if one != "--record"]
    program = Path(arguments[0] if arguments else ROOT / "target/release/resonetics").resolve()
    reads_ours(program)
    print("securesystemslib and in-toto-attestation read ours")
    if "--record" in sys.argv:
        fixture = ROOT / "lumen/tests/fixtures/proof/peer.json"
        fixture.parent.mkdir(parents=True, exist_ok=True)
        fixture.write_text(json.dumps(theirs()) + "\n")
        print(f"wrote {fixture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
