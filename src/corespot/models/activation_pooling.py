"""The pooling neuron of CompSegNet in both published forms, with the loss of each."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Keeps the logarithm of the pooled activation finite.
_CLIP = 1e-4


def mean_activation(logits: Tensor, mask: Tensor) -> Tensor:
    """Mean over the spots of each image of the activation, the sigmoid of the logits.

    Parameters
    ----------
    logits : Tensor, shape (B, height, width)
        Activation map before its sigmoid.
    mask : Tensor, shape (B, height, width)
        1 where there is a spot, else 0.

    Returns
    -------
    Tensor, shape (B,)
        m = Σ(a M) / ΣM; 0 for an image without a spot.
    """
    return (torch.sigmoid(logits) * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


def saturating_pool(mean: Tensor, alpha: float, beta: float, gamma: float) -> Tensor:
    """α (2 / (1 + exp(-β m / α)) - 1) + γ m: 0 at 0, slope β / 2 + γ there, soon flat at α.

    Parameters
    ----------
    mean : Tensor, shape (B,)
        Mean activation m.
    alpha, beta, gamma : float
        Least share of tumour, steepness, and the slope that is left in the end.

    References
    ----------
    Schuhmacher et al., COMPAY 2019, section 3.2.
    """
    # 2 / (1 + exp(-z)) - 1 is tanh(z / 2), which does not overflow.
    return alpha * torch.tanh(0.5 * beta * mean / alpha) + gamma * mean


def interval_pool(mean: Tensor, alpha: float, beta: float) -> Tensor:
    """Rises from 0 to 1 at m = α, stays there up to α + β, falls to 0 at m = 1.

    Parameters
    ----------
    mean : Tensor, shape (B,)
        Mean activation m.
    alpha, beta : float
        Least share of tumour, and the range of shares above it that are as good. With
        α + β of 1 or more it does not fall.

    References
    ----------
    Schuhmacher et al., "A framework for falsifiable explanations of machine learning models",
    2022.
    """
    rising = (mean / alpha).clamp(0, 1)
    top = alpha + beta
    if top >= 1:
        return rising
    return rising + (-(mean - top) / abs(1 - top)).clamp(-1, 0)


def absolute_losses(
    logits: Tensor,
    mask: Tensor,
    positive: Tensor,
    weight: Tensor,
    *,
    alpha: float,
    beta: float,
    gamma: float,
) -> Tensor:
    """|o - α · positive| of each image, o the saturating pool: the first form's loss.

    Parameters
    ----------
    logits, mask : Tensor, shape (B, height, width)
        As in `mean_activation`.
    positive : Tensor, shape (B,)
        1 for an image that holds tumour, else 0.
    weight : Tensor, shape (B,)
        Of each image.
    alpha, beta, gamma : float
        Of the pool.

    Returns
    -------
    Tensor, shape (B,)
    """
    pooled = saturating_pool(mean_activation(logits, mask), alpha, beta, gamma)
    return weight * (pooled - alpha * positive).abs()


def entropy_losses(
    logits: Tensor,
    mask: Tensor,
    positive: Tensor,
    weight: Tensor,
    *,
    alpha: float,
    beta: float,
    margin: bool = True,
) -> Tensor:
    """Cross entropy of the interval pool, plus what keeps maps dark: the later form's loss.

    weight · BCE(p, y) + y · mean(-(1 - M) log(1 - a)) + (1 - y) · mean(-log(1 - a)), the means
    over all places of the image: no activation outside the tissue of a positive image, and none
    at all in a negative one.

    Parameters
    ----------
    logits, mask, positive, weight : Tensor
        As in `absolute_losses`.
    alpha, beta : float
        Of the pool.
    margin : bool
        Take means over the whole image, as published. Otherwise they are over its spots: the
        first one vanishes, the second one is as strong however much margin there is.

    Returns
    -------
    Tensor, shape (B,)

    Notes
    -----
    Deviation: p is kept within 1e-4 of 0 and 1, where the logarithm would make steps that undo
    all others.
    """
    pooled = interval_pool(mean_activation(logits, mask), alpha, beta).clamp(_CLIP, 1 - _CLIP)
    entropy = functional.binary_cross_entropy(pooled, positive, reduction="none")
    darkness = functional.softplus(logits)  # -log(1 - sigmoid)
    if not margin:
        on_spots = (darkness * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
        return weight * entropy + (1 - positive) * on_spots
    outside = ((1 - mask) * darkness).mean((1, 2))
    everywhere = darkness.mean((1, 2))
    return weight * entropy + positive * outside + (1 - positive) * everywhere
