"""Numbers as a reader sees them."""

import math

from advx.report.percentages import OF_A_HUNDRED


def short(value: float, unit: str = "", digits: int = 4) -> str:
    """Percentages and points to two decimals, or two digits where that is 0; the rest to `digits`.

    Powers of ten are written below 1e-4 and from a million on.
    """
    if not math.isfinite(value):
        return "" if math.isnan(value) else f"{value:g}".replace("inf", "∞")
    hundredths = unit == "points" or unit in OF_A_HUNDRED
    if hundredths and (value == 0 or abs(value) >= 0.01):
        return f"{value:.2f}"
    if hundredths:
        digits = 2
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals_of(value: float, unit: str = "") -> int:
    """Decimals of a line of a table: two, or as many as give a small number three digits.

    Percentages have two, however small: a hundredth of a percent is one example of ten thousand.
    """
    if unit in OF_A_HUNDRED or not 0 < abs(value) < 0.1:
        return 2
    return 2 - math.floor(math.log10(abs(value)))
