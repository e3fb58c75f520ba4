"""Reading the XML of an imzML file into its index.

Why not pyimzml's parser here: it stops at files without a referenceableParamGroup, drops the
encoded lengths (so zlib cannot be read and contradictions go unseen), knows neither 8- and 16-bit
integers nor types given per array, expands entities, and builds Python lists. This index is one
streaming pass of libxml2 with entities, network and DTD loading off, in memory proportional to
the number of spectra. pyimzml stays the referee: the check before a first import compares every
offset, length and position with its reading (see `corespot.io.imzml_check`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from corespot.errors import CohortError
from corespot.io.imzml_builder import IndexBuilder
from corespot.io.imzml_guard import ends_properly, refuse_unsafe_xml
from corespot.io.imzml_index import ImzMLIndex
from corespot.io.imzml_problems import make_problem
from corespot.progress import track


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
    starts = ("mzML", "spectrumList")
    ends = ("fileContent", "referenceableParamGroup", "scanSettings", "spectrum", "chromatogram")
    events = etree.iterparse(
        file,
        events=("start", "end"),
        tag=[f"{{*}}{name}" for name in starts + ends],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    # The name of the element is looked up per distinct tag, not split per element.
    names: dict[str, str] = {}
    for event, element in track(events, label=f"index {builder.name}", unit="events"):
        tag = element.tag
        name = names.get(tag) or names.setdefault(tag, etree.QName(tag).localname)
        if event == "start":
            if name in starts:
                builder.start(name, element)
            continue
        if name == "spectrum":
            builder.spectrum(element)
        elif name in ends:
            builder.header(name, element)
        if name in ("spectrum", "chromatogram"):
            # Drop what has been read, siblings before it included: memory stays bounded.
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
