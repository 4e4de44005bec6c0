"""Reads the bills of materials in this folder by cyclonedx-python-lib: they are what its schema takes, and each reference
in them leads to a component. Run by `cargo xtask lumen`."""

import json
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

bills = sorted(Path(__file__).parent.glob("*.cdx.json"))
assert len(bills) == 2, bills
validator = JsonStrictValidator(SchemaVersion.V1_6)
# A validator that takes anything would be none.
assert validator.validate_str('{"bomFormat": "CycloneDX", "specVersion": "1.6", "surprise": 1}') is not None
for bill in bills:
    text = bill.read_text(encoding="utf-8")
    problem = validator.validate_str(text)
    assert problem is None, f"{bill.name}: {problem}"
    bom = Bom.from_json(json.loads(text))
    bom.validate()
    # What the validator takes: a name twice, a hash of another length.
    names = [component["bom-ref"] for component in json.loads(text)["components"]]
    assert len(set(names)) == len(names), f"{bill.name}: a component is there twice"
    hashes = [one["content"] for component in json.loads(text)["components"] for one in component.get("hashes", [])]
    assert hashes and all(len(one) == 64 for one in hashes), f"{bill.name}: a SHA-256 has another length"
    known = {component.bom_ref.value for component in bom.components} | {bom.metadata.component.bom_ref.value}
    needed = {on.ref.value for one in bom.dependencies for on in one.dependencies}
    assert needed <= known, f"{bill.name}: {sorted(needed - known)} is nowhere described"
    print(f"{bill.name}: {len(bom.components)} components, as CycloneDX 1.6 has them")
