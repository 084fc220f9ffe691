"""The black-box attack: a target's error against the number of questions asked."""

from pathlib import Path
from typing import Any

from advx.config.cells import Cell
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, CLEAN, NEUTRAL, OURS, SERIES, called, percentage, size
from advx.report.over_seeds import Numbers

IN_A_ROW = 4
"""Small panels of the figure."""

LEVELS = {
    "white_box_error_rate": ("the target's\nown gradient", ADVERSARIAL, 1),
    "noise_error_rate": ("noise", NEUTRAL, 2),
    "clean_error_rate": ("clean (ε = 0)", CLEAN, 3),
}
"""What the figure compares with: metric, what it is called, its color and its dash."""

SUBSTITUTES = ((OURS, 0), (SERIES[3], 3), (SERIES[5], 1))
"""Color and dash of the curves of different kinds of substitutes."""


def black_box_figure(
    folder: Path,
    results: Numbers,
    models: list[str],
    *,
    varied_target: str,
    kinds: dict[str, str],
    epsilon: float,
    provenance: str,
) -> None:
    """Every target's error against the number of queries, and what it is to be compared with.

    Args:
        folder: the run's.
        results: its numbers.
        models: the targets.
        varied_target: the one that the variants were tried on.
        kinds: by variant, "" for the usual way of asking: which kind of substitute, if it is
            another one.
        epsilon: size of the perturbation.
        provenance: what ran.
    """
    strips = []
    if varied_target in models:
        strips.append(_varied(results, varied_target, kinds, epsilon))
        others = [way for way, other in kinds.items() if not other]
        provenance += f". Other ways of asking: {', '.join(others)}" if others else ""
    rest = [name for name in models if name != varied_target]
    for start in range(0, len(rest), IN_A_ROW):
        last = start + IN_A_ROW >= len(rest)
        panels = _row(results, rest[start : start + IN_A_ROW], epsilon, last=last)
        strips.append(Strip(panels, 1.5 if last else 1.3))
    target = varied_target if varied_target in models else models[0]
    curve_figure(
        folder,
        "black_box",
        strips,
        finding=finding(results, target, kinds, epsilon),
        provenance=provenance,
    )


def _varied(results: Numbers, target: str, kinds: dict[str, str], epsilon: float) -> Strip:
    """The target that every way of asking was tried on, and the substitutes' disagreement."""
    ways = {f"{target}, {way}" if way else target: other for way, other in kinds.items()}
    first = _panel(results, target, epsilon, every=2, x="queries")
    first.curves = [
        *_levels(results, target, epsilon),
        *_ways(results, ways, "error_rate", epsilon),
    ]
    second = _panel(results, target, epsilon, every=2, x="queries", y="test examples (%)")
    second.curves = _ways(results, ways, "disagreement", None)
    second.title = "the substitute's disagreement with it"
    return Strip([first, second], 2.4)


def _row(results: Numbers, names: list[str], epsilon: float, *, last: bool) -> list[Panel]:
    """A row of small panels, one a target."""
    row: list[Panel] = []
    for name in names:
        panel = _panel(
            results,
            name,
            epsilon,
            every=3,
            x="queries" if last else "",
            y="" if row else "error rate (%)",
            names="none",
        )
        substitute = _curve(
            results, _rounds(results, name, "error_rate", epsilon), "substitute", OURS, 0
        )
        panel.curves = [substitute, *_levels(results, name, epsilon)]
        row.append(panel)
    row[-1].names = "ends"
    return row


def _asked(results: Numbers, row: str) -> list[str]:
    """A row's settings after every round of questions, in order."""
    rounds = [cell.setting for cell in results.cells if (cell.row, cell.metric) == (row, "queries")]
    return sorted(rounds, key=lambda setting: results.mean(row, "queries", setting=setting))


def _queries(results: Numbers, row: str) -> list[float]:
    """The numbers of queries after every round, in order."""
    return [results.mean(row, "queries", setting=setting) for setting in _asked(results, row)]


def _panel(results: Numbers, name: str, epsilon: float, *, every: int, **look: Any) -> Panel:
    """An empty panel of a target; one round in `every` is named on the axis."""
    ticks = _queries(results, name)[::every]
    return Panel(
        called(name),
        basis=results.basis([Cell(name, "error_rate", epsilon)]),
        logarithmic="x",
        ticks={f"{tick:,.0f}": tick for tick in ticks},
        **look,
    )


def _rounds(results: Numbers, row: str, metric: str, epsilon: float | None) -> list[Cell]:
    """A number after every round of questions, in order."""
    return [Cell(row, metric, epsilon, setting) for setting in _asked(results, row)]


def _curve(
    results: Numbers, rounds: list[Cell], label: str, color: str, dash: int, **look: Any
) -> Curve:
    """A number against the questions asked."""
    queries = _queries(results, rounds[0].row) if rounds else []
    return Curve(label, queries, results.over_seeds(rounds), color, dash, **look)


def _levels(results: Numbers, name: str, epsilon: float) -> list[Curve]:
    """What a target's errors are to be compared with, as level lines."""
    queries = _queries(results, name)
    ends = [queries[0], queries[-1]] if queries else []
    made = []
    for metric, (label, color, dash) in LEVELS.items():
        cell = Cell(name, metric, None if metric == "clean_error_rate" else epsilon)
        if cell in results:
            values = results.over_seeds([cell] * len(ends))
            made.append(Curve(label, ends, values, color, dash, points=False))
    return made


def _ways(
    results: Numbers, ways: dict[str, str], metric: str, epsilon: float | None
) -> list[Curve]:
    """One curve a way of asking; those with the usual substitute are gray, and named once."""
    made: list[Curve] = []
    grays = 0
    for row, kind_of in ways.items():
        rounds = _rounds(results, row, metric, epsilon)
        if not rounds:
            continue
        if kind_of:
            color, dash = SUBSTITUTES[(len(made) - grays) % len(SUBSTITUTES)]
            made.append(_curve(results, rounds, f"{kind_of}\nsubstitute", color, dash))
        else:
            label = row if grays else "other ways\nof asking"
            look = {"points": False, "named": not grays, "width": 0.8}
            made.append(_curve(results, rounds, label, NEUTRAL, 0, **look))
            grays += 1
    return made


def finding(results: Numbers, target: str, kinds: dict[str, str], epsilon: float) -> str:
    """What the target makes of every kind of substitute, and of noise."""
    parts: list[str] = []
    for way, other in kinds.items():
        row = f"{target}, {way}" if way else target
        if other and Cell(row, "error_rate", epsilon) in results:
            words = f"on a {other} one" if parts else f"when crafted on a {other} substitute"
            parts.append(f"{percentage(results.mean(row, 'error_rate', epsilon))} {words}")
    noise = results.mean(target, "noise_error_rate", epsilon)
    return (
        f"Examples of ε = {size(epsilon)} give the {called(target)} an error of "
        f"{', '.join(parts)}; noise gives {percentage(noise)}"
    )
