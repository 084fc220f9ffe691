"""How fast the attacks are beside other libraries': same network, digits and parameters, one run.

    pip install -r requirements-peers.txt
    advx run experiment=benchmark_attacks                  # digits that ship with a package
    advx run experiment=benchmark_attacks scale=chapter    # MNIST

Every library attacks the same trained network, in the same batches; what it reaches stands beside
the time, so that nobody wins by doing less. Times are ratios of neighboring measurements; the
seconds are in `timing.csv`. Unlike other experiments', these results are not the same twice.
Afterward every attack's peak memory on 10,000 images, in a process of its own.
"""

import importlib.util
import logging
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.gradient import evaluating
from advx.attacks.own import as_attack
from advx.config.cells import Cells, setting
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.benchmark import peak_memory, with_seconds
from advx.evaluation.peers import PEERS, Contender
from advx.evaluation.transfer import BATCH, craft, predictions
from advx.run import Run
from advx.types import NormName, PositiveInt, Shape

log = logging.getLogger(__name__)

NORMS: tuple[NormName, ...] = ("l2", "linf")
"""In which perturbations are measured."""

TARGETED = ("jsma", "lbfgs")
"""Contests in which the label given is the class to be reached: the one after the true one."""


def cells(
    attacks: dict[str, Config], memory_attacks: dict[str, Config], memory_images: int
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    ours = [f"{contest}: advx" for contest in attacks]
    theirs = [f"{contest}: {name}" for contest in attacks for name in PEERS.get(contest, ())]
    yield Cells(ours, ["per_second", "success_rate"])
    yield Cells(theirs, ["time_over_advx", "success_rate"], always=False)  # where installed
    sizes = [*(f"mean_{norm}" for norm in NORMS), "mean_l0"]
    yield Cells([*ours, *theirs], sizes, always=False)  # of no success there is no size
    yield Cells([*memory_attacks], ["peak_memory"], settings=[setting(images=memory_images)])


def main(
    run: Run,
    models: dict[str, Config],
    attacks: dict[str, Config],
    examples: dict[str, PositiveInt],
    repeats: PositiveInt,
    memory_attacks: dict[str, Config],
    memory_images: PositiveInt,
) -> None:
    """One contest an attack, then the memory of all.

    Args:
        run: the run to measure on.
        models: the one network, by name.
        attacks: ours: `fgsm`, `pgd`, `pgd_stopping`, `deepfool`, `jsma`, `lbfgs`.
        examples: test digits in each contest.
        repeats: timings of every contender, in turns; one row each.
        memory_attacks: the attacks whose peak memory is measured.
        memory_images: images of noise that they are given.
    """
    (name,) = models
    for contest in attacks:
        if contest not in PEERS or contest not in examples:
            raise ConfigError(
                f"attacks.{contest}: no such contest, or no examples.{contest}; "
                f"valid: {', '.join(PEERS)}"
            )
    installed = [p for p in ("foolbox", "torchattacks", "art") if importlib.util.find_spec(p)]
    if not installed:
        raise ConfigError(
            "experiment=benchmark_attacks: none of foolbox, torchattacks, "
            "adversarial-robustness-toolbox is installed; pip install -r requirements-peers.txt"
        )
    if len(installed) < 3:
        log.warning("only %s installed: the others stay out", ", ".join(installed))
    with run.progress(models=1):
        network = run.model(name, run.only_seed).value
    for contest, node in attacks.items():
        contend(run, network, contest, node, examples[contest], repeats, installed)
    for attack, node in memory_attacks.items():
        peak, _ = peak_memory(attack_noise, node, models[name], run.data.input_shape, memory_images)
        under = setting(images=memory_images)
        run.table.add(attack, peak_memory=peak, setting=under, seed=None, unit="MiB")
    run.finish()


def contend(
    run: Run,
    network: nn.Module,
    contest: str,
    attack: Config,
    examples: int,
    repeats: int,
    installed: list[str],
) -> None:
    """Time every contender in turns, and measure what each reaches."""
    clean, targets = digits(run, contest, examples)
    ours = attack.build()
    contenders: dict[str, Contender] = {"advx": ours} | {
        library: peer(attack)
        for library, peer in PEERS[contest].items()
        if library in (*installed, "plain loop", "scipy")
    }
    for contender in contenders.values():  # what only a first call costs is not timed
        with evaluating(network):
            contender(network, clean.images[:2], targets[:2])
    results: dict[str, Tensor] = {}
    for repeat in range(repeats):
        spent = {}
        for library, contender in contenders.items():
            log.info("%s: %s, %d of %d", contest, library, repeat + 1, repeats)
            work = partial(in_batches, contender, network, clean, targets)
            with run.timed(contest, library), evaluating(network):
                results[library], spent[library] = with_seconds(work, run.device)
        for library, seconds in spent.items():
            if library != "advx":
                ratio = seconds / spent["advx"]
                row = f"{contest}: {library}"
                run.table.add(row, time_over_advx=ratio, seed=repeat, unit="ratio")
        run.table.add(
            f"{contest}: advx", per_second=len(clean) / spent["advx"], seed=repeat, unit="examples"
        )
    for library, images in results.items():
        reached(run, f"{contest}: {library}", network, clean, targets, images, contest in TARGETED)


def reached(
    run: Run,
    row: str,
    network: nn.Module,
    clean: Split,
    targets: Tensor,
    images: Tensor,
    targeted: bool,
) -> None:
    """The contender's success, and the mean size of what it succeeded with."""
    n, predicted = len(clean), predictions(network, images)
    won = predicted == targets if targeted else predicted != clean.labels
    run.table.add(row, success_rate=100 * won.double().mean().item(), seed=None, n=n)
    if not won.any():
        return  # no success has no size
    away = images - clean.images
    for norm in NORMS:
        size = norms.length(away, norm)[won].double().mean().item()
        run.table.add(row, {f"mean_{norm}": size}, seed=None, n=n, unit=f"{norm} norm")
    changed = 100 * norms.changed_share(away[won], above=1e-6).mean().item()
    run.table.add(row, mean_l0=changed, seed=None, n=n, unit="percent of pixels")


def digits(run: Run, contest: str, examples: int) -> tuple[Split, Tensor]:
    """The contest's digits, and the labels that its attacks are given.

    torchattacks' JSMA targets at the label plus 1, so the last class is left out for everybody.
    """
    clean = run.data.test
    if contest in TARGETED:
        clean = clean.take((clean.labels < run.data.classes - 1).nonzero().squeeze(1))
    clean = clean.take(clean.spaced(examples))
    return clean, clean.labels + 1 if contest in TARGETED else clean.labels


def in_batches(attack: Contender, network: nn.Module, clean: Split, targets: Tensor) -> Tensor:
    """The attack's images for all digits, as many at once for every library."""
    parts = zip(clean.images.split(BATCH), targets.split(BATCH), strict=True)
    return torch.cat([attack(network, x, y) for x, y in parts])


def attack_noise(attack: Config, network: Config, shape: Shape, count: int) -> None:
    """The attack on a fresh network and images of noise: memory does not depend on them."""
    model, search = network.build().eval(), as_attack(attack.build())
    images = torch.rand(count, *shape)
    labels = model(images[:BATCH]).argmax(1).repeat(-(-count // BATCH))[:count]
    others = {"guide_images": images.flip(0), "target_classes": (labels + 1) % 10}
    craft(search, model, Split(images, labels), others.get(search.receives))
