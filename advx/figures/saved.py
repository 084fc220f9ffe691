"""A figure's numbers, saved so that it can be drawn again without computing anything."""

import importlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import numpy as np

from advx.errors import ConfigError, reason
from advx.text_files import replacing

ARRAYS = "arrays.npz"
DRAWN_BY = "drawn_by"
OPTIONS = "options"

RENAMED = {
    "arithmetic": {"pictured$": "shown"},
    "imperceptible": {"said_": "predicted_"},
    "theory": {"answer_": "output_"},
    "windows": {"pictures$": "images", "said$": "predicted", "pictured_": "image_"},
}
"""How the names of arrays and options began before, by the module that draws them, and how they do
today."""

PLACES = 6
"""Decimals of an axis's position in its figure."""

Options = Mapping[str, Any]
"""Keyword arguments of a module's `draw`, as JSON holds them."""

Shown = ParamSpec("Shown")
"""What a figure takes besides folder and arrays."""


def save(folder: Path, drawn_by: str, arrays: dict[str, np.ndarray], options: Options) -> None:
    """Write `arrays.npz` into `folder`.

    Args:
        folder: the run's.
        drawn_by: a module of `advx.figures` with a function `draw(folder, arrays, **options)`.
        arrays: the numbers.
        options: whatever else the function takes, as JSON holds it.
    """
    extra = {DRAWN_BY: np.array(drawn_by), OPTIONS: np.array(json.dumps(options))}
    with replacing(folder / ARRAYS) as stream:
        np.savez_compressed(stream, **(arrays | extra))  # type: ignore[arg-type]


def save_and_draw(
    folder: Path,
    draw: Callable[Concatenate[Path, dict[str, np.ndarray], Shown], None],
    arrays: dict[str, np.ndarray],
    *none: Shown.args,
    **options: Shown.kwargs,
) -> None:
    """Write `arrays.npz` into `folder`, and the figures that a module of `advx.figures` draws.

    Args:
        folder: the run's.
        draw: the module's function of that name.
        arrays: the numbers.
        none: every option is given by name.
        options: whatever else the function takes, as JSON holds it.
    """
    save(folder, draw.__module__.rpartition(".")[2], arrays, options)
    draw(folder, arrays, *none, **options)


def save_figure(figure: Any, folder: Path, name: str, *, dpi: int) -> None:
    """Write a matplotlib figure as `name.png` and `name.pdf`: the same bytes every time."""
    if figure.get_layout_engine() is not None:
        settle(figure, dpi)
    for kind, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        with replacing(folder / f"{name}.{kind}") as stream:
            figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)


def settle(figure: Any, dpi: int) -> None:
    """Lay a figure out for the last time: the solver's noise could move a line by a pixel."""
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        axis.set_position([round(edge, PLACES) for edge in axis.get_position(original=True).bounds])


def load(folder: Path) -> tuple[str, dict[str, np.ndarray], Options]:
    """What `save` wrote into a run's folder: the module that draws, the arrays, the options.

    Raises:
        ConfigError: there is no `arrays.npz`, or it does not say what drew it.
    """
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        drawn_by, options = str(arrays.pop(DRAWN_BY)), json.loads(str(arrays.pop(OPTIONS)))
        return drawn_by, _today(arrays, drawn_by), _today(options, drawn_by)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _not_drawable(folder, error) from error


def _today(named: Any, drawn_by: str) -> Any:
    """Arrays or options of a run of before, with their names of today."""
    renamed = RENAMED.get(drawn_by)
    if renamed is None or not isinstance(named, dict):
        return named
    return {
        next((re.sub(f"^{old}", new, k) for old, new in renamed.items() if re.match(old, k)), k): x
        for k, x in named.items()
    }


def redraw(folder: Path) -> None:
    """Draw the figures of a run again from its `arrays.npz`.

    Raises:
        ConfigError: there is none, or it does not say what drew it.
    """
    drawn_by, arrays, options = load(folder)
    try:
        module = importlib.import_module(f"advx.figures.{drawn_by}")
        module.draw(folder, arrays, **options)
    except (ImportError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise _not_drawable(folder, error) from error  # arrays of another version, or damaged


def _not_drawable(folder: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"redraw={folder}: no {ARRAYS} there that a figure can be drawn from ({reason(error)}); "
        "valid: the folder of a run with a figure"
    )
