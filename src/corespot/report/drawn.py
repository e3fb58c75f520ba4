"""Parts of a page that draw themselves; apart from pages, so that text output needs no plotly."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Drawn(ABC):
    """What gives its own HTML, everything from outside escaped."""

    @property
    @abstractmethod
    def html(self) -> str:
        """Escaped HTML."""
