"""Training a user's own model: what the seed decides, and minibatches of one example."""

import pytest
import torch

from advx.config.compose import composed
from advx.config.config import Config
from advx.errors import ConfigError
from advx.run import Run
from tests.own_nets import own, trained, values
from tests.running import ran

# What the seed decides


@pytest.mark.parametrize("name", ["Lazy", "FirstDraws"])
def test_the_seed_decides_the_weights_that_a_first_pass_draws(folder, name) -> None:
    config, _ = composed(trained(folder, *own(folder, name, weights=False)))
    run = Run(config, folder, "")
    made = {}
    for seeds in ([0], [1, 0]):
        for seed in seeds:
            network = run.model(Config(config["crafting"], "crafting"), seed).untrained()
            made.setdefault(seed, []).append(network.state_dict())
    first, again = made[0]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], made[1][0][key]) for key in first)


def test_lazy_layers_are_trained_to_the_same_weights_whatever_the_order_of_seeds(folder) -> None:
    kept = []
    for place, seeds in (("a", "[0]"), ("b", "[1,0]")):
        overrides = trained(
            folder, *own(folder, "Lazy", weights=False), f"seeds={seeds}", f"store={folder / place}"
        )
        run = ran(folder, overrides)
        key = run.model(Config(run.config["crafting"], "crafting"), 0).key
        kept.append(run.store.load(key)[0])
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


# One example at a time


@pytest.mark.parametrize(
    ("trainer", "defense"),
    [
        ("budget", "none"),
        ("adam", "none"),
        ("linear_decay", "none"),
        ("budget", "virtual_adversarial"),
        ("budget", "distillation"),
        ("budget", "ensemble"),
    ],
)
def test_an_example_left_over_joins_the_minibatch_before(folder, trainer, defense) -> None:
    run = ran(
        folder,
        trained(
            folder,
            *own(folder, "Normed", "target", weights=False),
            f"trainer={trainer}",
            "trainer.max_epochs=1",
            "trainer.batch_size=19",
            f"defense={defense}",
            *(["defense.members=2"] if defense == "ensemble" else []),
        ),
    )
    assert len(run.data.train) % 19 == 1
    assert 0 <= values(run)["custom", "clean_error_rate"] <= 100


def test_batch_statistics_of_one_example_are_refused_before_training(folder) -> None:
    for target in ([], own(folder, "Net", "target")):
        overrides = trained(
            folder, "trainer.batch_size=1", *target, *own(folder, "Normed", weights=False)
        )
        with pytest.raises(ConfigError, match=r"trainer.batch_size=1: crafting .* single example"):
            ran(folder, overrides)
    assert not (folder / "store" / "models").exists()
    ran(folder, trained(folder, "trainer.batch_size=1"))  # without such a layer it is no matter
