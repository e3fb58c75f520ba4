"""Published facts of ResNet-18, weights from a file, and patches with few spots."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from corespot.errors import ModelError, ParamsError
from corespot.models import registry
from corespot.models.layers import n_trainable
from corespot.models.resnet18 import ResNet18
from corespot.models.resnet_patch import ResNetPatch

N_BINS = 40


def network(seed: int = 3, n_classes: int = 2, **settings: object) -> ResNetPatch:
    torch.manual_seed(seed)
    built = registry.build("resnet_patch", settings, N_BINS, n_classes)
    assert isinstance(built, ResNetPatch)
    return built


def spectra() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, size=(30, N_BINS)).astype(np.float32), np.arange(30) % 2


def image_of(mask: torch.Tensor, n: int = 1, seed: int = 0) -> torch.Tensor:
    """Random images of three components with spots where `mask` is 1."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, 3, *mask.shape, generator=generator)
    return torch.cat([values * mask, mask.expand(n, 1, *mask.shape)], 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as torchvision names them, with statistics unlike the initial ones."""
    torch.manual_seed(9)
    state = ResNet18().state_dict()
    for name, value in state.items():
        if name.endswith("running_mean"):
            value.normal_()
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(state, path)
    return path


def test_parameters_are_the_published_ones() -> None:
    net = ResNet18()
    stages = {name: n_trainable(module) for name, module in net.named_children()}
    assert stages == {
        "conv1": 9_408,
        "bn1": 128,
        "maxpool": 0,
        "layer1": 147_968,
        "layer2": 525_568,
        "layer3": 2_099_712,
        "layer4": 8_393_728,
        "fc": 513_000,
    }
    assert n_trainable(net) == 11_689_512
    assert registry.describe("resnet_patch", 6400, 2)["n_parameters"] == 11_177_538
    assert registry.describe("resnet_patch", 6400, 5)["n_parameters"] == 11_176_512 + 5 * 513


def test_names_are_torchvisions() -> None:
    expected = set()
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    for stage in range(1, 5):
        for block in (0, 1):
            at = f"layer{stage}.{block}"
            expected |= {f"{at}.conv{k}.weight" for k in (1, 2)}
            expected |= {f"{at}.bn{k}.{name}" for k in (1, 2) for name in norm}
        if stage > 1:
            expected |= {f"layer{stage}.0.downsample.1.{name}" for name in norm}
            expected.add(f"layer{stage}.0.downsample.0.weight")
    expected |= {f"bn1.{name}" for name in norm} | {"conv1.weight", "fc.weight", "fc.bias"}
    state = ResNet18().state_dict()
    assert set(state) == expected
    assert len(state) == 122
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    assert state["layer3.0.downsample.0.weight"].shape == (256, 128, 1, 1)


def test_maps_shrink_as_published() -> None:
    net = ResNet18().eval()
    with torch.no_grad():
        assert net.forward_map(torch.rand(1, 3, 224, 224)).shape == (1, 512, 7, 7)
        assert net.forward_map(torch.rand(1, 3, 32, 32)).shape == (1, 512, 1, 1)
        assert net(torch.rand(2, 3, 64, 64)).shape == (2, 1000)
        small = ResNet18(stem="small").eval()
        assert small.forward_map(torch.rand(1, 3, 32, 32)).shape == (1, 512, 4, 4)


def test_without_weights_every_layer_trains() -> None:
    net = network()
    assert net.training_scope == "all layers, from scratch"
    functional.cross_entropy(net(image_of(torch.ones(32, 32), 4)), torch.arange(4) % 2).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_with_weights_the_last_stage_and_the_head_train(weights: Path) -> None:
    net = network(weights=str(weights))
    net.prepare(*spectra(), 1.0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trained = [p for p in net.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == 8_393_728 + 2 * 513
    described = registry.describe(
        "resnet_patch", 40, 2, registry.entry("resnet_patch").config(weights=str(weights))
    )
    assert described["n_parameters"] == n_trainable(net)
    optimizer = torch.optim.Adam(trained, lr=1e-3)
    net.train()
    functional.cross_entropy(net(image_of(torch.ones(32, 32), 6)), torch.arange(6) % 2).backward()
    optimizer.step()
    moving = ("resnet.layer4.", "resnet.fc.")
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith(moving), name


def test_weights_and_their_digest_are_those_of_the_file(weights: Path) -> None:
    net = network(weights=str(weights))
    assert net.training_scope == "layer4 and head of resnet18.safetensors"
    net.prepare(*spectra(), 1.0)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert net.about == {
        "training_scope": f"layer4 and head of resnet18.safetensors, sha256 {digest}"
    }
    torch.manual_seed(9)
    source = ResNet18().state_dict()
    for name in ("conv1.weight", "layer4.1.conv2.weight"):
        torch.testing.assert_close(net.resnet.state_dict()[name], source[name])
    assert net.resnet.bn1.running_mean.abs().max() > 0.5


def test_a_saved_network_is_loaded_without_the_file(weights: Path, tmp_path: Path) -> None:
    net = network(weights=str(weights))
    net.prepare(*spectra(), 1.0)
    other = network(weights=str(tmp_path / "gone.safetensors"), seed=4)
    other.load_state_dict(net.state_dict())
    image = image_of(torch.ones(32, 32))
    assert torch.equal(other.eval()(image), net.eval()(image))


def test_a_pickled_file_is_not_opened_but_told_how_to_convert(tmp_path: Path) -> None:
    torch.manual_seed(9)
    path = tmp_path / "resnet18.pth"
    torch.save(ResNet18().state_dict(), path)
    net = network(weights=str(path))
    with pytest.raises(ModelError, match="no safetensors file") as told:
        net.prepare(*spectra(), 1.0)
    lines = [line.strip() for line in str(told.value).splitlines()[1:]]
    assert len(lines) == 2
    exec("\n".join(lines), {})
    converted = network(weights=str(path.with_suffix(".safetensors")))
    converted.prepare(*spectra(), 1.0)
    assert "resnet18.safetensors" in converted.training_scope


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_code_in_a_file_never_runs_whatever_its_name(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "resnet18.safetensors"
    path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ModelError, match=r"resnet18-converted\.safetensors"):
        network(weights=str(path)).prepare(*spectra(), 1.0)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  the trap does work
    assert mark.exists()


def test_weights_of_another_network_are_refused(weights: Path, tmp_path: Path) -> None:
    state = ResNet18().state_dict()
    del state["layer2.0.conv1.weight"]
    state["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    state["layer1.2.conv1.weight"] = torch.zeros(1)
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(ModelError, match="does not hold torchvision's ResNet-18") as told:
        network(weights=str(path)).prepare(*spectra(), 1.0)
    for fault in (
        "layer2.0.conv1.weight is missing",
        "layer1.2.conv1.weight is unknown",
        "conv1.weight has shape (64, 1, 7, 7), expected (64, 3, 7, 7)",
    ):
        assert fault in str(told.value)
    with pytest.raises(ModelError, match=r"no file .*gone\.safetensors"):
        network(weights=str(tmp_path / "gone.safetensors")).prepare(*spectra(), 1.0)


def test_older_files_without_counters_and_head_will_do(tmp_path: Path) -> None:
    state = {
        name: value
        for name, value in ResNet18().state_dict().items()
        if not name.endswith("num_batches_tracked") and not name.startswith("fc.")
    }
    save_file(state, tmp_path / "old.safetensors")
    net = network(weights=str(tmp_path / "old.safetensors"))
    net.prepare(*spectra(), 1.0)
    assert torch.equal(net.resnet.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 8}, r"stride: must not exceed patch \(8\)"),
        ({"weights": "a.safetensors", "stem": "small"}, "weights: are those of a network with"),
        ({"weights": "a.safetensors", "n_components": 5}, "here stem is imagenet and n_comp"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        registry.build("resnet_patch", settings, N_BINS, 2)


SHAPES = {
    "one spot": torch.ones(1, 1),
    "one spot in a frame": functional.pad(torch.ones(1, 1), (15, 16, 15, 16)),
    "a line": functional.pad(torch.ones(1, 9), (0, 0, 4, 4)),
    "a ring": torch.ones(7, 7) - functional.pad(torch.ones(3, 3), (2, 2, 2, 2)),
    "not square": torch.ones(4, 12),
}


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_batch_of_one_trains_on_any_shape(name: str, stem: str) -> None:
    net = network(n_classes=4, stem=stem).train()
    scores = net(image_of(SHAPES[name]))
    assert scores.shape == (1, 4)
    functional.cross_entropy(scores, torch.tensor([1])).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_every_spot_of_a_patch_is_seen_and_nothing_else(stem: str) -> None:
    net = network(stem=stem, scaling="training").eval()
    mask = torch.ones(32, 32)
    mask[10:20, 5:15] = 0
    image = image_of(mask).requires_grad_()
    (slope,) = torch.autograd.grad(net(image)[0, 0], image)
    assert torch.equal((slope[0, :-1] != 0).all(0), mask > 0)


def test_the_last_map_is_averaged_over_the_spots() -> None:
    net = network(stem="small", scaling="training").eval()
    mask = torch.zeros(16, 16)
    mask[:, :8] = 1
    image = image_of(mask)
    last = net.resnet.forward_map(net._scaled(image[:, :-1], image[:, -1:]))
    assert last.shape == (1, 512, 2, 2)
    torch.testing.assert_close(net.forward_features(image), last[:, :, :, 0].mean(2))
    assert (last[:, :, :, 1].mean(2) - last[:, :, :, 0].mean(2)).abs().max() > 1e-3


def test_components_are_scaled_in_the_patch_or_by_their_training_range() -> None:
    x, y = spectra()
    image = image_of(SHAPES["a ring"], n=2)
    brighter = torch.cat([3 * image[:, :-1] + 1, image[:, -1:]], 1)
    patch, training = network().eval(), network(scaling="training").eval()
    torch.testing.assert_close(patch(image), patch(brighter), rtol=1e-4, atol=1e-5)
    training.prepare(x, y, 1.0)
    assert (training(image) - training(brighter)).abs().max() > 1e-3
    scores = training.front(torch.from_numpy(x)).T.reshape(1, 3, 5, 6)
    scaled = training._scaled(scores, torch.ones(1, 1, 5, 6))
    torch.testing.assert_close(scaled.amin((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.amax((0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)


def test_patches_turn_in_training_only() -> None:
    net = network(dropout=0.0, weights="never-read.safetensors")
    images = image_of(torch.ones(32, 32), n=4)
    assert torch.equal(net.eval()(images), net(images))
    net.train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(net(images), net(images))


def test_eight_patches_are_learnt_by_heart() -> None:
    net = network(stem="small", dropout=0.0, augment=False).train()
    images, y = image_of(torch.ones(8, 8), n=8), torch.arange(8) % 2
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(8):
        optimizer.zero_grad()
        functional.cross_entropy(net(images), y).backward()
        optimizer.step()
    assert torch.equal(net(images).argmax(1), y)
