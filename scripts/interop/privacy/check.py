"""Computes again with dp_accounting, and with Opacus where it is here, what scripts/interop/privacy.ts wrote; exit code 1 where one differs."""

import importlib.util
import json
import pathlib
import sys
import warnings

import dp_accounting
from dp_accounting.pld import privacy_loss_distribution
from dp_accounting.rdp import RdpAccountant

warnings.filterwarnings("ignore")


def opacus_accountant():
    """Opacus' own arithmetic, which needs no torch, where the package is installed ("pip install --no-deps opacus" will do)."""
    found = importlib.util.find_spec("opacus")
    if found is None:
        return None
    path = pathlib.Path(found.submodule_search_locations[0], "accountants", "analysis", "rdp.py")
    spec = importlib.util.spec_from_file_location("opacus_rdp", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


opacus_rdp = opacus_accountant()

ORDERS = [(10 + x) / 10 for x in range(1, 100)] + list(range(12, 64))
GRID = 2e-5
faults = 0
worst = {}


def near(what, one, ours, theirs, tolerance):
    """Compares relative to theirs."""
    global faults
    gap = abs(ours - theirs) / theirs
    worst[what] = max(worst.get(what, 0.0), gap)
    if not gap <= tolerance:
        print(f"{what}: {ours} here, {theirs} there, of {one}")
        faults += 1


with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)

for one in given:
    q, sigma, steps, delta = (one[key] for key in ("sampleRate", "noiseMultiplier", "steps", "delta"))
    accountant = RdpAccountant(ORDERS, dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    event = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma))
    accountant.compose(dp_accounting.SelfComposedDpEvent(event, steps))
    # between whole orders it takes a bound from above, which is a little more than the divergence
    near("dp_accounting, RDP", one, one["rdp"], accountant.get_epsilon(delta), 3e-4)
    loss = privacy_loss_distribution.from_gaussian_mechanism(
        sigma, sampling_prob=q, value_discretization_interval=GRID, use_connect_dots=True
    )
    near("dp_accounting, PLD", one, one["pld"], loss.self_compose(steps).get_epsilon_for_delta(delta), 1e-4)
    if opacus_rdp is not None:
        divergences = opacus_rdp.compute_rdp(q=q, noise_multiplier=sigma, steps=steps, orders=ORDERS)
        epsilon, _ = opacus_rdp.get_privacy_spent(orders=ORDERS, rdp=divergences, delta=delta)
        near("Opacus, RDP", one, one["rdp"], epsilon, 1e-6)

if opacus_rdp is None:
    print("Opacus is not here: not compared with it")
print("largest gaps: " + ", ".join(f"{what} {gap:.0e}" for what, gap in worst.items()))
sys.exit(1 if faults else 0)
