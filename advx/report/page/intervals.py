"""A number drawn: its interval as a line, its mean as a dot, the chapter's figure as a diamond."""

import math

from markupsafe import Markup

from advx.report.numbers import short
from advx.report.page.runs import Number
from advx.report.percentages import OF_A_HUNDRED

WIDTH, HEIGHT, EDGE = 132, 18, 5
"""Of a drawing and of its left and right edge, in pixels."""


def drawing(
    number: Number,
    line: float | None = None,
    bounds: tuple[float, float] | None = None,
    width: int = WIDTH,
) -> Markup:
    """A percentage on the line from 0 to 100, as SVG; nothing of numbers with another unit.

    Args:
        number: with a mean; without an interval only the dot is drawn.
        line: a figure that its table draws as one line through all rows: no diamond.
        bounds: an interval instead of the number's.
        width: in pixels.
    """
    if number.unit not in OF_A_HUNDRED or not 0 <= number.mean <= 100:
        return Markup("")

    def x(value: float) -> float:
        return place(value, width)

    middle = HEIGHT // 2
    said = f"here {short(number.mean, 'percent')}"
    parts = [f'<line class="rail" x1="{EDGE}" x2="{width - EDGE}" y1="{middle}" y2="{middle}"/>']
    low, high = bounds or (number.low, number.high)
    if line is not None:
        said += f", the chapter {line:g}"
    if not math.isnan(low):
        parts.append(
            f'<line class="range" x1="{x(low)}" x2="{x(high)}" y1="{middle}" y2="{middle}"/>'
        )
    parts.append(f'<circle class="mean" cx="{x(number.mean)}" cy="{middle}" r="3.4"/>')
    figure = number.published if math.isnan(number.chapter) else number.chapter
    if line is None and not math.isnan(figure):
        parts.append(f'<path class="figure" d="M{x(figure)} {middle - 5}l4 5l-4 5l-4 -5z"/>')
        whose = "published" if math.isnan(number.chapter) else "the chapter"
        said += f", {whose} {figure:g}"
    return Markup(
        f'<svg class="interval" width="{width}" height="{HEIGHT}" role="img" '
        f'viewBox="0 0 {width} {HEIGHT}" aria-label="{said}, of 0 to 100">{"".join(parts)}</svg>'
    )


def place(value: float, width: int = WIDTH) -> float:
    """Where a percentage stands in a drawing of that width, in pixels."""
    return round(EDGE + min(max(value, 0.0), 100.0) / 100 * (width - 2 * EDGE), 1)
