"""A small, faultless cohort folder for tests to break."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from corespot.io.imzml import write_imzml

MZ = np.linspace(800.0, 900.0, 12)

#: Two TMAs with a 4 x 3 grid each; core a and b on A.imzML, c and d on B.imzML.
SPOTS = """\
file,x,y,core,roi,subtype
A.imzML,1,1,a,1,AD
A.imzML,2,1,a,1,AD
A.imzML,3,1,b,1,SQ
A.imzML,4,1,b,0,
B.imzML,1,1,c,1,AD
B.imzML,2,1,c,1,AD
B.imzML,3,1,d,1,SQ
B.imzML,4,1,d,1,SQ
"""
CORES = """\
core,tma,patient,organ,age
a,T1,p1,lung,61
b,T1,p2,pancreas,45
c,T2,p3,lung,70
d,T2,p4,pancreas,66
"""
MARKERS = """\
name,mz,tolerance
CK7,806.6,0.3 Da
CK15,821.8,200 ppm
CK15,877.8,
"""


def write_measurement(path: Path, *, empty: tuple[int, ...] = (), seed: int = 0) -> None:
    """A 4 x 3 grid of spectra, some of them all zero."""
    coordinates = np.array([(x, y, 1) for y in (1, 2, 3) for x in (1, 2, 3, 4)])
    intensities = np.random.default_rng(seed).random((12, MZ.size), dtype=np.float32) + 0.1
    intensities[list(empty)] = 0.0
    write_imzml(path, coordinates=coordinates, blocks=[intensities], mz=MZ)


def make_folder(
    folder: Path, *, spots: str | bytes = SPOTS, cores: str | bytes = CORES, markers: str = MARKERS
) -> Path:
    """Write a cohort folder with the given tables."""
    folder.mkdir(parents=True)
    write_measurement(folder / "A.imzML", empty=(1, 9))
    write_measurement(folder / "B.imzML", seed=1)
    for name, content in (("spots.csv", spots), ("cores.csv", cores), ("markers.csv", markers)):
        raw = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(raw)
    return folder
