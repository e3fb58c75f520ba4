"""Sizes of layers by arithmetic: trainable parameters, lengths and receptive fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def convolution_parameters(n_in: int, n_out: int, taps: int, *, offset: bool = False) -> int:
    """Parameters of a convolution of so many taps (those of all its dimensions multiplied)."""
    return (n_in * taps + offset) * n_out


def norm_parameters(n_channels: int) -> int:
    """Parameters of a batch normalisation: scale and offset of every channel."""
    return 2 * n_channels


def dense_parameters(n_in: int, n_out: int) -> int:
    """Parameters of a fully connected layer with offsets."""
    return (n_in + 1) * n_out


def residual_block_parameters(n_in: int, n_out: int, taps: int, stride: int) -> int:
    """Parameters of two normalised convolutions and the shortcut around them.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    taps : int
        Of either convolution.
    stride : int
        Of the block. The shortcut is a convolution of one tap where channels or length change.
    """
    convolutions = convolution_parameters(n_in, n_out, taps)
    convolutions += convolution_parameters(n_out, n_out, taps)
    changes = n_in != n_out or stride != 1
    shortcut = convolution_parameters(n_in, n_out, 1) if changes else 0
    return convolutions + 2 * norm_parameters(n_out) + shortcut


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    """Input bins that one output position sees.

    Parameters
    ----------
    layers : iterable of (kernel, stride)
        The longest path, input first.
    """
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def strided_length(length: int, strides: Sequence[int]) -> int:
    """Positions left of `length` after padded convolutions with these strides."""
    for stride in strides:
        length = (length - 1) // stride + 1
    return length
