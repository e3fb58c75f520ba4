"""Reading the XML of an imzML file into its index.

Why not pyimzml's parser here: it stops at files without a referenceableParamGroup, drops the
encoded lengths (so zlib cannot be read and contradictions go unseen), knows neither 8- and 16-bit
integers nor types given per array, expands entities, and builds Python lists. This index is one
streaming pass of libxml2 with entities, network and DTD loading off, in memory proportional to
the number of spectra; large files are scanned instead, where the scan understands every byte of
them (see `corespot.io.imzml_scan`). pyimzml stays the referee: the check before a first import
compares offsets, lengths and positions with its reading (see `corespot.io.imzml_check`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from corespot.errors import CohortError
from corespot.io import imzml_events as events
from corespot.io.imzml_builder import IndexBuilder
from corespot.io.imzml_guard import ends_properly, refuse_unsafe_xml
from corespot.io.imzml_index import ImzMLIndex
from corespot.io.imzml_problems import make_problem
from corespot.io.imzml_scan import scan_index
from corespot.progress import track

#: Smaller files are parsed sooner than the scan is loaded.
SCAN_FROM_BYTES = 1 << 20


def read_index(path: Path) -> ImzMLIndex:
    """Read the index of an .imzML file in one pass.

    Parameters
    ----------
    path : Path
        The .imzML file.

    Returns
    -------
    ImzMLIndex
        With its `log` of faults that leave the rest readable.

    Raises
    ------
    CohortError
        If the file is missing, no XML, unsafe, broken, or without spectra.
    """
    if not path.is_file():
        found = "this is a folder" if path.is_dir() else "there is no such file"
        raise CohortError([make_problem("missing-imzml", path.name, found)])
    try:
        if path.stat().st_size >= SCAN_FROM_BYTES:
            index = scan_index(path)
            if index is not None:
                return index
        refuse_unsafe_xml(path)
        builder = IndexBuilder(path.name)
        with path.open("rb") as file:
            _walk(file, builder)
    except OSError as error:
        found = error.strerror or str(error)
        raise CohortError([make_problem("unreadable-file", path.name, found)]) from error
    except etree.XMLSyntaxError as error:
        code = "malformed-xml" if ends_properly(path) else "truncated-xml"
        raise CohortError([make_problem(code, path.name, str(error.msg))]) from error
    return builder.finish()


def _walk(file: Any, builder: IndexBuilder) -> None:
    listener = events.Listener(builder)
    parsed = etree.iterparse(
        file,
        events=("start", "end"),
        tag=events.tags(*events.STARTS, *events.ENDS),
        **events.PARSER,
    )
    for event, element in track(parsed, label=f"index {builder.name}", unit="events"):
        listener.take(event, element)
