"""Attack a model of your own on images of your own, and keep the adversarial examples.

    advx attack model@crafting=custom crafting._target_=my_module.MyNet \\
        crafting.weights=my_weights.pt dataset=images dataset.path=my_images.npz \\
        attack=pgd attack.epsilon=0.1 attack.clip=[0,1]

Without them: a maxout network, trained here, on digits. The adversarial examples lie in
`adversarial.npz` as they are, and in `adversarial/` as PNG files, rounded to 8 bits. A file's
name tells the class that the model gives to the image as it is stored, and, where rounding has
changed it, the class before: `00007_label3_predicted3_rounded_from5.png`. The error rate after
rounding is a row of the table. Examples that no file holds, points or images outside of [0, 1],
have neither this row nor PNG files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from advx.attacks import norms
from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Split, one_of_each_class
from advx.evaluation.counting import has_gray_levels
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import percent
from advx.figures.gallery import gallery
from advx.figures.style import percentage, size
from advx.figures.tiles import black_and_white, drawable, ends
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import seed_of
from advx.text_files import replacing
from advx.types import NonNegativeInt, PositiveInt

UNITS = {"mean_linf": "linf norm", "mean_l2": "l2 norm", "mean_l0": "percent of pixels"}


def cells(crafting: Config) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows = [crafting.get("name") or "crafting"]
    yield Cells(rows, ["clean_error_rate", "error_rate", *metrics_of(MeanSizes)])
    yield Cells(rows, ["error_rate"], settings=["rounded"], always=False)  # where a file holds them
    yield Cells(rows, ["targeted_success_rate"], always=False)  # where the attack aims


def main(
    run: Run,
    crafting: Config,
    attack: Config,
    examples: PositiveInt | None,
    saved_images: NonNegativeInt,
    figure_examples: PositiveInt,
) -> None:
    """One row: errors before and after, and how far the images were moved.

    Args:
        run: the run to measure on.
        crafting: the model that is attacked.
        attack: the attack.
        examples: images attacked, evenly spaced; None for all.
        saved_images: adversarial examples written as PNG files, at most.
        figure_examples: images in the figure.
    """
    model = run.model(crafting, run.only_seed, path="crafting")
    crafted = run.craft(attack, model, examples)  # refused before anything is trained
    with run.progress(models=1):
        clean, adversarial = run.test(examples), crafted.value
    left_out = without(clean.images)
    if left_out:
        run.remarks.add(model.name, "left out", left_out)
    targeted = crafted.attack.value.receives in ("target_classes", "guide_images")
    targets = run.crafting.target_classes[run.source.rows(examples)] if targeted else None
    asked = partial(run.measure, answers, model)
    before, after = (asked(Split(x.images, clean.labels), targets) for x in (clean, adversarial))
    add = partial(run.table.add, model.name, seed=seed_of(model), n=len(clean))
    add(clean_error_rate=before.error_rate, error_rate=after.error_rate)
    run.remarks.of_guessing(model.name, before.error_rate, run.data.classes)
    if targets is not None:
        add(targeted_success_rate=after.targeted_success_rate)
    add(run.measure(mean_sizes, clean, adversarial), unit=UNITS)
    arrays = {
        "images": clean.images,
        "adversarial": adversarial.images,
        "labels": clean.labels,
        "clean_prediction": before.classes,
        "prediction": after.classes,
    }
    pixels = in_8_bits(adversarial.images)
    if has_gray_levels(clean.images):
        stored = pixels.float().div_(255).to(adversarial.images)  # as whoever reads the file
        rounded = asked(Split(stored, clean.labels), targets)
        add(error_rate=rounded.error_rate, setting="rounded")
        arrays["rounded_prediction"] = rounded.classes
        if not has_gray_levels(adversarial.images):
            run.remarks.add(model.name, "clamped", clamped(adversarial.images))
    shown = pixels[:saved_images] if has_gray_levels(clean.images) else pixels[:0]
    save(run.folder, {k: v.cpu().numpy() for k, v in arrays.items()}, shown.numpy())
    if drawable(clean.images):
        draw(run, model.name, attack, clean, adversarial, (before, after), figure_examples)
    run.finish()


def without(images: Tensor) -> str:
    """What there is not of examples (n, *shape) as no file holds them, in one line; else ""."""
    if images.dim() != 4:
        what = f"examples of shape {list(images.shape[1:])} are no images"
    elif not has_gray_levels(images):
        low, high = (bound.item() for bound in images.aminmax())
        what = f"pixels from {low:.4g} to {high:.4g} are outside of [0, 1], which a file holds"
    else:
        what = f"images of {images.shape[1]} channels are neither gray nor in color"
    missing = [
        *(["error rate after rounding"] if not has_gray_levels(images) else []),
        *(["PNG files"] if not (has_gray_levels(images) and drawable(images)) else []),
        *(["figure"] if not drawable(images) else []),
    ]
    return f"{what}: no {' and no '.join(missing)}" if missing else ""


def clamped(images: Tensor) -> str:
    """That files and the row `rounded` are of other images than those that the attack made."""
    low, high = (bound.item() for bound in images.aminmax())
    return (
        f"adversarial pixels from {low:.4g} to {high:.4g}: the row `rounded` and the PNG files are "
        "of images brought into [0, 1], which changes more than rounding does; attack.clip=[0,1] "
        "keeps them there"
    )


@dataclass(frozen=True)
class Answers:
    """What a model makes of some examples.

    Attributes:
        classes: of each, (n,) int64; −1 where the logits hold a NaN.
        error_rate: in percent.
        targeted_success_rate: percent that is given the class aimed at; NaN without one.
    """

    classes: Tensor
    error_rate: float
    targeted_success_rate: float


@measurement(version=1)
def answers(model: nn.Module, examples: Split, targets: Tensor | None = None) -> Answers:
    """The classes that a model gives to examples, in one pass, and how often they are wrong.

    Args:
        model: that predicts.
        examples: n of them, with their labels.
        targets: (n,) int64, the classes that the examples were crafted for; None without.

    Raises:
        ConfigError: too many of the logits are NaN; few are left out.
    """
    classes = predictions(model, examples.images)
    reached = torch.nan
    if targets is not None:
        reached = percent(model, classes == targets, classes)
    return Answers(classes.cpu(), percent(model, classes != examples.labels, classes), reached)


@dataclass(frozen=True)
class MeanSizes:
    """How large perturbations are on average: in two norms, and in percent of the pixels."""

    mean_linf: float
    mean_l2: float
    mean_l0: float


@measurement(version=2)
def mean_sizes(clean: Split, adversarial: Split) -> MeanSizes:
    """How far an attack has moved the examples on average."""
    moves = adversarial.images - clean.images
    linf, l2 = (norms.length(moves, norm).double().mean().item() for norm in ("linf", "l2"))
    return MeanSizes(linf, l2, 100 * norms.changed_share(moves).mean().item())


def draw(
    run: Run,
    row: str,
    attack: Config,
    clean: Split,
    adversarial: Split,
    predicted: tuple[Answers, Answers],
    examples: int,
) -> None:
    """The figure: images before and after, with the model's classes.

    Args:
        run: the run, with its numbers.
        row: what the model is called.
        attack: the attack.
        clean: images before it.
        adversarial: the same after it.
        predicted: what the model made of both.
        examples: images in the figure, at most.
    """
    shown = one_of_each_class(clean.labels.cpu(), min(examples, len(clean)))
    before, after = (each.classes[shown] for each in predicted)
    low, high = black_and_white(clean.images)
    gallery(
        run.folder,
        "attack",
        {
            row: (split.images[shown] - low) / (high - low)
            for row, split in (("clean", clean), ("adversarial", adversarial))
        },
        {"clean": before, "adversarial": after},
        clean.labels[shown],
        class_names=run.data.class_names,
        provenance=run.heading(),
        finding=finding(run.numbers(), row, attack.get("epsilon")),
        note=f"Under each image the model's class; bold, a mistake.{ends(low, high)}",
    )


def finding(results: Numbers, row: str, epsilon: float | None) -> str:
    """What the attack does to the error, in one sentence."""
    before, after = (results.mean(row, metric) for metric in ("clean_error_rate", "error_rate"))
    at = "The attack" if epsilon is None else f"At ε = {size(epsilon)} the attack"
    return f"{at} takes the error of {row} from {percentage(before)} to {percentage(after)}"


def in_8_bits(images: Tensor) -> Tensor:
    """Images (n, *shape) as a file stores them: uint8 on the CPU, clamped to [0, 1] before."""
    return images.cpu().clamp(0, 1).mul(255).round().to(torch.uint8)


def save(folder: Path, arrays: dict[str, np.ndarray], pixels: np.ndarray) -> None:
    """Write `adversarial.npz` and `adversarial/…png` into the run's folder.

    Args:
        folder: of the run.
        arrays: of all examples, for the archive.
        pixels: uint8, those of the examples that are written as PNG files, if they are drawable.
    """
    with replacing(folder / "adversarial.npz") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    written = folder / "adversarial"
    written.mkdir(exist_ok=True)
    for old in written.glob("[0-9]*_label*_predicted*.png"):  # of an earlier run in this folder
        old.unlink()
    if not drawable(pixels):
        return
    for place, image in enumerate(pixels):
        shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        label, before, after = (
            arrays[name][place] for name in ("labels", "prediction", "rounded_prediction")
        )
        lost = "" if before == after else f"_rounded_from{before}"
        name = f"{place:05d}_label{label}_predicted{after}{lost}.png"
        with replacing(written / name) as stream:
            Image.fromarray(shown).save(stream, "PNG")
