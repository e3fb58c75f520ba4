"""Several networks of one architecture that segment together, by the mean of their maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Committee(nn.Module):
    """Networks that were trained on different parts of the data; their logits are averaged.

    It takes their place in prediction: its front makes the channels of all, its features are
    those of all.

    Parameters
    ----------
    members : sequence of nn.Module
        Networks with a `front`, `multiple`, `forward_features`, and maps of shape (B, 2, height,
        width) whose last channel is the mask.
    scales : sequence of float
        Factor by which the committee's spectra are multiplied before a member's front: each was
        trained on spectra of its own scale.

    References
    ----------
    Krogh, Vedelsby, "Neural network ensembles, cross validation, and active learning", NIPS 1995.
    """

    scales: Tensor

    def __init__(self, members: Sequence[nn.Module], scales: Sequence[float]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("scales", torch.tensor(scales, dtype=torch.float64))

    @property
    def front(self) -> nn.Module:
        """The channels of all members, one after the other."""
        return _CommitteeFront(self)

    @property
    def multiple(self) -> int:
        """Height and width of the images are multiples of this."""
        return int(self.members[0].multiple)  # type: ignore[arg-type]

    def forward_features(self, images: Tensor) -> Tensor:
        """Features of all members: (B, k n_channels + 1, height, width) -> (B, k width, ...)."""
        found = [
            member.forward_features(own)  # type: ignore[operator]
            for member, own in self._shares(images)
        ]
        return torch.cat(found, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Mean logits, and the mask: (B, k n_channels + 1, height, width) -> (B, 2, ...)."""
        return torch.stack([member(own) for member, own in self._shares(images)]).mean(0)

    def _shares(self, images: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Each member with its channels and the mask."""
        values, mask = images[:, :-1], images[:, -1:]
        parts = values.chunk(len(self.members), 1)
        own = (torch.cat([part, mask], 1) for part in parts)
        return list(zip(self.members, own, strict=True))


class _CommitteeFront(nn.Module):
    """Scaled spectra (B, n_bins) -> the channels of every member (B, k n_channels)."""

    def __init__(self, committee: Committee) -> None:
        super().__init__()
        # In a tuple the committee is not registered again, as a part of its own part.
        self._committee = (committee,)

    def forward(self, x: Tensor) -> Tensor:
        committee = self._committee[0]
        scales = committee.scales.tolist()
        pairs = zip(committee.members, scales, strict=True)
        return torch.cat([member.front(x * scale) for member, scale in pairs], 1)  # type: ignore[operator]
