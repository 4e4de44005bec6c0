"""The notebook: as it is stored it can be read, and it runs to the same numbers."""

import base64
import json
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "tour.ipynb"
# What draws a figure, in the notebook's own words; a function that draws leaves its picture where it is called.
DRAWS = re.compile(r"^(figure, ax|forest\()", re.MULTILINE)
SENTENCES = ("text/plain", "text/html")


def source(cell):
    return "".join(cell["source"])


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text(value):
    """Text of a notebook, which may come as lines."""
    return "".join(value) if isinstance(value, list) else value


def printed(cell):
    """What it prints, and the numbers of the table that it ends with; how wide the table is set is the table's affair."""
    said = "".join(text(out["text"]) for out in cell["outputs"] if out["output_type"] == "stream")
    tables = [text(out["data"]["text/plain"]) for out in cell["outputs"] if out["output_type"] == "execute_result"]
    return said, re.findall(r"-?\d+\.?\d*", " ".join(tables))


def images(cell):
    return [out["data"]["image/png"] for out in cell["outputs"] if "image/png" in out.get("data", {})]


def looked_at(notebook):
    """What holds for the notebook after any execution: no errors, nothing on stderr, a picture for each figure."""
    for cell in code(notebook):
        for out in cell["outputs"]:
            assert out["output_type"] != "error", (out["ename"], out["evalue"])
            assert out.get("name") != "stderr", out["text"]
        wanted = len(DRAWS.findall(source(cell)))
        assert len(images(cell)) == wanted, f"{len(images(cell))} pictures of {wanted}: {source(cell)[:200]}"
        assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images(cell)), source(cell)[:200]
    assert sum(len(images(cell)) for cell in code(notebook)) >= 7


@pytest.fixture(scope="module")
def stored():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_it_is_stored_as_it_was_executed(stored):
    looked_at(stored)
    counts = [cell["execution_count"] for cell in code(stored)]
    assert counts == list(range(1, len(counts) + 1))
    assert stored["metadata"]["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert NOTEBOOK.stat().st_size < 600_000


def test_its_cells_compile(stored):
    for number, cell in enumerate(code(stored), 1):
        compile(source(cell), f"cell {number}", "exec")


def test_it_names_no_place_of_the_machine_where_it_was_executed(stored):
    words = []
    for cell in stored["cells"]:
        words.append(source(cell))
        for out in cell.get("outputs", []):
            words.append(text(out.get("text", "")))
            # A picture may spell anything.
            words += [text(out["data"][kind]) for kind in SENTENCES if kind in out.get("data", {})]
    words.append(json.dumps([cell["metadata"] for cell in stored["cells"]] + [stored["metadata"]]))
    for place in ("/tmp/", "/home/", "/var/", "/Users/", str(Path.home())):
        found = [word for word in words if place in word]
        assert not found, (place, found)


def test_every_figure_says_what_its_axes_are(stored):
    """Of what is drawn by hand: the words stand in the source."""
    for cell in code(stored):
        if "plt.subplots" in source(cell):
            assert "xlabel=" in source(cell), source(cell)
            assert "ylabel=" in source(cell) or "imshow" in source(cell), source(cell)


def test_it_runs_to_the_same_numbers(stored, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    for module in ("ipykernel", "matplotlib", "pandas"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    import nbformat

    # Nothing of the user's own: neither settings nor a history.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in code(notebook):
        cell["outputs"], cell["execution_count"] = [], None
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    looked_at(notebook)
    for before, after in zip(code(stored), code(notebook), strict=True):
        assert printed(after) == printed(before), source(before)
