"""Opens with the Python safetensors library what ours wrote, and writes files for ours to open; exit code 1 where one differs."""

import json
import os
import sys

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save_file

faults = []
with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
folder = os.path.dirname(sys.argv[1])

for i, one in enumerate(given["files"]):
    path = os.path.join(folder, f"ours-{i}.safetensors")
    with open(path, "wb") as out:
        out.write(bytes.fromhex(one["hex"]))
    with safe_open(path, framework="np") as opened:
        if (opened.metadata() or {}) != one["metadata"]:
            faults.append(f"file {i}: metadata differ")
        if sorted(opened.keys()) != sorted(one["tensors"]):
            faults.append(f"file {i}: tensors are {opened.keys()}")
        for name, tensor in one["tensors"].items():
            theirs = opened.get_tensor(name)
            ours = np.array(tensor["values"], dtype=np.float32).reshape(tensor["shape"])
            if theirs.dtype != np.float32 or theirs.shape != ours.shape or not np.array_equal(theirs, ours):
                faults.append(f"file {i}: {name} differs")

for name, text in given["refused"].items():
    try:
        load(bytes.fromhex(text))
        faults.append(f"{name}: refused here, read by the Python library")
    except (SafetensorError, ValueError, KeyError):
        pass

rng = np.random.default_rng(7)
theirs = {
    "floats": rng.normal(size=(5, 3)).astype(np.float32),
    "halves": rng.normal(size=(7,)).astype(np.float16),
    "longs": rng.integers(-9, 9, size=(2, 2, 2)),
    "none": np.zeros((0, 4), dtype=np.float32),
    "one": np.array(3.5, dtype=np.float64),
}
path = os.path.join(folder, "theirs.safetensors")
save_file(theirs, path, metadata={"made by": "the Python library", "Größe": "ß"})
with open(path, "rb") as file:
    written = file.read().hex()
shapes = {name: [str(value.dtype), list(value.shape), value.tobytes().hex()] for name, value in theirs.items()}

for fault in faults:
    print(fault)
print(json.dumps({"hex": written, "tensors": shapes}))
sys.exit(1 if faults else 0)
