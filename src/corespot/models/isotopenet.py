"""IsotopeNet: a small residual network whose features see about one isotope pattern."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from corespot.models.catalogue.isotopenet import BLOCKS, IsotopeNetConfig
from corespot.models.fused_block import computed_on_gpu, fused_block, is_fused
from corespot.models.isotope_block import compiled_block, computed_by, is_served
from corespot.models.layers import Convolution, Dense, LocallyConnected, batch_norm


class IsotopeBlock(nn.Module):
    """ReLU, conv 3, BN, ReLU, conv 3 with stride, BN, plus a shortcut; no ReLU after the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Convolution(n_in, n_out, 3)
        self.norm1 = batch_norm(n_out)
        self.conv2 = Convolution(n_out, n_out, 3, stride)
        self.norm2 = batch_norm(n_out)
        changes = n_in != n_out or stride != 1
        self.shortcut = Convolution(n_in, n_out, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        around = self.shortcut.weight if isinstance(self.shortcut, Convolution) else None
        weights = self.conv1.weight, self.conv2.weight, around
        norms = self.norm1, self.norm2
        if is_served(x, weights[0], *norms):
            return compiled_block(x, *weights, *norms, self.conv2.stride)
        if is_fused(x, weights[0], *norms):
            return fused_block(x, *weights, *norms, self.conv2.stride)
        h = self.norm1(self.conv1(functional.relu(x)))
        h = self.norm2(self.conv2(functional.relu(h)))
        result: Tensor = h + self.shortcut(x)
        return result


class IsotopeNet(nn.Module):
    """Residual network with a locally connected layer; 13,935 parameters at 27,286 bins.

    Parameters
    ----------
    config : IsotopeNetConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis, at least 15 (local_kernel - 1) + 1.
    n_classes : int
        Number of classes, at least 2.

    Raises
    ------
    ModelError
        If the axis is too short.

    References
    ----------
    Behrmann et al., "Deep learning for tumor classification in imaging mass spectrometry",
    Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724, Table I.

    Notes
    -----
    Deviation: Table I gives kernel 3 for the locally connected layer, which makes 10,295
    parameters at 27,286 bins; only kernel 5 makes the 13,935 the paper reports, so 5 it is.
    """

    #: Its convolutions are so narrow that bfloat16 on a CPU costs accuracy for little time.
    bf16_pays_on_cpu = False
    #: A step has fixed shapes and reads nothing back: a GPU can replay it.
    steps_as_graph = True

    def __init__(self, config: IsotopeNetConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        length = config.length(n_bins)
        self.n_bins = n_bins
        self.blocks = nn.Sequential(*(IsotopeBlock(*block) for block in BLOCKS))
        self.dropout = nn.Dropout(config.dropout)
        self.local = LocallyConnected(length, config.local_kernel)
        self.norm = batch_norm(1)
        self.dense = Dense(length, n_classes)

    @property
    def found(self) -> dict[str, str]:
        """What a fit tells of it beside its settings."""
        return {"blocks_computed_by": computed_on_gpu(self) or computed_by(self, self.n_bins)}

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, length)."""
        h = self.blocks(x.unsqueeze(1)).squeeze(1)  # (B, length)
        h = self.local(self.dropout(functional.relu(h)))
        h = self.norm(h.unsqueeze(1)).squeeze(1)
        return functional.relu(h)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, length) -> (B, n_classes)."""
        scores: Tensor = self.dense(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))
