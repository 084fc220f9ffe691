"""Somebody else's hidden representation, section 1.2.4: does the guide's picture come out?

    advx run experiment=hidden_representation                  # digits that ship with a package
    advx run experiment=hidden_representation scale=chapter    # MNIST

The procedure of Sabour et al. 2015: perturb a digit until a hidden layer of the maxout network
says what it says of another digit, the guide. A decoder that was trained to turn that layer's
output back into the picture then shows whose picture it is. Beside it noise of the same size.
"""

from typing import Any

import torch
from torch import Tensor, nn

from advx.evaluation.transfer import craft, known_of_each_class, predictions
from advx.evaluation.undefined import percent
from advx.figures.gallery import gallery
from advx.figures.style import called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.decoder import Decoder, represented, train_decoder
from advx.training.recipe import Recipe
from advx.types import NonNegative, PositiveInt


def main(
    run: Run,
    models: dict[str, Any],
    judge: dict[str, Any],
    feature: dict[str, Any],
    noise: dict[str, Any],
    layers: list[str],
    epsilons: list[NonNegative],
    decoder_epochs: PositiveInt,
    examples: PositiveInt,
    figure_examples: PositiveInt,
) -> None:
    """How near the representations come, and what the decoder makes of them.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        judge: the model that says which class a decoded picture shows.
        feature: the attack.
        noise: the control of the same size.
        layers: hidden layers of the network, by name.
        epsilons: sizes of the perturbation.
        decoder_epochs: passes of the decoder's training.
        examples: test examples that are perturbed, each towards a guide of another class.
        figure_examples: digits in the figure: last layer, first seed, largest size.
    """
    (name,) = models
    n = min(examples, len(run.data.test))
    judging = run.recipe(judge, run.seeds[0], path="judge")
    for layer in layers:  # refused before anything is trained
        run.attack(feature | {"layer": layer}, run.recipe(name, run.seeds[0]))
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.recipe(name, seed)
            for layer in layers:
                row = f"{name}, {layer}"
                found = measured(
                    run, network, judging, layer, feature, noise, epsilons, decoder_epochs, n
                )
                for metric, value in found.items():
                    unit = "ratio" if "distance" in metric else "percent"
                    run.record(row, metric, value, seed=seed, n=n, unit=unit)
    run.attempt(
        lambda: draw(run, run.recipe(name, run.seeds[0]), judging, layers[-1],
                     feature | {"epsilon": max(epsilons)}, decoder_epochs, figure_examples)
    )  # fmt: skip
    run.finish()


def measured(
    run: Run,
    network: Recipe,
    judging: Recipe,
    layer: str,
    feature: dict[str, Any],
    noise: dict[str, Any],
    epsilons: list[float],
    epochs: int,
    examples: int,
) -> dict[str, float]:
    """The figures of one layer by name; kept. Empty where the network diverged."""

    def measure() -> dict[str, float]:
        module, judge = run.trained(network).module, run.trained(judging).module
        decoder = train_decoder(
            module, run.data.train.images, layer, seed=network.seed, epochs=epochs
        )
        rows = run.data.test.spaced(examples)
        clean, guides = run.data.test.take(rows), run.guides[rows]
        wanted = run.target_classes[rows]
        goal = represented(module, guides, layer)
        apart = (represented(module, clean.images, layer) - goal).norm(dim=1)
        itself = decoded(decoder, goal)
        figures = {"guide_decoded_as_its_class": given(judge, itself, wanted)}
        for epsilon in epsilons:
            for metric, node in (("", feature | {"layer": layer}), ("noise_", noise)):
                attack = run.attack(node | {"epsilon": epsilon}, network)
                aims = guides if getattr(attack, "guided", False) else None
                moved = craft(attack, module, clean, aims).images
                there = represented(module, moved, layer)
                left = ((there - goal).norm(dim=1) / apart.clamp(min=1e-12)).double()
                picture = decoded(decoder, there)
                to_guide, to_self = (
                    (picture - image).flatten(1).norm(dim=1) for image in (guides, clean.images)
                )
                at = f"@{epsilon:g}"
                figures |= {
                    f"{metric}median_distance_left{at}": left.median().item(),
                    f"{metric}decoded_nearer_the_guide{at}": share(to_guide < to_self),
                    f"{metric}decoded_as_the_guides_class{at}": given(judge, picture, wanted),
                    f"{metric}classified_as_the_guide{at}": given(module, moved, wanted),
                }
        return figures

    content = {"models": [run.key(network), run.key(judging)], "of": "hidden representation",
               "attacks": [feature, noise], "layer": layer, "epsilons": epsilons,
               "decoder_epochs": epochs}  # fmt: skip
    return run.measured(content, measure, examples, missing={})


def share(chosen: Tensor) -> float:
    """Percent of (n,) bool."""
    return 100 * chosen.double().mean().item()


def given(model: nn.Module, images: Tensor, wanted: Tensor) -> float:
    """Percent of images (n, *shape) that the model gives the wanted classes (n,)."""
    said = predictions(model, images)
    return percent(model, said == wanted, said)


@torch.no_grad()
def decoded(decoder: Decoder, representations: Tensor) -> Tensor:
    """Representations (n, width) to images (n, *shape)."""
    return decoder(representations)


def draw(
    run: Run,
    network: Recipe,
    judging: Recipe,
    layer: str,
    feature: dict[str, Any],
    epochs: int,
    count: int,
) -> None:
    """Digit, guide, perturbed digit, and what the decoder makes of the three."""
    module, judge = run.trained(network).module, run.trained(judging).module
    decoder = train_decoder(module, run.data.train.images, layer, seed=network.seed, epochs=epochs)
    test = run.data.test
    shown = known_of_each_class(module, test, count)
    clean, guides = test.take(shown), run.guides[shown]
    attack = run.attack(feature | {"layer": layer}, network)
    pictures = {
        "digit": clean.images,
        "guide": guides,
        "perturbed": craft(attack, module, clean, guides).images,
    }
    pictures |= {
        f"{row}, decoded": decoded(decoder, represented(module, images, layer))
        for row, images in pictures.items()
    }
    said = {row: predictions(judge if "decoded" in row else module, images)
            for row, images in pictures.items()}  # fmt: skip
    classes = {row: run.target_classes[shown] if row.startswith("guide") else clean.labels
               for row in pictures}  # fmt: skip
    words = captions(Numbers(run.results.rows), f"{network.model['name']}, {layer}",
                     feature["epsilon"], judging.model["name"])  # fmt: skip
    gallery(run.folder, "hidden_representation", pictures, said, classes,
            class_names=run.data.class_names, provenance=run.heading(), **words)  # fmt: skip


def captions(found: Numbers, row: str, epsilon: float, judge: str) -> dict[str, Any]:
    """What stands in the figure beside the images."""
    nearer, noise = (
        found.mean(row, f"{kind}decoded_nearer_the_guide@{epsilon:g}") for kind in ("", "noise_")
    )
    return {
        "finding": f"Moved by {size(epsilon)} towards the hidden representation of a guide, "
                   f"{percentage(nearer)} of the images decode to one nearer the guide; by noise, "
                   f"{percentage(noise)}",
        "note": "Under each image its class, of the decoded ones by "
                f"{called(judge)}; bold, a mistake of the network.",
        "words": {"guide, decoded": "guide,\ndecoded", "digit, decoded": "digit,\ndecoded",
                  "perturbed, decoded": "perturbed,\ndecoded",
                  "perturbed": f"perturbed\nε = {size(epsilon)}"},
        "plain": ["digit, decoded", "guide, decoded", "perturbed, decoded"],
    }  # fmt: skip
