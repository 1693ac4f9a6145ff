"""Least squares by SGD, exactly: no sampling, so that what is predicted can be held against what is true.

Inputs are Gaussian with variances λᵢ = i^−a, targets w*ᵢ with λᵢ w*ᵢ² = i^−b and signs at random, noise σ². For the second
moments vᵢ of the errors wᵢ − w*ᵢ an update with one sample is

    vᵢ ← vᵢ (1 − 2ηλᵢ + 2η²λᵢ²) + η²λᵢ (Σⱼ λⱼvⱼ + σ²)

because E[x xᵀ V x xᵀ] = 2ΛVΛ + tr(ΛV)Λ for Gaussian x. The loss is ½(Σ λᵢvᵢ + σ²).
"""

import numpy as np


def risks(rates: np.ndarray, *, modes: int = 300, a: float = 1.6, b: float = 1.4, noise: float = 1.0) -> np.ndarray:
    """The loss before every update and after the last: (schedules, updates + 1), of rates (schedules, updates)."""
    index = np.arange(1.0, modes + 1)
    variances = index**-a
    v = np.tile(index**-b / variances, (len(rates), 1))
    found = np.empty((len(rates), rates.shape[1] + 1))
    for step in range(rates.shape[1] + 1):
        excess = v @ variances
        found[:, step] = (excess + noise) / 2
        if step < rates.shape[1]:
            moved = rates[:, step : step + 1] * variances
            v = v * (1 - 2 * moved + 2 * moved**2) + moved * rates[:, step : step + 1] * (excess + noise)[:, None]
    return found
