"""One script's quick rows as JSON, measured in the process that this starts as.

python -m benchmarks.measured benchmarks.ROOM.NAME OUT.json
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.machine import machine, versions

from corespot.io.artifacts import write_json


def measure(module: str, out: Path) -> None:
    """Write the quick rows of `module`, with machine and versions, to `out`."""
    rows = import_module(module).rows(True)
    content = [
        {
            "work": row.work,
            "peer": row.peer,
            "peer_s": row.peer_s,
            "ours_s": row.ours_s,
            "ratio": row.ratio,
            "note": row.note,
        }
        for row in rows
    ]
    write_json(out, {"machine": machine(), "versions": versions(), "rows": content})


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
