"""Copies of archives in a store of S3 as moto serves it, and files of age as the `age` command reads and writes them.

    pip install 'moto[server,s3]' boto3
    python lumen/tests/remote_peers.py [--age FOLDER] [PROGRAM]

PROGRAM is target/release/resonetics otherwise. FOLDER has age and age-keygen; without it only what needs none is done. Exits
with 1 where a copy is not what was uploaded, where damage is not found, where what is secret is printed, or where age and we
do not read each other.
"""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET = "KEYOFNOBODY", "secret-of-nobody-0123456789"
# The specification's own test key.
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
# Of bytes that are all the same: nobody's.
IDENTITY = "AGE-SECRET-KEY-1" + "GFPYYSJZ" * 6 + "GFPQ4EGAEX"
BUCKET = "archives"


class Place:
    def __init__(self, program, folder, port):
        self.program, self.folder = program, Path(folder)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "LUMEN_ARCHIVE_PASS": "correct horse",
        }
        Path(folder, "id").write_text(IDENTITY + "\n")
        config = f'[remote]\nurl = "s3://{BUCKET}/lumen/x"\nendpoint = "{self.endpoint}"\nregion = "eu-central-1"\n'
        config += 'server_side_encryption = "AES256"\nretry_wait_seconds = 0\n'
        Path(folder, "remote.toml").write_text(config)

    def run(self, status, *words):
        ran = subprocess.run(
            [self.program, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )
        said = ran.stdout + ran.stderr
        assert ran.returncode == status, f"{words}: {ran.returncode}, not {status}: {said}"
        assert SECRET not in said and KEY not in said and IDENTITY not in said, f"{words} tells a secret: {said}"
        assert "panicked" not in said, said
        return ran.stdout

    def wrote(self, *words):
        last = self.run(0, *words).strip().splitlines()[-1]
        assert last.startswith("wrote "), last
        return last.removeprefix("wrote ")


def same(one, two):
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def in_a_store(place, client):
    remote = ["--remote-config", "remote.toml"]
    place.run(0, "gardener", "--generations", "60", "--seed", "1", "--quiet", "--out", "runs/garden")
    # More than a part, of what cannot be compressed.
    (place.folder / "runs/garden/noise.bin").write_bytes(random.Random(1).randbytes(20_000_000))
    archive = place.wrote("lumen", "freeze", "runs/garden", "--to-recipient", RECIPIENT)
    place.run(1, "lumen", "push", archive, *remote)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    key = place.wrote("lumen", "push", archive, *remote)
    assert key.startswith("lumen/x/garden/") and key.endswith(".tar.zst.age"), key
    head = client.head_object(Bucket=BUCKET, Key=key)
    sha = key.rsplit("/", 1)[1].split(".")[0]
    manifest = json.loads((place.folder / archive / "manifest.json").read_text())
    assert head["Metadata"] == {"sha256": sha, "archive-id": manifest["id"]}, head["Metadata"]
    assert head["ServerSideEncryption"] == "AES256", head
    assert "-3" in head["ETag"], "it was not uploaded in parts"
    # What was uploaded in parts has no list of its own in moto, and asking for it breaks it.
    names = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"] if one["Key"] != key]
    assert len(names) == 4, names
    for name in names:
        grants = client.get_object_acl(Bucket=BUCKET, Key=name)["Grants"]
        assert all("URI" not in grant["Grantee"] for grant in grants), "it is public"
    assert "nothing new" in place.run(0, "lumen", "push", archive, *remote)
    place.run(0, "lumen", "verify-remote", *remote)
    place.run(0, "lumen", "sync-index", *remote)
    pulled = place.wrote("lumen", "pull", key, "--to", "back", *remote)
    same(place.folder / archive, place.folder / pulled)
    restored = place.folder / "restored"
    place.run(0, "lumen", "restore", pulled, "--identity", "id", "--out", str(restored))
    same(place.folder / "runs/garden", restored)
    return archive, key, remote


def damaged(place, client, archive, key, remote):
    body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    flipped = bytearray(body)
    flipped[12_345_678] ^= 1
    for changed in (bytes(flipped), body[:-1], b""):
        client.put_object(Bucket=BUCKET, Key=key, Body=changed)
        assert "MISMATCH" in place.run(1, "lumen", "verify-remote", *remote)
        place.run(1, "lumen", "pull", key, "--to", "none", *remote)
        assert not list((place.folder / "none").rglob("manifest.json")), "a damaged copy was pulled"
    client.put_object(Bucket=BUCKET, Key=key, Body=body)
    place.run(0, "lumen", "verify-remote", *remote)
    client.delete_object(Bucket=BUCKET, Key=key)
    assert "MISSING" in place.run(3, "lumen", "verify-remote", *remote)
    assert "a new copy was made" in place.run(3, "lumen", "verify-remote", "--repair", *remote)
    place.run(0, "lumen", "verify-remote", *remote)
    place.run(0, "lumen", "verify", archive)


def killed(place, client, remote):
    run = place.folder / "runs/large"
    place.run(0, "gardener", "--generations", "60", "--seed", "2", "--quiet", "--out", str(run))
    (run / "noise.bin").write_bytes(random.Random(2).randbytes(100_000_000))
    archive = place.wrote("lumen", "freeze", str(run), "--to-recipient", RECIPIENT)
    push = [place.program, "lumen", "push", archive, *remote]
    child = subprocess.Popen(push, cwd=place.folder, env=place.environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    # As soon as its upload has begun.
    while not client.list_multipart_uploads(Bucket=BUCKET).get("Uploads"):
        assert child.poll() is None and time.monotonic() < until, "no upload was seen"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert "MISSING" in place.run(3, "lumen", "verify-remote", "large", *remote)
    place.wrote("lumen", "push", archive, *remote)
    place.run(0, "lumen", "verify-remote", "large", *remote)


def age(place, folder):
    age, keygen = (str(Path(folder, name)) for name in ("age", "age-keygen"))
    identity = place.folder / "own"
    said = subprocess.run([keygen, "-o", str(identity)], check=True, capture_output=True, text=True).stderr
    recipient = said.split("Public key: ")[1].strip()
    archive = place.wrote("lumen", "freeze", "runs/garden", "--to-recipient", recipient, "--to-recipient", RECIPIENT)
    bundle = place.folder / archive / "bundle.tar.zst.age"
    plain = place.folder / "plain.tar.zst"
    subprocess.run([age, "-d", "-i", str(identity), "-o", str(plain), str(bundle)], check=True)
    place.run(0, "lumen", "decrypt", str(bundle), "--identity", "own", "--out", "ours.tar.zst")
    assert (place.folder / "ours.tar.zst").read_bytes() == plain.read_bytes()
    inside = subprocess.run([age, "-d", "-i", str(identity), str(bundle.with_name("manifest.json.age"))], check=True, capture_output=True)
    outside = json.loads((place.folder / archive / "manifest.json").read_text())
    assert json.loads(inside.stdout)["id"] == outside["id"] and outside["files"] == []
    # Theirs, of sizes around a chunk.
    for size in (0, 1, 65_535, 65_536, 65_537, 200_000):
        theirs, content = place.folder / f"theirs-{size}", random.Random(size).randbytes(size)
        subprocess.run([age, "-r", recipient, "-o", str(theirs)], input=content, check=True)
        place.run(0, "lumen", "decrypt", str(theirs), "--identity", "own", "--out", f"read-{size}")
        assert (place.folder / f"read-{size}").read_bytes() == content
        place.run(2, "lumen", "decrypt", str(theirs), "--identity", "id", "--out", "none")
    # age cannot be handed a passphrase without a terminal; that ours is of the kind that it reads is told by its header.
    sealed = place.wrote("lumen", "freeze", "runs/garden", "--passphrase")
    begins = (place.folder / sealed / "bundle.tar.zst.age").read_bytes()[:200].split(b"\n")
    assert begins[0] == b"age-encryption.org/v1" and begins[1].startswith(b"-> scrypt ") and begins[1].endswith(b" 18")


def main():
    words = sys.argv[1:]
    folder = words.pop(words.index("--age") + 1) if "--age" in words else None
    words = [word for word in words if word != "--age"]
    program = str(Path(words[0] if words else ROOT / "target/release/resonetics").resolve())
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(program, scratch, port)
        archive, key, remote = in_a_store(place, client)
        damaged(place, client, archive, key, remote)
        killed(place, client, remote)
        server.stop()
        assert "UNREACHABLE" in place.run(1, "lumen", "verify-remote", "garden", *remote)
        print("   a store of S3: copies are whole, and damage is found")
        if folder:
            age(place, folder)
            print("   age and we read each other")


if __name__ == "__main__":
    main()
