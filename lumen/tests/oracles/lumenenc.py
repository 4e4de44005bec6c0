"""Makes lumen/tests/fixtures/lumenenc/: files as the design documents encrypt them, by the library `cryptography`.

    pip install cryptography==50.0.2
    python lumen/tests/oracles/lumenenc.py

A file by a passphrase, one by a key in base64, and one whose key is named as HKDF itself counts (see decrypt.rs). Each holds
the same text; salt and nonce are fixed, so that the files are the same each time.
"""

import base64
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PLACE = Path(__file__).resolve().parents[1] / "fixtures/lumenenc"
TEXT = "ts,phase_diff,entropy_rate,creative_band,risk_band\nécole\n".encode()
PASSPHRASE = b"correct horse battery staple"
KEY = bytes(range(32))


def derived(salt, name):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=name).derive(PASSPHRASE)


def written(name, key, salt, nonce):
    sealed = AESGCM(key).encrypt(nonce, TEXT, None)
    (PLACE / name).write_bytes(b"LUMENENC\x01" + salt + nonce + sealed)


def main():
    PLACE.mkdir(parents=True, exist_ok=True)
    salts = [bytes([number]) * 16 for number in (1, 2, 3)]
    nonces = [bytes([number]) * 12 for number in (4, 5, 6)]
    written("passphrase.enc", derived(salts[0], b"key\x01"), salts[0], nonces[0])
    written("counted.enc", derived(salts[1], b"key"), salts[1], nonces[1])
    written("key.enc", KEY, salts[2], nonces[2])
    print(f"{base64.b64encode(KEY).decode()} opens key.enc")


if __name__ == "__main__":
    main()
