"""Figure 1.1: a perturbation too small to be seen, and the class it makes of a picture.

    advx run experiment=imperceptible                  # a network and digits that need no download
    advx run experiment=imperceptible scale=chapter    # CIFAR-10
    advx run experiment=imperceptible model=torchvision model.name=googlenet image=panda.jpg

The procedure: move every pixel by half a gray level, one or two, along the sign of the gradient,
and ask the network again; then round to the 8 bits that a picture is stored in, which takes half a
level away again. With a picture of your own: the same on it, at .007 of the range.
"""

from typing import Any

import numpy as np
from torch import Tensor, nn

from advx.config.build import build
from advx.config.cells import setting
from advx.data.dataset import Split
from advx.data.picture import load_picture
from advx.errors import ConfigError
from advx.evaluation.transfer import craft, known_of_each_class, predictions, probabilities
from advx.evaluation.undefined import answered, percent
from advx.figures import imperceptible as figure
from advx.figures.kept import keep
from advx.figures.style import percentage
from advx.figures.tiles import confidence, named
from advx.models.call import predicted
from advx.report.over_seeds import Numbers
from advx.run import Run, stands_alone
from advx.types import NonNegative, Positive, PositiveInt

GRAY = 255
"""Levels from black to white."""


def main(
    run: Run,
    model: dict[str, Any],
    fgsm: dict[str, Any],
    levels: list[Positive],
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
        image: a picture of one's own instead of the test examples.
        image_epsilon: the size of its perturbation, of the range [0, 1].
    """
    name = model["name"]
    if image is not None:
        one_picture(run, name, model, fgsm, image, image_epsilon, levels)
        return
    if stands_alone(model):
        raise ConfigError(f"image=null: {name} knows ImageNet only; valid: image=PICTURE")
    n = min(examples, len(run.data.test))
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.recipe(model, seed, path="model")
            clean = run.error_rate(network, examples=n)
            run.record(name, "clean_error_rate", clean, seed=seed, n=n)
            content = {"models": [run.key(network)], "of": "imperceptible", "attack": fgsm,
                       "levels": levels}  # fmt: skip
            found = run.measured(
                content,
                lambda network=network: measured(
                    run.trained(network).module, run.tested(n), fgsm, levels
                ),
                n, missing={},
            )  # fmt: skip
            report(run, name, found, seed, n)
    module = run.attempt(lambda: run.trained(run.recipe(model, run.seeds[0], path="model")).module)
    if module is not None:
        level = (levels[1:2] or levels[:1])[0]
        test = run.data.test
        shown = test.take(known_of_each_class(module, test, figure_examples))
        draw(run, module, shown, fgsm, level, run.data.class_names,
             finding(Numbers(run.results.rows), name, level))  # fmt: skip
    run.finish()


def finding(found: Numbers, name: str, level: float) -> str:
    """What a perturbation does to the error, in one sentence; means over the seeds."""
    before = found.mean(name, "clean_error_rate")
    after = found.mean(name, "error_rate", setting=setting(gray_levels=level))
    size = "One gray level" if level == 1 else f"{level:g} gray levels"
    rates = f"from {percentage(before)} to {percentage(after)}"
    return f"{size} along the sign of the gradient takes the error {rates}"


def stored(moved: Tensor, clean: Tensor) -> Tensor:
    """The images (n, *shape) as 8 bits hold them; exactly half a level falls back to the clean one.

    The clean images are whole gray levels.
    """
    steps = (moved - clean) * GRAY
    whole = steps.sign() * (steps.abs() - 1e-3).round()
    return (clean + whole / GRAY).clamp(0, 1)


def measured(
    module: nn.Module, clean: Split, fgsm: dict[str, Any], levels: list[float]
) -> dict[str, float]:
    """Errors, and the confidence in the right class before and in the wrong one after."""
    before, found = probabilities(module, clean.images), {}
    said_before = predicted(before)
    known = answered(module, said_before)
    for level in levels:
        moved = craft(build(fgsm | {"epsilon": level / GRAY}), module, clean)
        for suffix, images in (
            ("", moved.images),
            ("_rounded", stored(moved.images, clean.images)),
        ):
            after = probabilities(module, images)
            said = predicted(after)
            wrong = said != clean.labels
            at = f"{suffix}@{level:g}"
            found[f"error_rate{at}"] = percent(module, wrong, said)
            fooled = wrong & answered(module, said) & known & (said_before == clean.labels)
            if fooled.any():
                for when, p in (("before", before), ("after", after)):
                    value = p[fooled].amax(1).double().mean().item()
                    found[f"confidence_{when}{at}"] = 100 * value
    return found


def report(run: Run, row: str, found: dict[str, float], seed: int | None, n: int) -> None:
    """Record what was `measured`."""
    for key, value in found.items():
        metric, _, level = key.partition("@")
        rounded = "rounded" if metric.endswith("_rounded") else ""
        where = setting(rounded, gray_levels=level)
        run.record(row, metric.removesuffix("_rounded"), value, seed=seed, n=n, setting=where)


def one_picture(
    run: Run, name: str, model: dict[str, Any], fgsm: dict[str, Any], image: str, epsilon: float,
    levels: list[float],
) -> None:  # fmt: skip
    """The same on a picture of one's own, whose class is what the network says of it."""
    if stands_alone(model):
        module = build(model).to(run.device).eval()
        shape, resized, names = module.input_shape, module.resized, module.class_names
        x = load_picture(image, shape, resized).to(run.device)
    else:
        names = run.data.class_names
        x = load_picture(image, run.data.input_shape).to(run.device)  # before anything is trained
        module = run.trained(run.recipe(model, run.seeds[0], path="model")).module
    clean = Split(x, predictions(module, x))
    for level in sorted({*levels, epsilon * GRAY}):
        report(run, f"{name}, the picture", measured(module, clean, fgsm, [level]), None, 1)
    draw(run, module, clean, fgsm, epsilon * GRAY, names, "")
    run.finish()


def draw(
    run: Run, module: nn.Module, clean: Split, fgsm: dict[str, Any], level: float,
    class_names: tuple[str, ...], found: str,
) -> None:  # fmt: skip
    """The image, the sign, the perturbed image, with classes and confidences.

    Without anything found there is one image, and what becomes of its class is the finding.
    """
    moved = craft(build(fgsm | {"epsilon": level / GRAY}), module, clean).images
    before, after = probabilities(module, clean.images), probabilities(module, moved)
    arrays = {
        "images": clean.images, "signs": (moved - clean.images).sign(), "perturbed": moved,
        "said_before": predicted(before), "said_after": predicted(after),
        "confidence_before": before.amax(1), "confidence_after": after.amax(1),
        "labels": clean.labels,
    }  # fmt: skip
    kept, note = fooled_first({key: value.cpu().numpy() for key, value in arrays.items()})
    options = {
        "epsilon": level / GRAY, "class_names": list(class_names), "provenance": run.heading(),
        "finding": found or one_finding(kept, level / GRAY, class_names),
        "note": note if found else "",
    }  # fmt: skip
    keep(run.folder, "imperceptible", kept, options)
    figure.draw(run.folder, kept, **options)


def fooled_first(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], str]:
    """The examples whose class changes, the most confident first, then the others; and a note."""
    changed = arrays["said_after"] != arrays["said_before"]
    known = " that the network knows" if (arrays["said_before"] == arrays["labels"]).all() else ""
    order = np.lexsort((-arrays["confidence_after"], ~changed))
    note = (
        f"Of {len(changed)} test examples{known}, {changed.sum()} change their class; those given "
        "to another one with the most confidence come first."
    )
    return {key: value[order] for key, value in arrays.items()}, note


def one_finding(arrays: dict[str, np.ndarray], epsilon: float, names: tuple[str, ...]) -> str:
    """What becomes of the one image."""
    before, after = (
        f"{named(names, int(arrays[f'said_{when}'][0]))} "
        f"({confidence(float(arrays[f'confidence_{when}'][0]))})"
        for when in ("before", "after")
    )
    same = arrays["said_before"][0] == arrays["said_after"][0]
    return f"{epsilon:.4f} of the range " + (
        f"leaves the class {before}, now {after}" if same else f"turns {before} into {after}"
    )
