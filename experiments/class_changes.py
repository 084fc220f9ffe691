"""Are the class changes mistakes? What a perturbation leaves of a pixel's meaning. Section 1.2.5.

    advx run experiment=class_changes                  # digits that ship with a package
    advx run experiment=class_changes scale=chapter    # MNIST

The procedure:
1. How much of what a pixel tells of the class is told by one bit, whether it is above a half?
2. Put a reader who sees these bits and nothing else in people's place: nearest neighbor. Show it
   the digits that one step of FGSM has moved away from a network. Whose class changes?
3. Choose the perturbation against the reader itself: every pixel that ε can bring across a half is
   free. Does ε guarantee its class?
4. A task in which no norm helps: a regression whose true output is d·x.
5. Figure 1.5's signs, without the random ±1 in place of zero: how long are they?
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, cast

import numpy as np
from pydantic import Field

from advx.config.cells import Cell, Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import one_of_each_class
from advx.errors import ConfigError
from advx.evaluation.binary_reader import changed_bits, changes, freely_changed_error_rate
from advx.evaluation.counting import has_gray_levels
from advx.evaluation.linear_truth import Response, responses
from advx.evaluation.pixel_information import PixelInformation, pixel_information
from advx.evaluation.sign_lengths import SignLengths, sign_lengths
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.figures.curves import Strip, curve_figure
from advx.figures.gallery import gallery
from advx.figures.panels import Curve, Panel
from advx.figures.style import SERIES, called, percentage, size
from advx.models.binary_nearest_neighbor import BinaryNearestNeighbor, bits
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.types import NO_SWITCH, Positive, PositiveInt, Sizes

READERS = ("nearest_neighbor", "binary_nearest_neighbor")
BITS = READERS[1]
READER = f"{BinaryNearestNeighbor.__module__}.{BinaryNearestNeighbor.__qualname__}"
FREE = f"{BITS}, chosen against it"
PIXEL, CHANGED, SIGN = "one pixel", "bits of a digit", "sign of a difference, its zeros left"
"""Rows."""

MOST_LEVELS = 65_536
"""Of gray; a file of 16 bits has so many."""

DIRECTIONS = ("along", "along, a hundredth", "across")
"""Of perturbations of the regression, as rows."""


def cells(network: Config, readers: dict[str, Config], epsilons: list[float]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells([network["name"], *readers], ["clean_error_rate"])
    yield Cells([network["name"], *readers, FREE], ["error_rate"], epsilons)
    yield Cells([CHANGED], ["changed_bits"], epsilons)
    yield Cells([PIXEL], metrics_of(PixelInformation))
    yield Cells(DIRECTIONS, metrics_of(Response))
    yield Cells([SIGN], metrics_of(SignLengths))


def main(
    run: Run,
    network: Config,
    readers: dict[str, Config],
    fgsm: Config,
    epsilons: Sizes,
    examples: PositiveInt,
    gray: Positive,
    levels: Annotated[int, Field(ge=2, le=MOST_LEVELS), NO_SWITCH],
    candidates: PositiveInt,
    length: Positive,
    pairs: PositiveInt,
    figure_examples: PositiveInt,
) -> None:
    """The five parts.

    Args:
        run: the run to measure on.
        network: that FGSM follows the gradient of.
        readers: that are shown its digits; nearest neighbor of gray levels, and of bits.
        fgsm: the attack's node.
        epsilons: sizes of its perturbations.
        examples: test examples.
        gray: how far from a half a pixel is gray, as `epsilons`.
        levels: of gray, in the data.
        candidates: classes that are tried against the reader of bits.
        length: L2 norm of the perturbations of parts 4 and 5.
        pairs: of digits whose signs are taken.
        figure_examples: digits in the figure.
    """
    refuse_targeted(fgsm, "fgsm")
    n = min(examples, len(run.data.test))
    digits, training = run.test(n), run.data.train
    if not has_gray_levels(digits.images):
        raise ConfigError(
            f"dataset={run.data.name}: examples that are no images in [0, 1] have no gray levels; "
            "valid: images in [0, 1]"
        )
    refuse_other_reader(readers)
    with run.progress(models=len(run.seeds)):
        known = {name: run.model(reader, run.seeds[0]) for name, reader in readers.items()}
        for name, reader in known.items():
            clean = run.measure(error_rate, reader, digits)
            run.table.add(name, clean_error_rate=clean, seed=None, n=n)
        for epsilon in epsilons:
            harmed = run.measure(
                freely_changed_error_rate, known[BITS], digits, epsilon, candidates
            )
            run.table.add(FREE, error_rate=harmed, epsilon=epsilon, seed=None, n=n)
        for seed in run.seeds:
            attacked = run.model(network, seed)
            clean = run.measure(error_rate, attacked, digits)
            run.table.add(network["name"], clean_error_rate=clean, seed=seed, n=n)
            for epsilon in epsilons:
                moved = run.craft(fgsm.with_(epsilon=epsilon), attacked, n)
                for name, reader in {network["name"]: attacked, **known}.items():
                    wrong = run.measure(error_rate, reader, moved)
                    run.table.add(name, error_rate=wrong, epsilon=epsilon, seed=seed, n=n)
                changed = run.measure(changed_bits, digits, moved)
                run.table.add(CHANGED, changed_bits=changed, epsilon=epsilon, seed=seed)
            told = run.measure(pixel_information, training, run.data.classes, levels, gray, seed)
            run.table.add(PIXEL, told, seed=seed, unit={"bit_information": "ratio"})
            for name, response in run.measure(responses, training, length, seed).items():
                run.table.add(name, response, seed=seed, unit="standard deviations")
            side = length / math.sqrt(digits.images[0].numel())
            lengths = run.measure(sign_lengths, training, pairs, side, seed)
            run.table.add(SIGN, lengths, seed=seed, unit="L2 norm")
    draw(run, network, readers, fgsm, epsilons, figure_examples)
    run.finish()


def refuse_other_reader(readers: dict[str, Config]) -> None:
    """Before anything is trained: bits are chosen against one kind of reader.

    Raises:
        ConfigError: it is not among them.
    """
    given = readers[BITS]["_target_"] if BITS in readers else None
    if given != READER:
        raise ConfigError(
            f"readers.{BITS}={given}: bits are chosen against binary nearest neighbor only; "
            f"valid: readers.{BITS}._target_={READER}"
        )


def draw(
    run: Run,
    network: Config,
    readers: dict[str, Config],
    fgsm: Config,
    epsilons: Sequence[float],
    count: int,
) -> None:
    """Whose error grows with ε, and what the digits and their bits look like."""
    results, name = run.numbers(), network["name"]
    text = finding(results, name, epsilons)
    curves = [
        Curve(
            called(row).replace(", ", ",\n"),
            [0.0, *epsilons],
            results.over_seeds(
                [
                    Cell(row.partition(",")[0], "clean_error_rate"),
                    *(Cell(row, "error_rate", epsilon) for epsilon in epsilons),
                ]
            ),
            SERIES[k],
            k,
        )
        for k, row in enumerate([name, *readers, FREE])
    ]
    bits_moved = Curve(
        "bits",
        epsilons,
        results.over_seeds([Cell(CHANGED, "changed_bits", epsilon) for epsilon in epsilons]),
        SERIES[0],
    )
    panels = [
        Panel(f"digits moved away from the {called(name)}", curves),
        Panel(
            "pixels across a half",
            [bits_moved],
            names="none",
            y="pixels (%)",
            limits=(0.0, 1.1 * max(np.nan_to_num(bits_moved.values).max(), 1.0)),
        ),
    ]
    curve_figure(
        run.folder,
        "class_changes",
        [Strip(panels, height=3.0)],
        finding=text,
        provenance=run.heading(),
    )
    run.attempt(lambda: draw_digits(run, network, readers[BITS], fgsm, epsilons, count, text))


def draw_digits(
    run: Run,
    network: Config,
    reader: Config,
    fgsm: Config,
    epsilons: Sequence[float],
    count: int,
    text: str,
) -> None:
    """Digits as the step leaves them with the network's class, their bits with the reader's."""
    attacked = run.model(network, run.seeds[0]).value
    known = cast(BinaryNearestNeighbor, run.model(reader, run.seeds[0]).value)
    shown = run.data.test.take(one_of_each_class(run.data.test.labels, count))
    images, said = {"digit": shown.images}, {"digit": predictions(attacked, shown.images)}
    last = shown_size(epsilons)
    for epsilon in epsilons:
        moved = craft(fgsm.with_(epsilon=epsilon).build(), attacked, shown).images
        seen = bits(moved)
        images |= {f"ε = {size(epsilon)}": moved, f"its bits, {size(epsilon)}": seen}
        said |= {
            f"ε = {size(epsilon)}": predictions(attacked, moved),
            f"its bits, {size(epsilon)}": predictions(known, moved),
        }
    against = changes(known, shown.images, shown.labels, last, candidates=1)[0]
    chosen = f"ε = {size(last)}, chosen\nagainst the reader"
    images |= {chosen: against, "its bits": bits(against)}
    said |= {chosen: predictions(attacked, against), "its bits": predictions(known, against)}
    gallery(
        run.folder,
        "class_changes_digits",
        images,
        said,
        shown.labels,
        class_names=run.data.class_names,
        provenance=run.heading(),
        finding=text,
        note=(
            f"Under each digit the {called(network['name'])}'s class, under its bits that of "
            "nearest neighbor; both of the first seed."
        ),
        plain=list(images),
    )


def finding(results: Numbers, name: str, epsilons: Sequence[float]) -> str:
    """Whose class one step changes, and whose it cannot be kept from changing, in one sentence."""
    epsilon = shown_size(epsilons)

    def rate(row: str) -> str:
        return percentage(results.mean(row, "error_rate", epsilon))

    return (
        f"A step of {size(epsilon)} makes the {called(name)} err on {rate(name)} and a reader of "
        f"one bit a pixel on {rate(BITS)}; bits chosen against that reader, on {rate(FREE)}"
    )


def shown_size(epsilons: Sequence[float]) -> float:
    """The chapter's .25, or what comes nearest."""
    return min(epsilons, key=lambda epsilon: abs(epsilon - 0.25))
