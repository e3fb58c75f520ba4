"""DilatedNet: dilated convolutions until every position sees the whole axis, at full resolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from corespot.models.catalogue.dilated import DilatedConfig, dilations
from corespot.models.layers import Convolution, Dense, batch_norm


class DilatedBlock(nn.Module):
    """ReLU, dilated convolution, BN, plus its input."""

    def __init__(self, n_channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = Convolution(n_channels, n_channels, kernel, dilation=dilation)
        self.norm = batch_norm(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, L) -> (B, channels, L)."""
        result: Tensor = self.norm(self.conv(functional.relu(x))).add_(x)
        return result


class DilatedNet(nn.Module):
    """Residual network of dilated convolutions; 55,536 parameters at 27,286 bins.

    Parameters
    ----------
    config : DilatedConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis; the number of layers follows from it.
    n_classes : int
        Number of classes, at least 2.

    References
    ----------
    van Kersbergen et al., "Cancer detection in mass spectrometry imaging data by dilated
    convolutional neural networks", SPIE Medical Imaging 2019, doi:10.1117/12.2512360.

    Notes
    -----
    Deviation: a reconstruction. Only the abstract is public: one-dimensional dilated convolutions
    that see local and global mass patterns without more parameters and without down-sampling. The
    numbers of layers, channels and taps, the residual blocks and the head are ours. The head keeps
    the position: an average over the axis would forget which peak is high. The logarithm of one
    plus the scaled intensity comes first (negative ones count as zero): without it the network
    errs more on slides it was not trained on.
    """

    #: Its convolutions are so narrow that bfloat16 on a CPU costs accuracy for little time.
    bf16_pays_on_cpu = False

    def __init__(self, config: DilatedConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        _, *further = dilations(config, n_bins)
        n, kernel = config.channels, config.kernel
        self.stem = Convolution(1, n, kernel)
        self.stem_norm = batch_norm(n)
        self.blocks = nn.Sequential(*(DilatedBlock(n, kernel, d) for d in further))
        self.squeeze = Convolution(n, config.maps, 1)
        self.norm = batch_norm(config.maps)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = Dense(config.maps * n_bins, n_classes)

    def forward_maps(self, x: Tensor) -> Tensor:
        """Maps before their batch norm, (B, n_bins) -> (B, maps, n_bins)."""
        logs = x.clamp(min=0).log1p().unsqueeze(1)  # (B, 1, n_bins)
        h = self.stem_norm(self.stem(logs))  # (B, channels, n_bins)
        maps: Tensor = self.squeeze(functional.relu(self.blocks(h)))
        return maps

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, maps * n_bins)."""
        return functional.relu(self.norm(self.forward_maps(x))).flatten(1)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, maps * n_bins) -> (B, n_classes)."""
        scores: Tensor = self.dense(self.dropout(features))
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))
