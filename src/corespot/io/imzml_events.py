"""What the reader of an imzML file listens to, however the bytes come to the parser."""

from __future__ import annotations

from typing import Any

from lxml import etree

from corespot.io.imzml_builder import IndexBuilder

STARTS = ("mzML", "spectrumList")
ENDS = ("fileContent", "referenceableParamGroup", "scanSettings", "spectrum", "chromatogram")

#: Neither entities nor files nor the network, for every parser of this reader.
PARSER: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def tags(*names: str) -> list[str]:
    """Names of elements in any namespace, or in none."""
    return [f"{{*}}{name}" for name in names]


class Listener:
    """Hands the events of a parser to an `IndexBuilder` and drops what has been read.

    Parameters
    ----------
    builder : IndexBuilder
        Takes the elements.
    """

    def __init__(self, builder: IndexBuilder) -> None:
        self._builder = builder
        # The name of the element is looked up per distinct tag, not split per element.
        self._names: dict[str, str] = {}

    def name(self, element: Any) -> str:
        """Name of an element without its namespace."""
        tag = element.tag
        return self._names.get(tag) or self._names.setdefault(tag, etree.QName(tag).localname)

    def take(self, event: str, element: Any) -> None:
        """Take one event."""
        name = self.name(element)
        if event == "start":
            if name in STARTS:
                self._builder.start(name, element)
            return
        if name == "spectrum":
            self._builder.spectrum(element)
        elif name in ENDS:
            self._builder.header(name, element)
        if name in ("spectrum", "chromatogram"):
            # Drop what has been read, siblings before it included: memory stays bounded.
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
