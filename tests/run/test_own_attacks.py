"""What a run says of a user's own attack, and of more seeds than it measures."""

import pytest
import torch

from advx.attacks.pgd import PGD
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.own_attacks import note_unrepeated
from advx.notes import noting
from tests.running import ran

MODULE = """
import random

import numpy as np
import torch

from advx.attacks.base import Attack


class Far(Attack):
    def __init__(self, *, epsilon: float = 0.1, times: float = 1.0, norm: str = "linf"):
        self.epsilon, self.times, self.norm = epsilon, times, norm

    def perturb(self, model, images, labels):
        moved = images.clone()
        length = {"linf": 1.0, "l2": 28.0, "l1": 784.0}[self.norm]  # of 28 × 28 ones
        moved[::2] += self.times * self.epsilon / length
        return moved


class Forgetful(Attack):
    def __init__(self, *, epsilon: float = 0.1):
        self.epsilon = epsilon

    def perturb(self, model, images, labels):
        return images + self.epsilon * torch.randn_like(images).sign()


class Declared(Forgetful):
    random = True


def by_numpy(epsilon=0.1):
    return lambda model, x, y: x + epsilon * float(np.random.choice([-1, 1]))


def by_python(epsilon=0.1):
    return lambda model, x, y: x + epsilon * random.choice([-1, 1])


class Own(Attack):
    def __init__(self, *, epsilon: float = 0.1, seed: int | None = None, numpy: bool = False):
        self.epsilon, self.numpy = epsilon, np.random.default_rng(seed) if numpy else None
        self.torch = torch.Generator()
        self.torch.manual_seed(seed) if seed is not None else self.torch.seed()

    def perturb(self, model, images, labels):
        shape = tuple(images.shape)
        if self.numpy is not None:
            signs = torch.from_numpy(self.numpy.choice([-1.0, 1.0], shape)).to(images)
        else:
            signs = torch.randn(shape, generator=self.torch).sign()
        return images + self.epsilon * signs


def far(epsilon=0.1):
    return lambda model, x, y: x + 5 * epsilon


def steady(epsilon=0.1):
    return lambda model, x, y: x - epsilon * torch.randn_like(x).sign()
"""


@pytest.fixture
def said(tmp_path, monkeypatch):
    """The remarks of `advx attack`, or of a transfer, with an attack of the module's."""
    (tmp_path / "run_attacks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def remarks(name: str, experiment: str = "attack", **arguments: object) -> list[str]:
        given = {"name": "mine", "_target_": f"run_attacks.{name}"} | arguments
        node = ", ".join(f"{key}: {value}" for key, value in given.items())
        models = ["model@crafting=softmax_regression"]
        models += ["model@target=softmax_regression"] if experiment == "transfer" else []
        small = ["dataset=uci_digits", "trainer.max_epochs=1", "seeds=[0]", "figure_examples=2"]
        run = ran(
            tmp_path,
            [
                *(f"experiment={experiment}", *models, *small, "store=store"),
                *("~attack", f"+attack={{{node}}}"),
            ],
        )
        texts = run.remarks.texts()  # that files hold no such pixels has a test of its own
        return [text for text in texts if "brought into [0, 1]" not in text]

    return remarks


@pytest.mark.parametrize("experiment", ["attack", "transfer"])
def test_an_own_attack_that_leaves_its_epsilon_is_said_again_from_the_store(
    said, experiment
) -> None:
    for _ in range(2):
        (text,) = said("Far", experiment, epsilon=0.05, times=5)
        assert text.startswith("attack (mine): ")
        assert text.endswith(
            "examples are moved by more than attack.epsilon=0.05 in the norm linf, by up to 0.25; "
            "they count all the same"
        )
    (text,) = said("far", experiment, epsilon=0.1)
    assert "than attack.epsilon=0.1 in the norm linf, by up to 0.5" in text


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_an_own_attack_is_held_against_its_own_norm(said, norm) -> None:
    assert said("Far", epsilon=0.5, norm=norm) == []
    (text,) = said("Far", epsilon=0.5, norm=norm, times=1.01)
    assert f"attack.epsilon=0.5 in the norm {norm}" in text


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("Forgetful", "PyTorch's generator without `random = True`"),
        ("by_numpy", "NumPy's or Python's generator, which is not seeded, instead of PyTorch's"),
        ("by_python", "NumPy's or Python's generator, which is not seeded, instead of PyTorch's"),
    ],
)
def test_what_an_own_attack_draws_in_secret_is_said(said, name, source) -> None:
    assert said(name) == [
        f"attack (mine): draws from {source}: another run would give other numbers"
    ]


@pytest.mark.parametrize("numpy", [True, False])
def test_a_generator_of_an_attacks_own_is_found_out_where_nothing_seeds_it(said, numpy) -> None:
    (text,) = said("Own", numpy=numpy)
    assert text.startswith("attack (mine): moves the same examples differently when")
    assert said("Own", numpy=numpy, seed=3) == []


def test_a_model_that_draws_is_not_taken_for_an_attack_that_does() -> None:
    class Noisy(torch.nn.Module):
        def forward(self, x):
            z = x.flatten(1)[:, :4]
            return z + torch.rand_like(z)

    split = Split(torch.rand(20, 1, 4, 4), torch.arange(20) % 4)
    with noting() as notes:
        note_unrepeated("mine", lambda: PGD(epsilon=0.1, steps=2), Noisy(), split, None)
    assert not notes


@pytest.mark.parametrize("name", ["Declared", "steady"])
def test_an_own_attack_that_is_seeded_is_not_remarked(said, name) -> None:
    assert said(name) == []


@pytest.mark.parametrize("experiment", ["attack", "benchmark_windows"])
def test_more_seeds_than_are_measured_are_refused(tmp_path, experiment) -> None:
    words = [f"experiment={experiment}", "scale=smoke", "seeds=[1,2]", f"store={tmp_path / 's'}"]
    with pytest.raises(ConfigError) as caught:
        ran(tmp_path, words)
    assert str(caught.value) == (
        f"seeds=[1, 2]: experiment={experiment} measures one model; valid: one seed, e.g. "
        "seeds=[1]; several in a sweep, -m 'seeds=[1],[2]'"
    )
    assert not (tmp_path / "s" / "models").exists()
