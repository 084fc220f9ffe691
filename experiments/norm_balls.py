"""Figure 1.5: perturbations of one L2 length that do quite different things, and their signs.

    advx run experiment=norm_balls                  # digits that ship with a package
    advx run experiment=norm_balls scale=chapter    # MNIST

The procedure: among the training digits that are beyond doubt, their three nearest neighbors being
of their own class and every model sure of it, take the 3 and the 7 whose distance is nearest 4.
Three perturbations of that length: the difference, which makes the 3 a 7; the digit dimmed, which
changes nothing; a piece of the digit wiped out, which leaves no digit at all. Their counterparts in
the max norm: the sign, where zero ±1 at random, scaled to the same length. What do the networks and
nearest neighbor say of each? And how near are digits of different classes, in either norm?
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.noise import uniform
from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.distances import distances
from advx.evaluation.transfer import predictions, probabilities
from advx.evaluation.undefined import answered
from advx.figures import norm_balls as figure
from advx.figures.saved import save_and_draw
from advx.run import Run
from advx.types import NonNegativeInt, NormName, Positive, Probability


def cells(
    models: dict[str, Config], from_class: int, to_class: int, epsilon: float
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    norm_metrics = [NORM.format(norm) for norm in UNITS]
    yield Cells([*NAMES, NEAREST.format(from_class, to_class)], norm_metrics)
    yield Cells(["all six perturbations", max_norm(epsilon)], ["l2_norm"])
    yield Cells(["right-hand grid"], ["max_norm"])
    yield Cells(["unperturbed", *NAMES], [KEEPS.format(model) for model in models])


LEFT = ("difference of two digits", "dimmed", "wiped out")
NAMES = (*LEFT, *(f"{name}, its sign" for name in LEFT))
"""The perturbations, as rows: those of the left grid, then those of the right one."""

NEAREST = "nearest {} and {}"
"""The row of two classes."""

NORM, KEEPS = "{}_norm", "keeps_class_{}"
"""Metrics: of a norm, and of a model."""

UNITS: dict[NormName, str] = {"l2": "L2 norm", "linf": "max norm"}


def max_norm(epsilon: float) -> str:
    """The row of a perturbation of max norm ε."""
    return f"max norm {epsilon:g}".replace("0.", ".")


def main(
    run: Run,
    models: dict[str, Config],
    from_class: NonNegativeInt,
    to_class: NonNegativeInt,
    length: Positive,
    neighbors: NonNegativeInt,
    confidence: Probability,
    epsilon: Positive,
) -> None:
    """The six perturbations, their norms, and what every model says.

    Args:
        run: the run to measure on.
        models: those that are asked; the networks of the first seed are shown.
        from_class: the digit's class.
        to_class: the class it is turned into.
        length: L2 distance wanted between the two.
        neighbors: of a digit that must be of its class, so that it is beyond doubt.
        confidence: what every model of the first seed gives the digit's class at least; where no
            digit has so much, the most that one has.
        epsilon: a max norm whose L2 length is reported beside.
    """
    groups = candidates(run, from_class, to_class, neighbors)
    predicted: dict[str, list[int]] = {}
    with run.progress(models=len(models) * len(run.seeds)):
        first = [run.model(model, run.seeds[0]).value for model in models]
        here, there = (
            images[all_confident(first, images, label, confidence)]
            for images, label in zip(groups, (from_class, to_class), strict=True)
        )
        one, other = nearest_to(here, there, length)
        image = here[one]
        left = left_grid(image, there[other])
        size = norms.length(left, "l2").max().item()
        perturbations = torch.cat([left, torch.stack([sign_of_length(p, size) for p in left])])
        report_sizes(run, perturbations, epsilon)
        report_distances(run, from_class, to_class)
        for seed in run.seeds:
            for model in models:
                module = run.model(model, seed).value
                classes = predictions(module, torch.cat([image[None], image + perturbations]))
                answered(module, classes)
                for name, label in zip(("unperturbed", *NAMES), classes.tolist(), strict=True):
                    keeps = {KEEPS.format(model): 100.0 * (label == from_class)}
                    run.table.add(name, keeps, seed=seed, n=1)
                if seed == run.seeds[0]:
                    predicted[model] = classes.tolist()
    draw(run, image, perturbations, predicted, from_class, to_class)
    run.finish()


def candidates(run: Run, from_class: int, to_class: int, neighbors: int) -> list[Tensor]:
    """The training digits of both classes that are beyond doubt, each (m, *shape).

    Raises:
        ConfigError: there are no such classes, or none of their digits is.
    """
    for key, label in (("from_class", from_class), ("to_class", to_class)):
        if label >= run.data.classes or label == (from_class if key == "to_class" else -1):
            raise ConfigError(
                f"{key}={label}: two different classes of 0 … {run.data.classes - 1} are needed"
            )
    groups = [beyond_doubt(run.data.train, label, neighbors) for label in (from_class, to_class)]
    if not len(groups[0]) or not len(groups[1]):
        raise ConfigError(
            f"neighbors={neighbors}: no digit whose {neighbors} nearest are all of its class; "
            "valid: fewer"
        )
    return groups


def report_sizes(run: Run, perturbations: Tensor, epsilon: float) -> None:
    """The norms of the six perturbations, and the L2 length of one of max norm ε."""
    for name, perturbation in zip(NAMES, perturbations, strict=True):
        for norm, unit in UNITS.items():
            value = norms.length(perturbation[None], norm).item()
            run.table.add(name, {NORM.format(norm): value}, seed=None, unit=unit)
    mean = norms.length(perturbations, "l2").mean().item()
    run.table.add("all six perturbations", l2_norm=mean, seed=None, unit="L2 norm")
    most = norms.length(perturbations[3:], "linf").max().item()
    run.table.add("right-hand grid", max_norm=most, seed=None, unit="max norm")
    length = epsilon * math.sqrt(perturbations[0].numel())
    run.table.add(max_norm(epsilon), l2_norm=length, seed=None, unit="L2 norm")


def report_distances(run: Run, from_class: int, to_class: int) -> None:
    """How near two training digits of the two classes come, in either norm."""
    here, there = (of_class(run.data.train, label) for label in (from_class, to_class))
    for norm, unit in UNITS.items():
        nearest = {NORM.format(norm): smallest_distance(here, there, norm)}
        run.table.add(NEAREST.format(from_class, to_class), nearest, seed=None, unit=unit)


def draw(
    run: Run,
    image: Tensor,
    perturbations: Tensor,
    predicted: dict[str, list[int]],
    from_class: int,
    to_class: int,
) -> None:
    """The digit, its six perturbations and the six versions, with the models' answers."""
    arrays = {"image": image.cpu().numpy(), "perturbations": perturbations.cpu().numpy()} | {
        f"prediction_{name}": torch.tensor(results).numpy() for name, results in predicted.items()
    }
    size = norms.length(perturbations[:3], "l2").max().item()
    most = norms.length(perturbations[3:], "linf").max().item()
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        **captions(predicted, run.data.class_names, from_class, to_class, size, most),
        class_names=run.data.class_names,
        provenance=f"Models of the first seed. {run.heading()}",
    )


def captions(
    predicted: dict[str, list[int]],
    class_names: Sequence[str],
    here: int,
    there: int,
    size: float,
    most: float,
) -> figure.Captions:
    """What stands in the figure beside the images.

    Args:
        predicted: by model, the classes of the digit and of its six versions.
        class_names: one a class.
        here, there: the class of the digit, and the one it is turned into.
        size: L2 norm of the six perturbations.
        most: max norm of the right-hand three.
    """
    this, that = class_names[here], class_names[there]
    same = f"x + η: the same {this}"
    unchanged = [answer == here for answers in predicted.values() for answer in answers[4:]]
    return {
        "contents": [
            f"x + η: a {that} of the training set",
            f"{same}, dimmed",
            f"{same} without its middle",
            *[f"{same}, η the sign of the left one"] * 3,
        ],
        "finding": f"An L2 norm of {size:.2f} makes a {this} a {that}, dims it or cuts it in two; "
        f"spread as ±{most:.2f} over all pixels, it leaves {sum(unchanged)} of {len(unchanged)} "
        f"answers at {this}",
    }


def of_class(split: Split, label: int) -> Tensor:
    """The images of a class, (m, *shape)."""
    return split.images[split.labels == label]


def beyond_doubt(split: Split, label: int, neighbors: int) -> Tensor:
    """The images of a class whose nearest others in the split are all of it, (m, *shape)."""
    images, everything = of_class(split, label), split.images.flatten(1)
    alone = []
    for part in images.split(500):
        distances = torch.cdist(part.flatten(1), everything)
        nearest = distances.topk(min(neighbors + 1, len(everything)), largest=False).indices
        alone.append((split.labels[nearest] == label).all(1))  # itself among them
    return images[torch.cat(alone)]


def all_confident(
    models: Sequence[nn.Module], images: Tensor, label: int, confidence: float
) -> Tensor:
    """Which images (m, *shape) every model gives the class with this probability at least, (m,).

    Where there is none, those that come nearest to it.
    """
    given = [probabilities(model, images)[:, label] for model in models]
    least = torch.stack(given).amin(0).nan_to_num(0.0)
    return least >= min(confidence, least.max().item())


def nearest_to(here: Tensor, there: Tensor, length: float) -> tuple[int, int]:
    """The pair of images, one of each stack (m, *shape), whose L2 distance is nearest `length`."""
    distances = torch.cdist(here.flatten(1).double(), there.flatten(1).double())
    place = int((distances - length).abs().argmin())
    return place // len(there), place % len(there)


def smallest_distance(here: Tensor, there: Tensor, norm: NormName) -> float:
    """The smallest distance between an image of one stack and one of the other."""
    here, there = here.flatten(1), there.flatten(1)
    if norm == "l2":
        return min(distances(x, there).min().item() for x in here.split(1000))
    return min(torch.cdist(x, there, p=math.inf).min().item() for x in here.split(100))


def left_grid(image: Tensor, other: Tensor) -> Tensor:
    """Three perturbations of the same L2 length, (3, *shape): what each does, see the head.

    The digit is wiped out from its middle rows outward until the length is reached.
    """
    difference = other - image
    size = difference.norm()
    dimmed = -image * (size / image.norm())
    row = torch.arange(image.shape[1], dtype=image.dtype, device=image.device)
    energy = image.square().sum((0, 2))
    middle = (row * energy).sum() / energy.sum()
    order = (row - middle).abs().argsort(stable=True)
    wiped = torch.zeros_like(image)
    for place in order:
        left = size.square() - wiped.square().sum()
        line = image[:, place]
        share = min(1.0, (left.clamp(min=0).sqrt() / line.norm().clamp(min=1e-12)).item())
        wiped[:, place] = -share * line
    return torch.stack([difference, dimmed, wiped])


def sign_of_length(perturbation: Tensor, size: float) -> Tensor:
    """The sign of a perturbation (*shape), ±1 at random where it is zero, of L2 length `size`."""
    draw = uniform(perturbation[None], 0)[0].sign()
    sign = torch.where(perturbation == 0, draw, perturbation.sign())
    return sign * (size / math.sqrt(perturbation.numel()))
