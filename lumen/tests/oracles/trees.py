"""Records roots and proofs of Merkle trees as RFC 6962 defines them: `python trees.py > trees.json`.

Nothing here is of this project: these are the recursive definitions of section 2.1, MTH, PATH and PROOF, word for word,
over leaves `0`, `1`, `2`, ... For each size up to 300 there is the root, and a SHA-256 over all proofs of inclusion
(of each leaf) and over all of consistency (from each smaller size from 1 on, and the same), one after the other, each
behind the number of its hashes in one byte.
"""

import functools
import hashlib
import json

MOST = 300


def sha256(data):
    return hashlib.sha256(data).digest()


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


@functools.cache
def mth(start, end):
    n = end - start
    if n == 0:
        return sha256(b"")
    if n == 1:
        return sha256(b"\x00" + str(start).encode())
    k = split(n)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end))


def path(m, start, end):
    n = end - start
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return path(m, start, start + k) + [mth(start + k, end)]
    return path(m - k, start + k, end) + [mth(start, start + k)]


def subproof(m, start, end, b):
    n = end - start
    if m == n:
        return [] if b else [mth(start, end)]
    k = split(n)
    if m <= k:
        return subproof(m, start, start + k, b) + [mth(start + k, end)]
    return subproof(m - k, start + k, end, False) + [mth(start, start + k)]


def summed(proofs):
    total = hashlib.sha256()
    for proof in proofs:
        total.update(bytes([len(proof)]) + b"".join(proof))
    return total.hexdigest()


def main():
    trees = []
    for n in range(MOST + 1):
        trees.append(
            {
                "root": mth(0, n).hex(),
                "inclusion": summed(path(m, 0, n) for m in range(n)),
                "consistency": summed(subproof(m, 0, n, True) for m in range(1, n + 1)),
            }
        )
    print(json.dumps({"leaves": "0, 1, 2, ... in decimal digits", "trees": trees}))


if __name__ == "__main__":
    main()
