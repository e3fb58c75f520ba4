"""Compiled asymmetric least squares: sixteen rows at a time, each until its own weights settle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]
IntVector = npt.NDArray[np.int64]

#: Rows solved side by side. Each step of a solution waits for the one before it, but sixteen
#: solutions fill that time; with a constant so small the compiler makes vectors of them.
LANES = 16
#: Lanes that must be free before new rows are read in: a pass over memory serves all of them.
_WORTH_A_PASS = 4
# Per bin, sixteen values each of: data, weight, 1/d and l of the factor LDLᵀ, and the solution.
_W, _R, _L, _Z = LANES, 2 * LANES, 3 * LANES, 4 * LANES
_BIN = 5 * LANES


@compiled
def factor(work: FloatVector, n: int, smoothness: float) -> None:
    """Factor W + λDᵀD = LDLᵀ from first bin to last, and solve L on the way.

    Two bins of zeros lie before the first, so that it has neighbours like every other.
    """
    for i in range(n):
        # Row i of λDᵀD: the diagonal, and the bands one and two to the left.
        ends = min(i, n - 1 - i)
        diagonal = smoothness * (1.0 if ends == 0 else (5.0 if ends == 1 else 6.0))
        if n == 3 and i == 1:
            diagonal = smoothness * 4.0
        first = smoothness * (0.0 if i == 0 else (-2.0 if i == 1 or i == n - 1 else -4.0))
        second = smoothness if i >= 2 else 0.0
        here = work[(i + 2) * _BIN : (i + 3) * _BIN]
        one = work[(i + 1) * _BIN : (i + 2) * _BIN]
        two = work[i * _BIN : (i + 1) * _BIN]
        for k in range(LANES):
            rest = first - second * one[_L + k]
            near, far = rest * one[_R + k], second * two[_R + k]
            here[_L + k] = near
            here[_R + k] = 1.0 / (diagonal + here[_W + k] - rest * near - second * far)
            here[_Z + k] = here[_W + k] * here[k] - near * one[_Z + k] - far * two[_Z + k]


@compiled
def solve(
    work: FloatVector, n: int, smoothness: float, p: float, changed: FloatVector, above: FloatVector
) -> None:
    """Solve DLᵀ from last bin to first; new weights, how many changed, how many are `p`."""
    ahead, further, near = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    n_changed, n_above = np.zeros(LANES), np.zeros(LANES)
    for i in range(n - 1, -1, -1):
        second = smoothness if i + 2 < n else 0.0
        here = work[(i + 2) * _BIN : (i + 3) * _BIN]
        for k in range(LANES):
            inverse = here[_R + k]
            fit = here[_Z + k] * inverse - near[k] * ahead[k] - second * inverse * further[k]
            weight = p if here[k] > fit else 1.0 - p
            n_changed[k] += 1.0 if weight != here[_W + k] else 0.0
            n_above[k] += 1.0 if here[k] > fit else 0.0
            near[k] = here[_L + k]
            further[k] = ahead[k]
            ahead[k] = fit
            here[_W + k] = weight
            here[_Z + k] = fit
    for k in range(LANES):
        changed[k], above[k] = n_changed[k], n_above[k]


@compiled
def subtract_asls(
    spectra: Rows,
    smoothness: float,
    p: float,
    max_iterations: int,
    tolerance: float,
    above: Rows,
    below: FloatBlock,
) -> None:
    """Write what lies above the smooth curve, or the curve if `below` has rows."""
    n_rows, n = spectra.shape
    work = np.zeros((n + 2) * _BIN)
    row_of, rounds = np.full(LANES, -1), np.zeros(LANES, np.int64)
    changed, n_above, n_before = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    for i in range(2, n + 2):
        for k in range(LANES):
            work[i * _BIN + _W + k] = 1.0
    next_row, n_done = 0, 0
    lanes = np.empty(LANES, np.int64)
    while n_done < n_rows:
        n_free = 0
        for k in range(LANES):
            if row_of[k] < 0:
                lanes[n_free] = k
                n_free += 1
        if next_row < n_rows and (n_free >= _WORTH_A_PASS or n_free == n_rows - next_row):
            n_free = min(n_free, n_rows - next_row)
            for j in range(n_free):
                row_of[lanes[j]], rounds[lanes[j]] = next_row + j, 0
            for i in range(n):
                for j in range(n_free):
                    work[(i + 2) * _BIN + lanes[j]] = spectra[next_row + j, i]
                    work[(i + 2) * _BIN + _W + lanes[j]] = 1.0
            next_row += n_free
        factor(work, n, smoothness)
        solve(work, n, smoothness, p, changed, n_above)
        n_ended = 0
        for k in range(LANES):
            if row_of[k] < 0:
                continue
            # Squared norms of the weights and of their change, which take two values only.
            if rounds[k] == 0:
                change = n_above[k] * (1 - p) ** 2 + (n - n_above[k]) * p**2
                norm = float(n)
            else:
                change = changed[k] * (1 - 2 * p) ** 2
                norm = n_before[k] * p**2 + (n - n_before[k]) * (1 - p) ** 2
            n_before[k] = n_above[k]
            rounds[k] += 1
            if np.sqrt(change / norm) < tolerance or rounds[k] > max_iterations:
                lanes[n_ended] = k
                n_ended += 1
        for i in range(n if n_ended else 0):
            for j in range(n_ended):
                row, fit = row_of[lanes[j]], work[(i + 2) * _BIN + _Z + lanes[j]]
                if below.shape[0]:
                    below[row, i] = fit
                else:
                    above[row, i] = max(np.float64(spectra[row, i]) - fit, 0.0)
        for j in range(n_ended):
            row_of[lanes[j]] = -1
        n_done += n_ended
