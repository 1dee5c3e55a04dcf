"""Compares what was computed here with what it was computed as there, and says by how much they differ at most."""

import sys

import numpy as np

faults = 0
worst = {}


def near(what, ours, theirs, tolerance):
    """Compares element by element, relative to the size of theirs where that is above 1."""
    global faults
    ours, theirs = np.atleast_1d(ours).astype(float), np.atleast_1d(theirs).astype(float)
    gap = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))))
    worst[what] = max(worst.get(what, 0.0), gap)
    if not gap <= tolerance:
        print(f"{what}: {ours} here, {theirs} there")
        faults += 1


def end():
    """Exit code 1 where one differed."""
    print("largest gaps: " + ", ".join(f"{what} {gap:.0e}" for what, gap in worst.items()))
    sys.exit(1 if faults else 0)
