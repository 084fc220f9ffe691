"""Figure 1.1: a perturbation too small to be seen, and the class it makes of an image.

    advx run experiment=imperceptible                  # a network and digits that need no download
    advx run experiment=imperceptible scale=chapter    # CIFAR-10
    advx run experiment=imperceptible model=torchvision model.name=googlenet image=panda.jpg

The procedure: move every pixel by half a gray level, one or two, along the sign of the gradient,
and ask the network again; then round to the 8 bits that an image is stored in, which takes half a
level away again. With an image of your own: the same on it, at .007 of the range.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.config.cells import Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import Split
from advx.data.one_image import load_image
from advx.errors import ConfigError
from advx.evaluation.counting import has_gray_levels
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import (
    craft,
    error_rate,
    known_of_each_class,
    predictions,
    probabilities,
)
from advx.evaluation.undefined import answered, percent
from advx.figures import imperceptible as figure
from advx.figures.saved import save_and_draw
from advx.figures.style import percentage
from advx.figures.tiles import confidence, named
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.checks import stands_alone
from advx.run.crafting import refuse_targeted
from advx.types import NonNegative, Positive, PositiveInt, Some

STORED = ("", "rounded")
"""Settings: the images as they are, and as 8 bits hold them."""

IMAGE = "{}, the image"
"""The row of an image of one's own."""

GRAY = 255
"""Levels from black to white."""


def cells(
    model: Config, levels: list[float], image: str | None, image_epsilon: float
) -> Iterator[Cells]:
    """What `main` measures with these arguments: of the test examples, or of one image."""
    digits = image is None  # the YAML's claims speak of them, whatever is measured
    yield Cells([model["name"]], ["clean_error_rate"], always=digits)
    yield from sizes_of(model["name"], levels, always=digits)
    if image is not None:
        yield from sizes_of(IMAGE.format(model["name"]), [*levels, image_epsilon * GRAY])


def sizes_of(row: str, sizes: list[float], *, always: bool = True) -> Iterator[Cells]:
    """What is measured of every size, before and after rounding."""
    under = [setting(stored, gray_levels=level) for level in sizes for stored in STORED]
    yield Cells([row], ["error_rate"], settings=under, always=always)
    others = [metric for metric in metrics_of(Fooled) if metric != "error_rate"]
    yield Cells([row], others, settings=under, always=False)  # of no mistake there is none


def main(
    run: Run,
    model: Config,
    fgsm: Config,
    levels: Some[Positive],
    examples: PositiveInt,
    figure_examples: PositiveInt,
    image: str | None,
    image_epsilon: NonNegative,
) -> None:
    """Errors and confidences for each size, before and after rounding.

    Args:
        run: the run to measure on.
        model: the network.
        fgsm: the attack's node.
        levels: sizes of the perturbation, in gray levels.
        examples: test examples attacked.
        figure_examples: of these, shown.
        image: an image of one's own instead of the test examples.
        image_epsilon: the size of its perturbation, of the range [0, 1].
    """
    refuse_targeted(fgsm, "fgsm")
    name = model["name"]
    if image is not None:
        one_image(run, name, model, fgsm, image, image_epsilon, levels)
        return
    if stands_alone(model):
        raise ConfigError(f"image=null: {name} knows ImageNet only; valid: image=IMAGE")
    n = min(examples, len(run.data.test))
    if not has_gray_levels(run.test(n).images):
        raise ConfigError(
            f"dataset={run.data.name}: examples that are no images in [0, 1] have no gray levels; "
            "valid: images in [0, 1]"
        )
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.model(model, seed)
            clean = run.measure(error_rate, network, run.test(n))
            run.table.add(name, clean_error_rate=clean, seed=seed, n=n)
            for level in levels:
                attack = run.attack(fgsm.with_(epsilon=level / GRAY), network)
                report(
                    run, name, level, run.measure(moved_by, network, attack, run.test(n)), seed, n
                )
    network = run.model(model, run.seeds[0])
    module = run.attempt(lambda: network.value)
    if module is not None:
        level = (levels[1:2] or levels[:1])[0]
        shown = run.data.test.take(known_of_each_class(module, run.data.test, figure_examples))
        attack = run.attack(fgsm.with_(epsilon=level / GRAY), network)
        text = finding(run.numbers(), name, level)
        draw(run, module, shown, attack.value, level, run.data.class_names, text)
    run.finish()


def report(run: Run, row: str, level: float, results: "MovedBy", seed: int | None, n: int) -> None:
    """The rows of one size, before and after rounding; of no mistakes there is no confidence."""
    for stored, seen in zip(STORED, (results.moved, results.rounded), strict=True):
        for metric, value in asdict(seen).items():
            if metric == "error_rate" or not math.isnan(value):
                under = setting(stored, gray_levels=level)
                run.table.add(row, {metric: value}, setting=under, seed=seed, n=n)


def finding(results: Numbers, name: str, level: float) -> str:
    """What a perturbation does to the error, in one sentence; means over the seeds."""
    before = results.mean(name, "clean_error_rate")
    after = results.mean(name, "error_rate", setting=setting(gray_levels=level))
    size = "One gray level" if level == 1 else f"{level:g} gray levels"
    rates = f"from {percentage(before)} to {percentage(after)}"
    return f"{size} along the sign of the gradient takes the error {rates}"


def stored(moved: Tensor, clean: Tensor) -> Tensor:
    """The images (n, *shape) as 8 bits hold them; half a level falls back to the clean one."""
    back = 1e-3 * (moved - clean).sign()  # levels
    return ((moved * GRAY - back).round() / GRAY).clamp(0, 1)


@dataclass(frozen=True)
class Fooled:
    """In percent.

    Attributes:
        error_rate: of the moved images.
        confidence_before: in the right class, of those that were right before and are wrong after.
        confidence_after: in their wrong class.
    """

    error_rate: float
    confidence_before: float
    confidence_after: float


@dataclass(frozen=True)
class MovedBy:
    """What a perturbation does, and what is left of it in 8 bits."""

    moved: Fooled
    rounded: Fooled


@measurement(version=1)
def moved_by(model: nn.Module, attack: Attack, clean: Split) -> MovedBy:
    """Errors, and the confidence in the right class before and in the wrong one after."""
    before = probabilities(model, clean.images)
    known = answered(model, predicted(before)) & (predicted(before) == clean.labels)
    moved = craft(attack, model, clean).images
    results = []
    for images in (moved, stored(moved, clean.images)):
        after = probabilities(model, images)
        classes = predicted(after)
        wrong = classes != clean.labels
        fooled = wrong & answered(model, classes) & known
        confidences = [100 * p[fooled].amax(1).double().mean().item() for p in (before, after)]
        results.append(Fooled(percent(model, wrong, classes), *confidences))
    return MovedBy(*results)


def one_image(
    run: Run,
    name: str,
    model: Config,
    fgsm: Config,
    image: str,
    epsilon: float,
    levels: list[float],
) -> None:
    """The same on an image of one's own, whose class is what the network says of it."""
    network = run.model(model, run.seeds[0])
    if stands_alone(model):
        module = model.build().to(run.device).eval()
        shape, resized, names = module.input_shape, module.resized, module.class_names
        x = load_image(image, shape, resized).to(run.device)
    else:
        names = run.data.class_names
        x = load_image(image, run.data.input_shape).to(run.device)  # before anything is trained
        module = network.value
    clean = Split(x, predictions(module, x))
    for level in sorted({*levels, epsilon * GRAY}):
        attack = fgsm.with_(epsilon=level / GRAY).build()
        report(run, IMAGE.format(name), level, moved_by(module, attack, clean), None, 1)
    draw(run, module, clean, fgsm.with_(epsilon=epsilon).build(), epsilon * GRAY, names, "")
    run.finish()


def draw(
    run: Run,
    module: nn.Module,
    clean: Split,
    attack: Attack,
    level: float,
    class_names: tuple[str, ...],
    text: str,
) -> None:
    """The image, the sign, the perturbed image, with classes and confidences.

    Without anything found there is one image, and what becomes of its class is the finding.
    """
    moved = craft(attack, module, clean).images
    before, after = probabilities(module, clean.images), probabilities(module, moved)
    arrays = {
        "images": clean.images,
        "signs": (moved - clean.images).sign(),
        "perturbed": moved,
        "predicted_before": predicted(before),
        "predicted_after": predicted(after),
        "confidence_before": before.amax(1),
        "confidence_after": after.amax(1),
        "labels": clean.labels,
    }
    of = "Images and confidences: the first seed. " if len(run.seeds) > 1 else ""
    ordered, note = fooled_first({key: value.cpu().numpy() for key, value in arrays.items()})
    save_and_draw(
        run.folder,
        figure.draw,
        ordered,
        epsilon=level / GRAY,
        class_names=class_names,
        provenance=of + run.heading(),
        finding=text or one_finding(ordered, level / GRAY, class_names),
        note=note if text else "",
    )


def fooled_first(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], str]:
    """The examples whose class changes, the most confident first, then the others; and a note."""
    changed = arrays["predicted_after"] != arrays["predicted_before"]
    known = (
        " that the network knows" if (arrays["predicted_before"] == arrays["labels"]).all() else ""
    )
    order = np.lexsort((-arrays["confidence_after"], ~changed))
    note = (
        f"Of {len(changed)} test examples{known}, {changed.sum()} change their class; those given "
        "to another one with the most confidence come first."
    )
    return {key: value[order] for key, value in arrays.items()}, note


def one_finding(arrays: dict[str, np.ndarray], epsilon: float, names: tuple[str, ...]) -> str:
    """What becomes of the one image."""
    before, after = (
        f"{named(names, int(arrays[f'predicted_{when}'][0]))} "
        f"({confidence(float(arrays[f'confidence_{when}'][0]))})"
        for when in ("before", "after")
    )
    same = arrays["predicted_before"][0] == arrays["predicted_after"][0]
    return f"{epsilon:.4f} of the range " + (
        f"leaves the class {before}, now {after}" if same else f"turns {before} into {after}"
    )
