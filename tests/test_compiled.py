"""Kernels run wherever the program was installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KERNEL = """
from corespot.compiled import compiled

@compiled
def doubled(value):
    return 2 * value
"""


def run(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if "NUMBA" not in key}
    environment.update(HOME=str(home), XDG_CACHE_HOME=str(home / ".cache"))
    return subprocess.run(
        [sys.executable, "-c", "from some_kernel import doubled; print(doubled(21))"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_machine_code_is_kept_beside_the_source(tmp_path):
    (tmp_path / "some_kernel.py").write_text(KERNEL)
    assert run(tmp_path, tmp_path / "home").stdout == "42\n"
    assert list((tmp_path / "__pycache__").glob("*.nbc"))


def test_nowhere_to_write_is_no_reason_to_stop(tmp_path):
    (tmp_path / "some_kernel.py").write_text(KERNEL)
    # Files where folders are needed: not even root can write into them.
    (tmp_path / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    done = run(tmp_path, tmp_path / "home")
    assert done.stdout == "42\n", done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_installation(tmp_path):
    source = tmp_path / "installed"
    source.mkdir()
    (source / "some_kernel.py").write_text(KERNEL)
    source.chmod(0o555)
    try:
        done = run(source, tmp_path / "home")
        assert done.stdout == "42\n", done.stderr
    finally:
        source.chmod(0o755)
