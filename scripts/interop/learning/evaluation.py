"""Computes again what scripts/interop/evaluation.ts wrote; exit code 1 where one differs."""

import json
import sys

import numpy as np
from scipy.optimize import minimize
from scipy.stats import binomtest, norm
from sklearn.metrics import brier_score_loss, roc_auc_score

from comparison import end, near

Z = norm.ppf(0.975)


def delong(labels, scores):
    """AUCs and their covariance by the definition of 1988: each positive row against each negative one."""
    placements = []
    for one in scores:
        positive, negative = one[labels == 1], one[labels == 0]
        beats = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
        placements.append((beats.mean(axis=1), beats.mean(axis=0)))
    v10, v01 = np.array([p[0] for p in placements]), np.array([p[1] for p in placements])
    return v10.mean(axis=1), np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]


def wald(x, y, free):
    """The most likely a and b of a + b * x, b = 1 unless it is free; the wanted one with Wald's interval."""
    design = np.column_stack([np.ones_like(x), x])

    def loss(theta):
        z = design @ (theta if free else np.array([theta[0], 1.0]))
        return np.sum(np.logaddexp(0, z) - y * z)

    found = minimize(loss, np.array([0.0, 1.0]) if free else np.array([0.0]), method="BFGS", options={"gtol": 1e-8})
    theta = found.x if free else np.array([found.x[0], 1.0])
    p = 1 / (1 + np.exp(-(design @ theta)))
    information = (design * (p * (1 - p))[:, None]).T @ design
    variance = np.linalg.inv(information)[1, 1] if free else 1 / information[0, 0]
    value = theta[1] if free else theta[0]
    return [value, value - Z * np.sqrt(variance), value + Z * np.sqrt(variance)]


with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)

for one in given["models"]:
    labels, logits = np.array(one["labels"]), np.array(one["logits"])
    near("Brier", one["brier"], brier_score_loss(labels, 1 / (1 + np.exp(-logits[0]))), 1e-12)
    aucs, covariance = delong(labels, logits)
    near("AUC", one["auc"][0], roc_auc_score(labels, logits[0]), 1e-12)
    spread = Z * np.sqrt(covariance[0, 0])
    near("DeLong", one["auc"], [aucs[0], max(0, aucs[0] - spread), min(1, aucs[0] + spread)], 1e-12)
    gain, spread = aucs[0] - aucs[1], Z * np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    near("DeLong, paired", one["difference"], [gain, max(-1, gain - spread), min(1, gain + spread)], 1e-12)
    near("slope", one["slope"], wald(logits[0], labels, True), 1e-5)
    near("intercept", one["intercept"], wald(logits[0], labels, False), 1e-5)

for one in given["shares"]:
    interval = binomtest(one["count"], one["of"]).proportion_ci(0.95, method="wilson")
    near("Wilson", one["wilson"][1:], [interval.low, interval.high], 1e-12)

end()
