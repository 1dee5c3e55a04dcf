"""Computes again with scikit-learn what scripts/interop/learning.ts wrote; exit code 1 where one differs."""

import json
import sys

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from comparison import end, near

def calibration_error(labels, chances):
    """Ten bins of equal width; each bin's gap, weighed by its rows."""
    observed, predicted = calibration_curve(labels, chances, n_bins=10, strategy="uniform")
    rows = np.histogram(chances, bins=np.linspace(0, 1, 11))[0]
    return np.sum(np.abs(observed - predicted) * rows[rows > 0]) / len(labels)


with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)

for one in given["measures"]:
    labels, logits, ours = np.array(one["labels"]), np.array(one["logits"]), one["metrics"]
    chances = 1 / (1 + np.exp(-logits))
    near("AUC", ours["auc"], roc_auc_score(labels, logits), 1e-12)
    near("accuracy", ours["accuracy"], accuracy_score(labels, logits > 0), 1e-12)
    near("log-loss", ours["logLoss"], log_loss(labels, chances), 1e-12)
    near("Brier", ours["brier"], brier_score_loss(labels, chances), 1e-12)
    near("calibration error", ours["calibrationError"], calibration_error(labels, chances), 1e-12)

rows = np.array([[np.nan if value is None else value for value in row] for row in given["statistics"]["rows"]])
scaler = StandardScaler().fit(rows)
near("mean", given["statistics"]["scaling"]["mean"], scaler.mean_, 1e-12)
# a variance from sums of squares loses digits where the mean is a million deviations away; scikit-learn sums around the mean
near("deviation", given["statistics"]["scaling"]["deviation"], scaler.scale_, 1e-3)
near("deviation, well scaled", np.array(given["statistics"]["scaling"]["deviation"])[[0, 2, 3]], scaler.scale_[[0, 2, 3]], 1e-12)

fit = given["logistic"]
y = np.array(fit["y"])
x = np.array(fit["x"]).reshape(len(y), fit["columns"])
model = LogisticRegression(C=1 / (fit["l2"] * len(y)), tol=1e-10, max_iter=10_000).fit(x, y)
near("logistic regression", [*fit["coefficients"], fit["intercept"]], [*model.coef_[0], *model.intercept_], 1e-4)

end()
