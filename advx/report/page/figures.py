"""A run's figures as data URIs, each with the sentence that says what it shows."""

import base64
import importlib
import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from advx.figures.saved import Options
from advx.report.page.runs import RunRead

GRAY = "_gray"
"""Ends the name of a figure that is another one in shades of gray."""

LARGE = 50_000
"""Bytes from which on a figure is compressed with losses, if that is smaller."""

LOSSLESS = {"lossless": True, "quality": 30, "method": 3}  # small and fast enough
LOSSY = {"quality": 60, "method": 6}
FEW = {"lossless": True, "quality": 60, "method": 4}
"""How WebP is asked for."""

COLORS = 128
"""Of a figure that is shown in few."""

MANY = 100_000
"""Colors from which on an image is taken for a photograph: few would take seconds to find."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "predictive": ("predictive_gan", "weights"),
    "adaptation": ("domain_adaptation", "features"),
}
"""Figures of a module whose findings are a list, in its order."""


@dataclass(frozen=True)
class Figure:
    """An image on the page.

    Attributes:
        name: its file's, without ending.
        uri: its content.
        width, height: in pixels.
        finding: what it shows, in one sentence; empty where that is not stored.
        alt: for those who do not see it.
    """

    name: str
    uri: str
    width: int
    height: int
    finding: str
    alt: str


def figures_of(run: RunRead) -> list[Figure]:
    """The figures of a run, without those in shades of gray beside the same in color."""
    paths = sorted(run.folder.glob("*.png"))
    stems = {path.stem for path in paths}
    shown = [path for path in paths if path.stem.removesuffix(GRAY) not in stems - {path.stem}]
    said = findings(run, [path.stem for path in shown])
    with ThreadPoolExecutor() as threads:
        made = threads.map(lambda path: _figure(run, path, said.get(path.stem, "")), shown)
        return [figure for figure in made if figure is not None]


def _figure(run: RunRead, path: Path, finding: str) -> Figure | None:
    """One of them; None where the file is damaged: rows and claims are shown all the same."""
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError):
        return None
    alt = f"Figure {path.stem.replace('_', ' ')} of {run.title}." + f" {finding}." * bool(finding)
    return Figure(path.stem, packed(image), *image.size, finding, alt)


def findings(run: RunRead, stems: list[str]) -> dict[str, str]:
    """What each figure shows, by its file's name, as far as the run's arrays say it."""
    if run.drawn is None:
        return {}
    drawn_by, arrays, options = run.drawn
    made: dict[str, str] = {}
    some: Any = options.get("findings")
    if isinstance(some, dict):
        made |= {str(name): str(text) for name, text in some.items()}
    elif isinstance(some, list):
        made |= dict(zip(ORDER.get(drawn_by, ()), map(str, some), strict=False))
    if options.get("finding"):
        made |= dict.fromkeys(stems, str(options["finding"]))
    for value in options.values():
        rest = [stem for stem in stems if stem not in made]
        if isinstance(value, dict) and isinstance(value.get("finding"), str) and len(rest) == 1:
            made[rest[0]] = value["finding"]
    return made | dict(computed(drawn_by, arrays, options))


def computed(
    drawn_by: str, arrays: dict[str, np.ndarray], options: Options
) -> Iterator[tuple[str, str]]:
    """Sentences that a module of `advx.figures` makes of the arrays when it draws."""
    try:
        module = importlib.import_module(f"advx.figures.{drawn_by}")
        made = module.findings(arrays, **options)
    except (ImportError, AttributeError, LookupError, TypeError, ValueError):
        return  # the module has none such, or the arrays are of another version
    yield from made.items()


def packed(image: Image.Image) -> str:
    """An image as a data URI: WebP without losses, or a smaller one where that is large.

    With few colors most figures are smaller than by WebP's own compression, and nearer to what was
    drawn; photographs need not be.
    """
    content = _webp(image, LOSSLESS)
    if len(content) > LARGE:
        lossy = _webp(image, LOSSY)
        smaller = [lossy]
        if image.getcolors(MANY) is not None:
            fewer = _webp(_of_few_colors(image), FEW)
            if _distance(fewer, image) <= _distance(lossy, image):
                smaller.append(fewer)
        content = min([content, *smaller], key=len)
    return uri("image/webp", content)


def _of_few_colors(image: Image.Image) -> Image.Image:
    """The image in a few colors, among them those of small words, which are rare.

    The most frequent ones would do without them: a curve's name would be gray.
    """
    palette, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    return image.quantize(COLORS, method=palette, kmeans=2, dither=dither).convert("RGB")


def _distance(content: bytes, image: Image.Image) -> float:
    """Root mean square difference of an encoded image from the image."""
    decoded = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)
    return float(np.sqrt(np.square(decoded - np.asarray(image, np.float32)).mean()))


def _webp(image: Image.Image, options: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    return stream.getvalue()


def uri(kind: str, content: bytes) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
