"""The trained defences under other people's attacks: do ours miss anything?

    advx run experiment=independent_attacks                  # 5,000 digits that need no download
    advx run experiment=independent_attacks scale=chapter

The same networks as `experiment=defenses`, attacked by `strongest`, by foolbox's PGD and by
torchattacks' AutoAttack (Croce and Hein 2020), all with the same ε and images kept in [0, 1]. Needs
the optional packages: pip install "advx[oracles]".
"""

import importlib
import math
from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.transfer import BATCH, error_rate
from advx.run import Run
from advx.training.obtain import Recipe, needed
from advx.types import Positive, PositiveInt


def main(
    run: Run,
    models: dict[str, Any],
    defenses: dict[str, Any],
    first_seed_defenses: dict[str, Any],
    autoencoder_trainer: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[Positive],
    examples: PositiveInt,
    foolbox_steps: PositiveInt,
    autoattack: bool,
) -> None:
    """Error rates of every defence under each library's attack.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        defenses: the defences attacked with every seed, by name.
        first_seed_defenses: those attacked with the first seed alone.
        autoencoder_trainer: the trainer of `denoising_autoencoder`.
        strongest: our attack's node, clipped to [0, 1].
        epsilons: sizes of the perturbation, in the max norm.
        examples: test examples attacked.
        foolbox_steps: gradient steps of foolbox's PGD.
        autoattack: whether to run AutoAttack too, which takes most of the time.
    """
    for package in ("foolbox", "torchattacks"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise ConfigError(
                f"experiment=independent_attacks: needs {package}, which is not installed; "
                'pip install "advx[oracles]"'
            ) from None
    if strongest.get("clip") != [0.0, 1.0]:
        raise ConfigError(
            f"strongest.clip={strongest.get('clip')}: the other libraries keep images in [0, 1]; "
            "valid: [0, 1]"
        )
    (name,) = models
    examples = min(examples, len(run.data.test))
    others = {"foolbox_pgd": foolbox_pgd} | ({"autoattack": auto_attack} if autoattack else {})
    special = {"denoising_autoencoder": {"trainer": autoencoder_trainer}}
    networks = {
        (row, seed): run.recipe(name, seed, defense=node, **special.get(row, {}))
        for seed in run.seeds
        for row, node in (defenses | (first_seed_defenses if seed == run.seeds[0] else {})).items()
    }
    with run.progress(models=sum(1 + len(needed(network)) for network in networks.values())):
        for (row, seed), network in networks.items():
            known = {"seed": seed, "n": examples}
            for epsilon in epsilons:
                node = strongest | {"epsilon": epsilon}
                ours = run.broken_by(network, node, examples)["all"]
                run.record(row, f"strongest_error_rate@{epsilon:g}", ours, **known)
                rates = []
                for library, attack in others.items():
                    theirs = measured(run, network, library, attack, epsilon, examples,
                                      foolbox_steps)  # fmt: skip
                    run.record(row, f"{library}_error_rate@{epsilon:g}", theirs, **known)
                    rates.append(theirs)
                worst = math.nan if any(map(math.isnan, rates)) else max(rates)
                run.record(row, f"theirs_minus_ours@{epsilon:g}", worst - ours, seed=seed,
                           unit="points")  # fmt: skip
    run.finish()


def measured(
    run: Run, network: Recipe, library: str, attack: Any, epsilon: float, examples: int, steps: int
) -> float:
    """The network's error rate under one library's attack; kept."""

    def measure() -> float:
        module, clean = run.trained(network).module, run.tested(examples)
        with evaluating(module):
            parts = zip(clean.images.split(BATCH), clean.labels.split(BATCH), strict=True)
            images = torch.cat([attack(module, x, y, epsilon, steps) for x, y in parts])
        moved = (images - clean.images).abs().max().item()
        if moved > epsilon + 1e-6:
            return math.nan  # a point outside the ball proves nothing
        return error_rate(module, Split(images, clean.labels))

    content = {"models": [run.key(network)], "library": library, "epsilon": epsilon,
               "steps": steps}  # fmt: skip
    return run.measured(content, measure, examples)


def foolbox_pgd(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, steps: int) -> Tensor:
    """foolbox's projected gradient descent on the cross-entropy, random start."""
    import foolbox

    torch.manual_seed(0)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
    attack = foolbox.attacks.LinfPGD(steps=steps, rel_stepsize=2.5 / steps)
    return attack(wrapped, x, y, epsilons=epsilon)[1]


def auto_attack(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, steps: int) -> Tensor:
    """torchattacks' AutoAttack, its standard version."""
    import torchattacks

    classes = model(x[:1]).shape[1]
    return torchattacks.AutoAttack(model, eps=epsilon, n_classes=classes, seed=0)(x, y)
