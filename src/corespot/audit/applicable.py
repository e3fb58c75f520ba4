"""What cannot be said of this data: reported as such, never as fine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NotApplicable:
    """An indicator that this data, design or model does not support.

    Parameters
    ----------
    reason : str
        Why, and what would change it.
    """

    reason: str

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {"not_applicable": self.reason}
