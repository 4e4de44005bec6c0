#!/usr/bin/env bash
# jax 0.10.0 (jaxlib 0.10.0, CPU), numpy 2.4.6
#
# One guesses: float32 in JAX is numpy's float32, subnormal numbers included; `jnp.finfo` says so
# (smallest_subnormal 1e-45), and a number of 1e-40 put into an array is printed as 1e-40.
# Seen: XLA's CPU backend computes with subnormals flushed to zero. The very array that prints 1e-40 equals 0,
# 1e-38 * 0.1 is 0, and the softmax of [0, -95] is exactly [1, 0]: its logarithm is -inf where numpy has -95.
# Who compares a JAX trainer with one in numpy, PyTorch or Rust action by action meets it once a policy has
# become sure of itself: other log-probabilities, -inf, and a speed that does not fall where that of the others
# does. `jax.nn.log_softmax` is not hit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.0 jaxlib==0.10.0 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np

print("jax", jax.__version__, "numpy", np.__version__)
tiny = jnp.float32(1e-40)
logits = jnp.array([0.0, -95.0], dtype=jnp.float32)
exponentials = np.exp(np.asarray(logits))
plain = exponentials / exponentials.sum()
seen = {
    "finfo's smallest subnormal is above 0": float(np.asarray(jnp.finfo(jnp.float32).smallest_subnormal)) > 0.0,
    "numpy sees 1e-40 in the array": float(np.asarray(tiny)) > 0.0,
    "jax says that it equals 0": bool(tiny == 0.0),
    "numpy: 1e-38 * 0.1 is above 0": float(np.float32(1e-38) * np.float32(0.1)) > 0.0,
    "jax: 1e-38 * 0.1 is 0": float(jnp.float32(1e-38) * jnp.float32(0.1)) == 0.0,
    "jax: log(softmax([0, -95])) ends in -inf": float(jnp.log(jax.nn.softmax(logits))[1]) == float("-inf"),
    "numpy: it ends in -95": abs(float(np.log(plain)[1]) + 95.0) < 1e-3,
    "jax: log_softmax ends in -95": abs(float(jax.nn.log_softmax(logits)[1]) + 95.0) < 1e-3,
}
for what, holds in seen.items():
    print("as before:" if holds else "CHANGED:  ", what)
raise SystemExit(0 if all(seen.values()) else 1)
PYTHON
