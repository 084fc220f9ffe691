"""What a user's own model fails at is one line with the model's key, whenever it fails."""

import numpy as np
import pytest
import torch

from advx.errors import AdvxError, ConfigError, NoGradientError
from advx.models.call import OWN, logits_of
from tests.black_boxes import SHAPE, Net
from tests.own_nets import own, trained, values, words
from tests.running import ran


def test_a_single_image_is_attacked(folder) -> None:
    arrays = np.load(folder / "mine.npz")
    np.savez(folder / "one.npz", images=arrays["images"][:1], labels=arrays["labels"][:1])
    path = f"dataset.path={folder / 'one.npz'}"
    run = ran(folder, [*words(folder), path, *own(folder, "Viewing"), "attack.epsilon=0.05"])
    assert values(run)["custom", "error_rate"] in (0, 100)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Spoiled", r"its backward pass fails \(one of the variables needed .*; needed: a forward"),
        ("Few", r"its forward pass on 120 images fails \(too many images\)$"),
        ("FewBackward", r"an attack with 120 images fails \(too many\)$"),
        ("Whole", r"its logits carry no gradient to the images; needed: .* whole numbers"),
        ("Cut", r"its logits carry no gradient to the images; needed: .* without detach"),
    ],
)
def test_a_failure_with_weights_names_the_model(folder, name, message) -> None:
    with pytest.raises(AdvxError, match=r"^crafting \(custom\): " + message) as caught:
        ran(folder, [*words(folder), *own(folder, name), "attack.epsilon=0.05"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["crafting", "target"])
@pytest.mark.parametrize(("name", "because"), [("Few", "too many images"), ("Spoiled", "one of")])
def test_a_failure_in_training_names_the_model(folder, key, name, because) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{key} \(custom\): its .* fails \({because}"
    ) as caught:
        ran(folder, trained(folder, *own(folder, name, key, weights=False)))
    assert "\n" not in str(caught.value)


def test_a_target_without_a_gradient_is_only_classified_with(folder) -> None:
    for name in ("Whole", "Cut", "Spoiled"):
        run = ran(
            folder, [*words(folder, "transfer"), *own(folder, "Net"), *own(folder, name, "target")]
        )
        assert 0 <= values(run)["custom (crafting) -> custom (target)", "error_rate"] <= 100


def test_what_is_nobodys_own_or_the_machines_fault_is_raised_as_it_is() -> None:
    class Failing(Net):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise self.error

    x = torch.zeros(3, *SHAPE)
    with pytest.raises(KeyError):
        logits_of(Failing(KeyError("it")), x)
    for error in (MemoryError(), OSError(28, "full"), NoGradientError("none")):
        model = Failing(error)
        OWN[model] = "mine"
        with pytest.raises(type(error)):
            logits_of(model, x)
    model = Failing(KeyError("it"))
    OWN[model] = "mine"
    with pytest.raises(ConfigError, match=r"^mine: its forward pass on 3 images fails \(KeyError"):
        logits_of(model, x)
