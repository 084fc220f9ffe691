"""Attack a model of your own on images of your own, and keep the adversarial examples.

    advx attack model@crafting=custom crafting._target_=my_module.MyNet \\
        crafting.weights=my_weights.pt dataset=images dataset.path=my_images.npz \\
        attack=pgd attack.epsilon=0.1 attack.clip=[0,1]

Without them: a maxout network, trained here, on digits. The adversarial examples lie in
`adversarial.npz` as they are, and in `adversarial/` as pictures, rounded to 8 bits. A picture's
name tells the class that the model gives to the picture as it is stored, and, where rounding has
changed it, the class before: `00007_label3_predicted3_rounded_from5.png`. The error rate after
rounding is a row of the table.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from advx.attacks import norms
from advx.data.dataset import one_of_each_class
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import percent
from advx.figures.gallery import gallery
from advx.figures.style import percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.text_files import replacing
from advx.types import NonNegativeInt, PositiveInt


def main(
    run: Run,
    crafting: dict[str, Any],
    attack: dict[str, Any],
    examples: PositiveInt | None,
    pictures: NonNegativeInt,
    figure_examples: PositiveInt,
) -> None:
    """One row: errors before and after, and how far the images were moved.

    Args:
        run: the run to measure on.
        crafting: the model that is attacked.
        attack: the attack.
        examples: images attacked, evenly spaced; None for all.
        pictures: adversarial examples written as PNG files, at most.
        figure_examples: images in the figure.
    """
    seed = run.seeds[0]
    network = run.recipe(crafting, seed, path="crafting")
    search = run.attack(attack, network)
    with run.progress(models=1):
        module = run.trained(network).module
    clean = run.tested(examples)
    crafted = run.crafted(attack, network, examples=examples)
    pixels = in_8_bits(crafted.images)
    stored = pixels.float().div_(255).to(crafted.images)  # on the CPU, as whoever reads the file
    before, after, rounded = (
        predictions(module, images) for images in (clean.images, crafted.images, stored)
    )
    row = crafting["name"]
    known: dict[str, Any] = {"seed": seed if network.random else None, "n": len(clean)}
    metrics = {"clean_error_rate": before, "error_rate": after, "error_rate_rounded": rounded}
    for metric, said in metrics.items():
        with run.noting():
            wrong = percent(module, said != clean.labels, said)
        run.record(row, metric, wrong, **known)
    if run.aims(search) is not None:
        aims = run.target_classes[run.data.test.spaced(len(clean))]
        with run.noting():
            share = percent(module, after == aims, after)
        run.record(row, "targeted_success_rate", share, **known)
    away = crafted.images - clean.images
    for norm in ("linf", "l2"):
        size = norms.length(away, norm).double().mean().item()  # type: ignore[arg-type]
        run.record(row, f"mean_{norm}", size, unit=f"{norm} norm", **known)
    changed = 100 * (away != 0).flatten(1).double().mean().item()
    run.record(row, "mean_l0", changed, unit="percent of pixels", **known)
    arrays = {
        "images": clean.images, "adversarial": crafted.images, "labels": clean.labels,
        "clean_prediction": before, "prediction": after, "rounded_prediction": rounded,
    }  # fmt: skip
    keep(run.folder, {k: v.cpu().numpy() for k, v in arrays.items()}, pixels[:pictures].numpy())
    shown = one_of_each_class(clean.labels, min(figure_examples, len(clean)))
    gallery(
        run.folder, "attack", {"clean": clean.images[shown], "adversarial": crafted.images[shown]},
        {"clean": before[shown], "adversarial": after[shown]}, clean.labels[shown],
        class_names=run.data.class_names, provenance=run.heading(),
        finding=finding(Numbers(run.results.rows), row, attack.get("epsilon")),
        note="Under each image the model's class; bold, a mistake.",
    )  # fmt: skip
    run.finish()


def finding(found: Numbers, row: str, epsilon: float | None) -> str:
    """What the attack does to the error, in one sentence."""
    before, after = (found.mean(row, metric) for metric in ("clean_error_rate", "error_rate"))
    at = "The attack" if epsilon is None else f"At ε = {size(epsilon)} the attack"
    return f"{at} takes the error of {row} from {percentage(before)} to {percentage(after)}"


def in_8_bits(images: Tensor) -> Tensor:
    """Images (n, *shape) as a picture stores them: uint8 on the CPU, clamped to [0, 1] before."""
    return images.cpu().clamp(0, 1).mul(255).round().to(torch.uint8)


def keep(folder: Path, arrays: dict[str, np.ndarray], pixels: np.ndarray) -> None:
    """Write `adversarial.npz` and `adversarial/…png` into the run's folder.

    Args:
        folder: of the run.
        arrays: of all examples, for the archive.
        pixels: uint8, those of the examples that are written as pictures.
    """
    with replacing(folder / "adversarial.npz") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    written = folder / "adversarial"
    written.mkdir(exist_ok=True)
    for old in written.glob("[0-9]*_label*_predicted*.png"):  # of an earlier run in this folder
        old.unlink()
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        return  # points, or channels that are no colors
    for place, image in enumerate(pixels):
        shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        label, before, after = (
            arrays[name][place] for name in ("labels", "prediction", "rounded_prediction")
        )
        lost = "" if before == after else f"_rounded_from{before}"
        name = f"{place:05d}_label{label}_predicted{after}{lost}.png"
        with replacing(written / name) as stream:
            Image.fromarray(shown).save(stream, "PNG")
