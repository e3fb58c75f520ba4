"""Tissue on a TMA: round cores on a grid of spots, a tumour region inside stroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.settings import Settings
from corespot.synth.design import TmaPlan

IntArray = npt.NDArray[np.int64]


class TissueSettings(Settings):
    """Geometry of cores and regions; one step of x or y is the distance of two spots.

    Parameters
    ----------
    spot_distance_um : float
        Distance of neighbouring spots.
    core_radius : tuple of float
        Smallest and largest radius of a core in spots.
    gap : int
        Empty rows and columns between the largest cores.
    roi_fraction : tuple of float
        Smallest and largest share of a core's spots inside the tumour region.
    impurity : float
        Share of the region's spots that hold no tumour cells all the same.
    background_per_tma : int
        Measured spots outside all cores; they have no row in the spot table.
    """

    spot_distance_um: float = Field(default=150.0, gt=0)
    core_radius: tuple[float, float] = (2.0, 2.7)
    gap: int = Field(default=2, ge=1)
    roi_fraction: tuple[float, float] = (0.35, 0.70)
    impurity: float = Field(default=0.18, ge=0, le=0.5)
    background_per_tma: int = Field(default=6, ge=0)


@dataclass(frozen=True, eq=False)
class TmaTissue:
    """Every measured spot of a TMA, by rows of the stage, background included.

    Parameters
    ----------
    coordinates : ndarray of int64, shape (n, 3)
        x, y, z of each spot, from 1.
    core : ndarray of int64, shape (n,)
        Index into `core_names`; -1 on background.
    roi : ndarray of bool, shape (n,)
        Inside the tumour region.
    tumour : ndarray of bool, shape (n,)
        Holds tumour cells: the region less its impurity.
    core_names : tuple of str
        Names of the cores.
    core_patient : ndarray of int64, shape (n_cores,)
        Index of each core's patient in the plan.
    """

    coordinates: IntArray
    core: IntArray
    roi: npt.NDArray[np.bool_]
    tumour: npt.NDArray[np.bool_]
    core_names: tuple[str, ...]
    core_patient: IntArray


def lay_out_tma(plan: TmaPlan, settings: TissueSettings, rng: np.random.Generator) -> TmaTissue:
    """Place the cores of a TMA in rows and columns and draw the tumour region of each.

    Control cores come after the others, which lie where they would lie without them.
    """
    core_patient = np.repeat(
        np.arange(len(plan.patients)), [patient.n_cores for patient in plan.patients]
    ).astype(np.int64)
    is_control = np.array([patient.control for patient in plan.patients])[core_patient]
    controls = core_patient[is_control]
    core_patient = rng.permutation(core_patient[~is_control])
    n_columns = int(np.ceil(np.sqrt(core_patient.size)))
    core_patient = np.concatenate([core_patient, controls])
    n_cores = core_patient.size
    largest = int(np.floor(settings.core_radius[1]))
    pitch = 2 * largest + 1 + settings.gap
    n_rows = int(np.ceil(n_cores / n_columns))

    points: list[IntArray] = []
    core: list[IntArray] = []
    roi: list[npt.NDArray[np.bool_]] = []
    tumour: list[npt.NDArray[np.bool_]] = []
    for index in range(n_cores):
        row, column = divmod(index, n_columns)
        centre = np.array([column, row]) * pitch + largest + 2
        disc = disc_points(float(rng.uniform(*settings.core_radius)))
        inside = draw_region(disc, float(rng.uniform(*settings.roi_fraction)), rng)
        points.append(disc + centre)
        core.append(np.full(len(disc), index, dtype=np.int64))
        roi.append(inside)
        tumour.append(inside & (rng.random(len(disc)) >= settings.impurity))

    xy = np.concatenate(points)
    extent = np.array([n_columns, n_rows]) * pitch + 1
    outside = _free_points(xy, extent, settings.background_per_tma, rng)
    n_outside = len(outside)
    xy = np.concatenate([xy, outside])
    order = np.lexsort((xy[:, 0], xy[:, 1]))
    none = np.zeros(n_outside, dtype=bool)
    return TmaTissue(
        coordinates=np.column_stack([xy, np.ones(len(xy), dtype=np.int64)])[order],
        core=np.concatenate([*core, np.full(n_outside, -1, dtype=np.int64)])[order],
        roi=np.concatenate([*roi, none])[order],
        tumour=np.concatenate([*tumour, none])[order],
        core_names=tuple(f"{plan.tma}-C{index + 1:03d}" for index in range(n_cores)),
        core_patient=core_patient,
    )


def disc_points(radius: float) -> IntArray:
    """Integer points within `radius` of the origin, shape (n, 2)."""
    reach = int(np.floor(radius))
    side = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(side, side)
    keep = x**2 + y**2 <= radius**2
    return np.column_stack([x[keep], y[keep]]).astype(np.int64)


def draw_region(
    points: IntArray, fraction: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Mark an irregular, star-shaped region that holds about `fraction` of the points.

    At least one point lies inside and, of two or more, at least one outside.
    """
    radius = float(np.sqrt(np.max(np.sum(points**2, axis=1))))
    centre = rng.uniform(-0.35, 0.35, 2) * radius
    dx, dy = (points - centre).T
    angle = np.arctan2(dy, dx)
    outline = np.ones(len(points))
    for lobes in (2, 3, 5):
        outline += (
            0.25 / lobes * rng.standard_normal() * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
        )
    distance = np.hypot(dx, dy) / np.maximum(outline, 0.3)
    n_inside = min(max(round(fraction * len(points)), 1), max(len(points) - 1, 1))
    inside = np.zeros(len(points), dtype=bool)
    inside[np.argsort(distance, kind="stable")[:n_inside]] = True
    return inside


def _free_points(
    taken: IntArray, extent: npt.NDArray[np.int64], wanted: int, rng: np.random.Generator
) -> IntArray:
    """Points of the stage at least one step away from every core."""
    free = np.ones(extent + 2, dtype=bool)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            free[taken[:, 0] + dx, taken[:, 1] + dy] = False
    free[[0, -1], :] = False
    free[:, [0, -1]] = False
    candidates = np.argwhere(free)
    chosen = rng.choice(len(candidates), min(wanted, len(candidates)), replace=False)
    return candidates[np.sort(chosen)].astype(np.int64)
