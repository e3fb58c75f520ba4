"""ResidualNet: a deep residual network that thins its axis until few positions are left."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from corespot.models.catalogue.residualnet import KERNEL, ResidualNetConfig, block_plan
from corespot.models.layers import Convolution, Dense, batch_norm


class ResidualNetBlock(nn.Module):
    """ReLU, conv 5, BN, ReLU, BN, conv 5 with stride, plus a shortcut; nothing after the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Convolution(n_in, n_out, KERNEL)
        self.norm1 = batch_norm(n_out)
        self.norm2 = batch_norm(n_out)
        self.conv2 = Convolution(n_out, n_out, KERNEL, stride)
        changes = n_in != n_out or stride != 1
        self.shortcut = Convolution(n_in, n_out, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        h = self.norm1(self.conv1(functional.relu(x)))
        h = self.conv2(self.norm2(functional.relu(h)))
        result: Tensor = h + self.shortcut(x)
        return result


class ResidualNet(nn.Module):
    """Residual network with global average pooling; 2,132,130 parameters at 27,286 bins.

    Parameters
    ----------
    config : ResidualNetConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis, at least 31.
    n_classes : int
        Number of classes, at least 2.

    Raises
    ------
    ModelError
        If the axis is too short.

    References
    ----------
    Behrmann et al., "Deep learning for tumor classification in imaging mass spectrometry",
    Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724.
    """

    #: Its convolutions are wide enough for the bfloat16 matrix units of recent CPUs.
    bf16_pays_on_cpu = True
    #: A step has fixed shapes and reads nothing back: a GPU can replay it.
    steps_as_graph = True
    #: On a GPU a compiler joins rectifiers and normalisations, which do little but carry.
    compile_on_gpu = True

    def __init__(self, config: ResidualNetConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        plan = block_plan(config, n_bins)
        self.blocks = nn.Sequential(*(ResidualNetBlock(*block) for block in plan))
        self.dense = Dense(plan[-1][1], n_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, 2 most_filters)."""
        h: Tensor = self.blocks(x.unsqueeze(1))
        return h.mean(2)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, 2 most_filters) -> (B, n_classes)."""
        scores: Tensor = self.dense(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))
