"""Somebody else's hidden representation, section 1.2.4: does the guide's image come out?

    advx run experiment=hidden_representation                  # digits that ship with a package
    advx run experiment=hidden_representation scale=chapter    # MNIST

The procedure of Sabour et al. 2015: perturb a digit until a hidden layer of the maxout network
says what it says of another digit, the guide. A decoder that was trained to turn that layer's
output back into the image then shows whose image it is. Beside it noise of the same size.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.decoder import Decoder, represented, train_decoder
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft, known_of_each_class, predictions
from advx.evaluation.undefined import percent
from advx.figures.gallery import Captions, gallery
from advx.figures.style import called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import PositiveInt, SizesFromZero, Some


def cells(models: dict[str, Config], layers: list[str], epsilons: list[float]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    (model,) = models.values()
    rows = [LAYER.format(model["name"], layer) for layer in layers]
    yield Cells(rows, ["guide_decoded_as_its_class"])
    metrics = [f"{prefix}{metric}" for prefix in PREFIXES for metric in metrics_of(Representation)]
    yield Cells(rows, metrics, epsilons)


LAYER = "{}, {}"
"""The row of a network's layer."""

PREFIXES = ("", "noise_")
"""Of the metrics, under the attack and under noise."""


def main(
    run: Run,
    models: dict[str, Config],
    evaluator: Config,
    feature: Config,
    noise: Config,
    layers: Some[str],
    epsilons: SizesFromZero,
    decoder_epochs: PositiveInt,
    examples: PositiveInt,
    figure_examples: PositiveInt,
) -> None:
    """How near the representations come, and what the decoder makes of them.

    Args:
        run: the run to measure on.
        models: the one network, by name.
        evaluator: the model that says which class a decoded image shows.
        feature: the attack.
        noise: the control of the same size.
        layers: hidden layers of the network, by name.
        epsilons: sizes of the perturbation.
        decoder_epochs: passes of the decoder's training.
        examples: test examples that are perturbed, each toward a guide of another class.
        figure_examples: digits in the figure: last layer, first seed, largest size.
    """
    (name,) = models
    n = min(examples, len(run.data.test))
    for layer in layers:  # refused before anything is trained
        run.attack(feature.with_(layer=layer), run.model(name, run.seeds[0]))
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            for layer in layers:
                measure(
                    run,
                    LAYER.format(name, layer),
                    run.model(name, seed),
                    evaluator,
                    layer,
                    feature,
                    noise,
                    epsilons,
                    decoder_epochs,
                    n,
                )
    network = run.model(name, run.seeds[0])
    attack = feature.with_(layer=layers[-1], epsilon=max(epsilons))
    row = LAYER.format(name, layers[-1])
    run.attempt(lambda: draw(run, row, network, evaluator, attack, decoder_epochs, figure_examples))
    run.finish()


def measure(
    run: Run,
    row: str,
    network: Model,
    evaluator: Config,
    layer: str,
    feature: Config,
    noise: Config,
    epsilons: list[float],
    decoder_epochs: int,
    n: int,
) -> None:
    """The rows of one layer."""
    seed = network.seed
    decoding = {
        "classifier": run.model(evaluator, run.seeds[0]),
        "decoder": run.derive(
            train_decoder, network, run.data.train.images, layer, seed=seed, epochs=decoder_epochs
        ),
        "guides": run.crafting.guides[run.source.rows(n)],
        "wanted": run.crafting.target_classes[run.source.rows(n)],
        "layer": layer,
    }
    itself = run.measure(guides_decoded, network, **decoding)
    run.table.add(row, guide_decoded_as_its_class=itself, seed=seed, n=n)
    for epsilon in epsilons:
        for prefix, attack in zip(PREFIXES, (feature.with_(layer=layer), noise), strict=True):
            moved = run.craft(attack.with_(epsilon=epsilon), network, n)
            seen = run.measure(representation_of, network, run.test(n), moved, **decoding)
            for metric, value in asdict(seen).items():
                unit = "ratio" if "distance" in metric else "percent"
                results = {prefix + metric: value}
                run.table.add(row, results, epsilon=epsilon, unit=unit, seed=seed, n=n)


@measurement(version=1)
def guides_decoded(
    model: nn.Module,
    *,
    classifier: nn.Module,
    decoder: Decoder,
    guides: Tensor,
    wanted: Tensor,
    layer: str,
) -> float:
    """How often the decoder's image of a guide shows the guide's class, in percent."""
    return given(classifier, decoded(decoder, represented(model, guides, layer)), wanted)


@dataclass(frozen=True)
class Representation:
    """How near moved images come to their guides.

    Attributes:
        median_distance_left: in the layer, as a part of the distance before.
        decoded_nearer_the_guide: decoded to an image nearer the guide than the original, percent.
        decoded_as_the_guides_class: in percent, by another classifier.
        classified_as_the_guide: by the network itself, in percent.
    """

    median_distance_left: float
    decoded_nearer_the_guide: float
    decoded_as_the_guides_class: float
    classified_as_the_guide: float


@measurement(version=1)
def representation_of(
    model: nn.Module,
    clean: Split,
    moved: Split,
    *,
    classifier: nn.Module,
    decoder: Decoder,
    guides: Tensor,
    wanted: Tensor,
    layer: str,
) -> Representation:
    """Whose hidden representation moved images have.

    Args:
        model: the network.
        clean: the images before, n of them.
        moved: and after.
        classifier: says what decoded images show.
        decoder: makes images of representations.
        guides: (n, *shape), the images whose representation was wanted.
        wanted: (n,) int64, their classes.
        layer: whose output is the representation.
    """
    goal = represented(model, guides, layer)  # (n, width)
    apart = (represented(model, clean.images, layer) - goal).norm(dim=1)
    there = represented(model, moved.images, layer)
    left = ((there - goal).norm(dim=1) / apart.clamp(min=1e-12)).double()
    image = decoded(decoder, there)
    to_guide, to_self = ((image - other).flatten(1).norm(dim=1) for other in (guides, clean.images))
    return Representation(
        median_distance_left=left.median().item(),
        decoded_nearer_the_guide=share(to_guide < to_self),
        decoded_as_the_guides_class=given(classifier, image, wanted),
        classified_as_the_guide=given(model, moved.images, wanted),
    )


def share(chosen: Tensor) -> float:
    """Percent of (n,) bool."""
    return 100 * chosen.double().mean().item()


def given(model: nn.Module, images: Tensor, wanted: Tensor) -> float:
    """Percent of images (n, *shape) that the model gives the wanted classes (n,)."""
    predicted = predictions(model, images)
    return percent(model, predicted == wanted, predicted)


@torch.no_grad()
def decoded(decoder: Decoder, representations: Tensor) -> Tensor:
    """Representations (n, width) to images (n, *shape)."""
    return decoder(representations)


def draw(
    run: Run, row: str, network: Model, evaluator: Config, attack: Config, epochs: int, count: int
) -> None:
    """Digit, guide, perturbed digit, and what the decoder makes of the three."""
    module, classifier = network.value, run.model(evaluator, run.seeds[0]).value
    layer, test = attack["layer"], run.data.test
    decoder = train_decoder(module, run.data.train.images, layer, seed=network.seed, epochs=epochs)
    shown = known_of_each_class(module, test, count)
    clean, guides = test.take(shown), run.crafting.guides[shown]
    images = {
        "digit": clean.images,
        "guide": guides,
        "perturbed": craft(run.attack(attack, network).value, module, clean, guides).images,
    }
    images |= {
        f"{line}, decoded": decoded(decoder, represented(module, given, layer))
        for line, given in images.items()
    }
    classes = {
        line: run.crafting.target_classes[shown] if line.startswith("guide") else clean.labels
        for line in images
    }
    words = captions(run.numbers(), row, attack["epsilon"], evaluator["name"])
    gallery(
        run.folder,
        "hidden_representation",
        images,
        {
            row: predictions(classifier if "decoded" in row else module, made)
            for row, made in images.items()
        },
        classes,
        class_names=run.data.class_names,
        provenance=run.heading(),
        **words,
    )


def captions(results: Numbers, row: str, epsilon: float, evaluator: str) -> Captions:
    """What stands in the figure beside the images."""
    nearer, noise = (
        results.mean(row, f"{kind}decoded_nearer_the_guide", epsilon) for kind in PREFIXES
    )
    return {
        "finding": f"Moved by {size(epsilon)} toward the hidden representation of a guide, "
        f"{percentage(nearer)} of the images decode to one nearer the guide; by noise, "
        f"{percentage(noise)}",
        "note": "Under each image its class, of the decoded ones by "
        f"{called(evaluator)}; bold, a mistake of the network.",
        "words": {
            "guide, decoded": "guide,\ndecoded",
            "digit, decoded": "digit,\ndecoded",
            "perturbed, decoded": "perturbed,\ndecoded",
            "perturbed": f"perturbed\nε = {size(epsilon)}",
        },
        "plain": ["digit, decoded", "guide, decoded", "perturbed, decoded"],
    }
