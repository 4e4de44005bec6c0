#!/bin/sh
# cyclonedx-python-lib 11.12.0, JsonStrictValidator for CycloneDX 1.6 (with its extra json-validation), and Bom.validate().
#
# Behaviour: both take, without a word,
#   - two components with one bom-ref,
#   - a licence expression that is no SPDX expression: "MIT/Apache-2.0", as many Rust packages still spell it, and plain prose,
#   - a SHA-256 of 32 hex digits, the length of another hash,
#   - a purl of another package and version than the component's.
# What is refused: unknown fields (by the validator), dependencies on what is nowhere described (by Bom.validate() alone).
#
# Expected by many: that "strict" means that references, licences and hashes were looked at. A bill of materials that passed
# can still name one package twice and none of its licences; who makes one has to check that itself.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "cyclonedx-python-lib[json-validation]==11.12.0"
"$place/venv/bin/python" - <<'PY'
import json

from cyclonedx.exception.model import UnknownComponentDependencyException
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

strict = JsonStrictValidator(SchemaVersion.V1_6)


def bill(component=None, more=(), needs="a", **fields):
    part = {"type": "library", "bom-ref": "a", "name": "a", "version": "1", **(component or {})}
    program = {"type": "application", "bom-ref": "program", "name": "program", "version": "1"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": program},
        "components": [part, *more],
        "dependencies": [{"ref": "program", "dependsOn": [needs]}],
        **fields,
    }


def judged(bom):
    problem = strict.validate_str(json.dumps(bom))
    if problem is not None:
        return "refused by the validator"
    try:
        Bom.from_json(bom).validate()
    except UnknownComponentDependencyException:
        return "refused by Bom.validate()"
    return "taken"


twin = {"type": "library", "bom-ref": "a", "name": "b", "version": "2"}
found = {
    "as it should be": judged(bill()),
    "an unknown field": judged(bill(surprise=1)),
    "a dependency that is nowhere": judged(bill(needs="nowhere")),
    "two components with one bom-ref": judged(bill(more=[twin])),
    "the licence MIT/Apache-2.0": judged(bill({"licenses": [{"expression": "MIT/Apache-2.0"}]})),
    "the licence `whatever you like`": judged(bill({"licenses": [{"expression": "whatever you like"}]})),
    "a SHA-256 of 32 digits": judged(bill({"hashes": [{"alg": "SHA-256", "content": "0123456789abcdef" * 2}]})),
    "a purl of another package": judged(bill({"purl": "pkg:cargo/other@9"})),
}
for what, how in found.items():
    print(f"{what}: {how}")
assert list(found.values()) == [
    "taken",
    "refused by the validator",
    "refused by Bom.validate()",
    *["taken"] * 5,
], "it behaves otherwise now"
PY
