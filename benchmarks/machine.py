"""What a figure was measured on: processor, cores, accelerator, versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Packages whose version is told with a figure, by the module that shows that one was used.
PACKAGES = {
    "dvc": "dvc",
    "lxml": "lxml",
    "numba": "numba",
    "numpy": "numpy",
    "pandas": "pandas",
    "pybaselines": "pybaselines",
    "pyimzml": "pyimzml",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
}


def machine() -> str:
    """Processor, cores and (if torch was used, and sees one) the accelerator, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else "no GPU used"
    return f"{_processor()}, {cores} cores, {gpu}"


def versions() -> dict[str, str]:
    """Python's version, and those of the packages that this process has imported."""
    found = {"python": platform.python_version()}
    for module, package in PACKAGES.items():
        if module in sys.modules:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "not installed as a package"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.processor() or platform.machine()
