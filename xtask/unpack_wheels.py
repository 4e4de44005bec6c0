"""Unpacks of the wheels in `sys.argv[1]` what libtorch needs into `sys.argv[2]`.

`sys.argv[3]` is cpu or cuda. Also writes SHA256SUMS of the libraries.
"""

import hashlib
import pathlib
import sys
import zipfile

wheels, folder, kind = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
CPU = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"}
PYTHON = {"libtorch_python.so", "libshm.so"}


def needed(name):
    path = pathlib.PurePosixPath(name)
    if name.startswith("torch/include/"):
        return True
    library = path.parent.name == "lib" and ".so" in path.name
    return library and (path.name in CPU if kind == "cpu" else path.name not in PYTHON)


sums = []
for wheel in sorted(wheels.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in filter(needed, archive.namelist()):
            archive.extract(name, folder)  # refuses paths that lead out of the folder
            if ".so" in name:
                digest = hashlib.sha256()
                with open(folder / name, "rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
                sums.append(f"{digest.hexdigest()}  {name}\n")
if kind == "cpu":
    # The real one asks for libtorch_cuda.so.
    (folder / "torch/lib/libtorch.so").symlink_to("libtorch_cpu.so")
(folder / "torch/lib/libgomp.so").symlink_to("libgomp.so.1")
(folder / "torch/build-version").write_text("2.11.0+cpu\n" if kind == "cpu" else "2.11.0+cu130\n")
(folder / "SHA256SUMS").write_text("".join(sums))
