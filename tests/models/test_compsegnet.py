"""CompSegNet: published size, both pools against closed forms, and masks that are kept."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from corespot.errors import ModelError, ParamsError
from corespot.models import registry
from corespot.models.activation_pooling import (
    absolute_losses,
    entropy_losses,
    interval_pool,
    mean_activation,
    saturating_pool,
)
from corespot.models.catalogue.compsegnet import CompSegNetConfig
from corespot.models.committee import Committee
from corespot.models.compsegnet import CompSegNet
from corespot.models.layers import n_trainable
from corespot.models.unet import MaskedNorm, UNet

N_BINS = 6


def built(seed: int = 3, **settings: object) -> CompSegNet:
    torch.manual_seed(seed)
    values = {"width": 4, "depth": 2, "channels": N_BINS, **settings}
    network = registry.build("compsegnet", values, N_BINS, 2)
    assert isinstance(network, CompSegNet)
    return network


def core_images(n: int = 3, side: int = 8, seed: int = 1) -> Tensor:
    """Random channels within random masks, as cores are."""
    rng = torch.Generator().manual_seed(seed)
    mask = (torch.rand(n, 1, side, side, generator=rng) < 0.7).float()
    values = torch.randn(n, N_BINS, side, side, generator=rng)
    return torch.cat([values * mask, mask], 1)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def logit(a: float) -> float:
    return log(a / (1 - a))


def test_published_number_of_parameters() -> None:
    published = CompSegNetConfig(width=64, depth=4, channels=427, output_norm=True)
    assert published.size(2000, 2) == (31_289_667, None)
    # Its parts: the last convolution has 65, the normalisation of the map 2.
    with torch.device("meta"):
        network = CompSegNet(published, 2000, 2)
    levels = [n_trainable(block) for block in network.unet.down]
    assert levels[0] == 427 * 9 * 64 + 64 * 9 * 64 + 2 * 64 + 4 * 64
    assert levels[4] == 512 * 9 * 1024 + 1024 * 9 * 1024 + 2 * 1024 + 4 * 1024
    assert n_trainable(network.unet.grow[0]) == 1024 * 4 * 512 + 512
    assert n_trainable(network.map) == 65
    plain = CompSegNetConfig(width=64, depth=4, channels=427)
    assert plain.size(2000, 2)[0] == 31_289_667 - 2


def test_dropout_spares_the_first_level() -> None:
    unet = built(dropout=0.3, depth=2).unet
    assert [block.dropout.p for block in unet.down] == [0.0, 0.3, 0.3]
    assert [block.dropout.p for block in unet.up] == [0.3, 0.0]


def test_saturating_pool_by_hand() -> None:
    alpha, beta, gamma = 0.1, 5.0, 0.001
    m = column(0.0, 0.01, 0.1, 1.0).requires_grad_()
    pooled = saturating_pool(m, alpha, beta, gamma)
    by_hand = [alpha * (2 / (1 + exp(-beta * x / alpha)) - 1) + gamma * x for x in m.tolist()]
    assert pooled.tolist() == pytest.approx(by_hand, abs=1e-15)
    assert pooled[2].item() == pytest.approx(0.0987614, abs=1e-6)
    (slope,) = torch.autograd.grad(pooled.sum(), m)
    assert slope[0].item() == pytest.approx(beta / 2 + gamma)
    # Full: flat but for γ, which is what keeps asking for more tumour.
    assert pooled[3].item() == pytest.approx(alpha + gamma)
    assert slope[3].item() == pytest.approx(gamma)
    assert torch.isfinite(saturating_pool(column(1e6), alpha, beta, gamma)).all()


def test_interval_pool_by_hand() -> None:
    m = column(0.0, 0.025, 0.05, 0.4, 0.85, 0.925, 1.0)
    expected = [0, 0.5, 1, 1, 1, 0.5, 0]
    assert interval_pool(m, 0.05, 0.8).tolist() == pytest.approx(expected)
    assert interval_pool(m, 0.05, 0.95).tolist() == pytest.approx([0, 0.5, 1, 1, 1, 1, 1])
    assert interval_pool(m, 0.05, 3.0)[-1] == 1


def test_mean_activation_is_over_the_spots_alone() -> None:
    logits = torch.tensor([[[logit(0.2), logit(0.6)], [9.0, 9.0]], [[9.0, 9.0], [9.0, 9.0]]])
    mask = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert mean_activation(logits, mask).tolist() == pytest.approx([0.4, 0.0])


def test_losses_by_hand() -> None:
    # Two images of one spot and one empty place: activations .02 and .3 on the spot, .1 beside it.
    logits = torch.tensor([[[logit(0.02), logit(0.1)]], [[logit(0.3), logit(0.1)]]]).double()
    mask = torch.tensor([[[1.0, 0.0]]]).double().expand(2, 1, 2)
    y, weight = column(1, 0), column(2.0, 0.5)
    o = [0.1 * (2 / (1 + exp(-50 * m)) - 1) + 0.001 * m for m in (0.02, 0.3)]
    first = absolute_losses(logits, mask, y, weight, alpha=0.1, beta=5, gamma=0.001)
    assert first.tolist() == pytest.approx([2 * abs(o[0] - 0.1), 0.5 * o[1]])
    later = entropy_losses(logits, mask, y, weight, alpha=0.05, beta=0.8)
    outside = -log(1 - 0.1) / 2
    everywhere = (-log(1 - 0.3) - log(1 - 0.1)) / 2
    by_hand = [2 * -log(0.02 / 0.05) + outside, 0.5 * -log(1e-4) + everywhere]
    assert later.tolist() == pytest.approx(by_hand)
    on_spots = entropy_losses(logits, mask, y, weight, alpha=0.05, beta=0.8, margin=False)
    assert on_spots.tolist() == pytest.approx([2 * -log(0.4), 0.5 * -log(1e-4) - log(1 - 0.3)])


def test_masked_norm_is_batch_norm_over_the_spots() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 5) * 3 + 1
    norm, reference = MaskedNorm(2), nn.BatchNorm2d(2)
    torch.testing.assert_close(norm(x, torch.ones(3, 1, 4, 5)), reference(x))
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    mask = (torch.rand(3, 1, 4, 5) < 0.5).float()
    there = mask.squeeze(1).bool()
    values = x.movedim(1, -1)[there]
    expected = (values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(MaskedNorm(2)(x, mask).movedim(1, -1)[there], expected)
    lone = torch.zeros(3, 1, 4, 5)
    lone[0, 0, 0, 0] = 1
    assert torch.isfinite(norm(x, lone)).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("form", ["2018", "2022"])
def test_an_empty_frame_changes_nothing(form: str, training: bool) -> None:
    network = built(form=form, dropout=0.0, augment=False, output_norm=True).train(training)
    images = core_images()
    framed = nn.functional.pad(images, (4, 8, 12, 4))
    plain, wide = network(images), network(framed)
    torch.testing.assert_close(wide[:, :, 12:20, 4:12] * images[:, -1:], plain * images[:, -1:])
    assert not wide[:, 1, :12].any()
    y, weights = torch.tensor([0, 1, 0]), torch.ones(2)
    torch.testing.assert_close(network.losses(wide, y, weights), network.losses(plain, y, weights))


def test_what_lies_outside_the_mask_is_not_looked_at() -> None:
    network = built().eval()
    images = core_images()
    dirty = images.clone()
    dirty[:, :-1] += 100 * (1 - images[:, -1:])
    torch.testing.assert_close(network(dirty), network(images))


def test_neighbours_are_seen() -> None:
    network = built().eval()
    images = torch.cat([torch.ones(1, N_BINS, 8, 8), torch.ones(1, 1, 8, 8)], 1)
    changed = images.clone()
    changed[:, :-1, 0, 1] += 1
    assert network(changed)[0, 0, 0, 0] != network(images)[0, 0, 0, 0]


def test_training_turns_map_and_mask_together() -> None:
    images = core_images(6)[:, :, :, :4]
    still = built(augment=False, dropout=0.0).train()(images)
    turned = built(augment=True, dropout=0.0).train()(images)
    assert still.shape == (6, 2, 8, 4)
    assert turned.shape == (6, 2, 8, 8)
    torch.testing.assert_close(still[:, 1], images[:, -1])
    assert not torch.equal(turned[:, 1, :, :4], images[:, -1])
    torch.testing.assert_close(turned[:, 1].sum((1, 2)), images[:, -1].sum((1, 2)))
    assert built().eval()(images).shape == (6, 2, 8, 4)


@pytest.mark.parametrize("output_norm", [True, False])
def test_the_map_starts_dark(output_norm: bool) -> None:
    network = built(initial_activation=0.05, output_norm=output_norm)
    offset = network.map.bias if network.norm is None else network.norm.bias
    assert torch.sigmoid(offset).item() == pytest.approx(0.05)


def test_activation_of_the_forms() -> None:
    images = core_images()
    there = images[:, -1].bool()
    soft = built(form="2018").eval().forward_features(images).movedim(1, -1)[there]
    hard = built(form="2022").eval().forward_features(images).movedim(1, -1)[there]
    assert (soft > 0).all()
    assert (hard == 0).any()


@pytest.mark.parametrize("form", ["2018", "2022"])
def test_a_core_scores_by_its_pool(form: str) -> None:
    network = built(form=form)
    logits = torch.full((2, 1, 4, 4), -9.0)
    logits[1, :, 0] = 9.0
    output = torch.cat([logits, torch.ones(2, 1, 4, 4)], 1)
    scores = network.example_scores(output)
    assert scores.argmax(1).tolist() == [0, 1]
    weights = torch.tensor([1.0, 1.0])
    good = network.losses(output, torch.tensor([0, 1]), weights)
    bad = network.losses(output, torch.tensor([1, 0]), weights)
    assert (good < 0.5 * bad).all()


def test_published_parameters_of_each_form_unless_given() -> None:
    assert CompSegNetConfig(form="2018").pooling == (0.1, 5.0, 0.001)
    assert CompSegNetConfig().pooling == (0.05, 0.8, 0.0)
    assert CompSegNetConfig(alpha=0.2).pooling == (0.2, 0.8, 0.0)
    assert CompSegNetConfig.parse({"form": 2018}, "here").form == "2018"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": 2020}, "form"),
        ({"gamma": 0.1}, "gamma belongs to form 2018"),
        ({"form": "2018", "margin_loss": True}, "margin_loss belongs to form 2022"),
        ({"alpha": 1.5}, "alpha"),
        ({"threshold": 1.5}, "between 0 and 1, or be 'inner'"),
        ({"depht": 2}, "did you mean 'depth'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        CompSegNetConfig.parse(settings, "models.compsegnet")


def test_more_than_two_classes_are_refused() -> None:
    with pytest.raises(ModelError, match="make a task of two classes"):
        registry.build("compsegnet", {}, 50, 3)
    with pytest.raises(ModelError, match="one positive class"):
        CompSegNet(CompSegNetConfig(), 50, 3)


def test_unet_keeps_the_size_of_its_images() -> None:
    unet = UNet(5, 2, 3, 0.0, torch.relu)
    assert unet(torch.rand(1, 5, 16, 24), torch.ones(1, 1, 16, 24)).shape == (1, 2, 16, 24)


def test_a_committee_is_the_mean_of_its_members() -> None:
    rng = np.random.default_rng(0)
    members = [built(seed).eval() for seed in (1, 2, 3)]
    scales = [1.0, 2.0, 0.5]
    y = np.arange(20, dtype=np.int64) % 2
    for member in members:
        member.prepare(rng.gamma(2.0, size=(20, N_BINS)), y, 1.0)
    committee = Committee(members, scales).eval()
    spectra = torch.from_numpy(rng.gamma(2.0, size=(16, N_BINS))).float()

    def image(channels: Tensor) -> Tensor:
        grid = channels.T.reshape(1, -1, 4, 4)
        return torch.cat([grid, torch.ones(1, 1, 4, 4)], 1)

    alone = [m(image(m.front(spectra * s))) for m, s in zip(members, scales, strict=True)]
    together = committee(image(committee.front(spectra)))
    torch.testing.assert_close(together, torch.stack(alone).mean(0))
    assert committee.multiple == 4
    features = committee.forward_features(image(committee.front(spectra)))
    assert features.shape == (1, 12, 4, 4)
    assert n_trainable(committee) == 3 * n_trainable(members[0])
