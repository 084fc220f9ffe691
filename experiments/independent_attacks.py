"""The trained defenses under other people's attacks: do ours miss anything?

    advx run experiment=independent_attacks                  # 5,000 digits that need no download
    advx run experiment=independent_attacks scale=chapter

The same networks as `experiment=defenses`, attacked by `strongest`, by foolbox's PGD and by
torchattacks' AutoAttack (Croce and Hein 2020), all with the same ε and images kept in [0, 1].
`theirs_minus_ours` is a difference of error rates; `missed` is the share of the examples that a
library breaks and `strongest` does not. Needs the optional packages: pip install "advx[oracles]".
"""

import importlib
import math
from functools import partial
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.errors import ConfigError
from advx.evaluation.transfer import Attack, craft, mistakes
from advx.run import Run
from advx.training.recipe import Recipe, dependencies
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
    """Error rates of every defense under each library's attack.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        defenses: the defenses attacked with every seed, by name.
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
    with run.progress(models=sum(1 + len(dependencies(network)) for network in networks.values())):
        for (row, seed), network in networks.items():
            known = {"seed": seed, "n": examples}
            for epsilon in epsilons:
                node = strongest | {"epsilon": epsilon}
                found = {"strongest": fallen(run, network, run.attack(node, network), epsilon,
                                             examples, {"attack": node})}  # fmt: skip
                for library, attack in others.items():
                    named = {"library": library, "epsilon": epsilon, "steps": foolbox_steps}
                    search = partial(attack, epsilon=epsilon, steps=foolbox_steps)
                    found[library] = fallen(run, network, search, epsilon, examples, named)
                rates = {who: percent(broken) for who, broken in found.items()}
                for who, rate in rates.items():
                    run.record(row, f"{who}_error_rate@{epsilon:g}", rate, **known)
                ours, *theirs = rates.values()
                worst = math.nan if any(map(math.isnan, theirs)) else max(theirs)
                run.record(row, f"theirs_minus_ours@{epsilon:g}", worst - ours, seed=seed,
                           unit="points")  # fmt: skip
                run.record(row, f"missed@{epsilon:g}", missed(*found.values()), **known)
    run.finish()


class Fallen(TypedDict):
    """What an attack breaks: places among the examples, `of` so many that were given a class."""

    places: list[int]
    of: int


def fallen(
    run: Run,
    network: Recipe,
    attack: Attack,
    epsilon: float,
    examples: int,
    depends_on: dict[str, Any],
) -> Fallen:
    """The examples that an attack breaks on the network; kept.

    Args:
        run: the run to measure on.
        network: the network attacked.
        attack: from images and labels to adversarial images.
        epsilon: the size that it must keep, in the max norm.
        examples: test examples attacked.
        depends_on: what names the attack.

    Returns:
        The places; of no examples where the network diverged, or where the attack leaves the ball:
        a point outside of it proves nothing.
    """
    nothing: Fallen = {"places": [], "of": 0}

    def measure() -> Fallen:
        module, clean = run.trained(network).module, run.tested(examples)
        with evaluating(module):
            moved = craft(attack, module, clean)
        if (moved.images - clean.images).abs().max().item() > epsilon + 1e-6:
            return nothing
        wrong, defined = mistakes(module, moved)
        return {"places": wrong.nonzero().squeeze(1).tolist(), "of": int(defined.sum())}

    content = {"models": [run.key(network)], "of": "examples that fall"} | depends_on
    return cast(Fallen, run.measured(content, measure, examples, missing=nothing))


def percent(found: Fallen) -> float:
    """The error rate, in percent; NaN of no examples."""
    return 100 * len(found["places"]) / found["of"] if found["of"] else math.nan


def missed(ours: Fallen, *theirs: Fallen) -> float:
    """Percent of the examples that any of `theirs` breaks and `ours` does not; NaN of none."""
    if not all(found["of"] for found in (ours, *theirs)):
        return math.nan
    anyones = {place for found in theirs for place in found["places"]}
    return 100 * len(anyones - set(ours["places"])) / ours["of"]


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
