"""A user's own attack: it is given copies, the model is put back, its answer is looked at."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from advx.config.compose import composed
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.transfer import craft
from advx.run import Run, check_models
from tests.running import ran


def in_place(model, images, labels):
    images.requires_grad_(True)
    F.cross_entropy(model(images), labels).backward()
    images.data += 0.1 * images.grad.sign()
    return images


def vandal(model, images, labels):
    moved = in_place(model, images, labels)
    labels.fill_(0)
    model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_().requires_grad_(False)
    return moved


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Dropout(0.5)).eval()


@pytest.fixture
def split() -> Split:
    return Split(torch.rand(20, 1, 6, 6), torch.arange(20) % 5)


@pytest.mark.parametrize("attack", [in_place, vandal])
def test_an_attack_that_works_in_place_changes_nothing_but_its_copies(
    network, split, attack
) -> None:
    images, labels = split.images.clone(), split.labels.clone()
    state = copy.deepcopy(network.state_dict())
    moved = craft(attack, network, split)
    assert torch.equal(split.images, images)
    assert torch.equal(split.labels, labels)
    assert torch.equal(moved.labels, labels)
    torch.testing.assert_close((moved.images - images).abs(), torch.full_like(images, 0.1))
    assert all(torch.equal(v, state[k]) for k, v in network.state_dict().items())
    assert not any(m.training for m in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x[:-1], r"returns float32 of \(19, 1, 6, 6\); valid: .*\(20, 1, 6, 6\)"),
        (lambda x: x.numpy(), r"returns a ndarray"),
        (lambda x: None, r"returns a NoneType"),
        (lambda x: (x * 255).byte(), r"returns uint8 of"),
        (lambda x: x.where(x < 0.99, torch.nan), r"images with pixels that are no numbers"),
    ],
)
def test_what_is_no_image_is_refused(network, split, answer, message) -> None:
    split.images[0, 0, 0, 0] = 1.0
    with pytest.raises(ConfigError, match=message) as caught:
        craft(lambda model, x, y: answer(x), network, split)
    assert "\n" not in str(caught.value)


def test_float64_images_are_brought_back(network, split) -> None:
    moved = craft(lambda model, x, y: x.double() + 0.25, network, split)
    assert moved.images.dtype == torch.float32
    assert torch.equal(moved.images, split.images + 0.25)


MODULE = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 5))

    def forward(self, x):
        return self.layers(x)

class Attack:
    def __init__(self, epsilon=0.1, weights=None):
        self.value = 0.0 if weights is None else weights[0]

    def __call__(self, model, images, labels):
        images += self.value
        return images
"""


def test_the_clean_error_is_that_of_the_clean_images(tmp_path, monkeypatch) -> None:
    """The images that an attack works on in place are not those that the run measures on."""
    (tmp_path / "module_in_place.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import module_in_place

    net = module_in_place.Net()
    torch.save(net.state_dict(), "weights.pt")
    pixels = np.random.default_rng(0).integers(0, 200, (20, 6, 6), dtype=np.uint8)
    labels = net(torch.from_numpy(pixels)[:, None] / 255).argmax(1).numpy()
    np.savez("mine.npz", images=pixels, labels=labels)
    run = ran(
        tmp_path,
        [
            "experiment=attack",
            "model@crafting=custom",
            "crafting._target_=module_in_place.Net",
            "crafting.weights=weights.pt",
            "dataset=images",
            "dataset.path=mine.npz",
            "dataset.classes=5",
            "~attack",
            "+attack._target_=module_in_place.Attack",
            "+attack.name=mine",
            "+attack.weights=[0.2]",
            "store=store",
            "figure_examples=5",
        ],
    )
    found = {row.metric: row.value for row in run.table.results.rows}
    assert found["clean_error_rate"] == 0
    assert found["mean_linf"] == pytest.approx(0.2, abs=1e-6)  # its argument `weights` arrived


def test_a_games_weights_are_refused(tmp_path) -> None:
    config, _ = composed(["experiment=gan_samples", "scale=smoke"])
    config["game"]["weights"] = "mine.pt"
    with pytest.raises(ConfigError, match=r"game\.weights=mine\.pt: a game is trained here"):
        check_models(Run(config | {"store": str(tmp_path)}, tmp_path, ""))
