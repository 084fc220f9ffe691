"""matplotlib's pyplot, drawing into files; imported when the first figure is drawn, not before."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Whatever `matplotlib.pyplot` has under this name."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return getattr(pyplot, name)
