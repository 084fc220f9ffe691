"""Every number in the prose of README and `docs/` stands in a row, a setting or a published figure.

A number of an experiment's page is looked for in that experiment's reference run, and in those of
the pages that it links to: in the values, means, intervals and margins, in the configuration and
the number of epochs, and in the figures of the chapter and of other papers; where the sentence
speaks of seconds, minutes or hours, also in what the run took. It matches at the precision at which
it is printed. A sentence that says "not kept" is excused: its number has no row.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REFERENCE, ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

GENERATED_PAGES = {ROOT / "docs" / "chapter-map.md"}

CONSTANTS = {10, 28, 32, 64, 95, 100, 255, 256, 784}
"""Classes, sides and pixels of the images, levels of gray, the intervals' and the whole percent."""

OTHERS: dict[str, set[float]] = {
    "README.md": {5, 150},  # GB of packages; nothing else
    "docs/results/domain_adaptation.md": {47.75, 23.34},  # another paper's, of another data set
    "docs/results/laplacian_gan_causes.md": {40},  # percent, the paper's samples
}
"""Numbers of pages that belong to no experiment, each with what it is."""

REFERENCES = (
    r"(?:Figures?|Tables?|Equations?|[Ss]ections?|Python|Algorithms?|issues?)"
    r" \d[\d.]*(?:(?:,| to| and|, and|–) \d[\d.]*)*"
)

YEARS = r"\b(?:19|20)\d\d[a-z]?\b"

COMPOUNDS = r"\b[\w.]*-?\d+-(?:bit|D|pixel|pixels)\b"

NUMBER = re.compile(r"(?<![\w.,@/-])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?![\w]|[.,]\d)")

TEENS = """eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"""

TENS = """twenty thirty forty fifty sixty seventy eighty ninety hundred"""

WORDS = {"dozen": 12, "thousand": 1000}

WORDS |= {word: 11 + k for k, word in enumerate(TEENS.split())}

WORDS |= {word: 20 + 10 * k for k, word in enumerate(TENS.split())}


def prose(text: str) -> str:
    """A page without its generated parts, code, tags and the targets of its links."""
    text = re.sub(r"<!-- ([\w ]+) -->\n.*?<!-- /\1 -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(`+)[^\n]*?\1", "", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"<[^>\n]*>", "", text)


def sentences(text: str) -> list[str]:
    """Sentences, and cells of tables."""
    blocks = re.split(r"\n\s*\n|\n(?=[-*|#] ?)", text)
    flat = [" ".join(block.split()) for block in blocks]
    return [one for block in flat for one in re.split(r"(?<=[.!?])\s+(?=[^\d.])", block) if one]


def numbers(sentence: str) -> list[tuple[str, float, int]]:
    """The numbers of a sentence: as printed, their value, their decimals."""
    for pattern in (REFERENCES, YEARS, COMPOUNDS):
        sentence = re.sub(pattern, "", sentence)
    found = []
    for text in NUMBER.findall(sentence):
        digits = text.lstrip("-−").replace(",", "")
        if any(c.isdigit() for c in digits):
            found.append((text, float(digits), len(digits.partition(".")[2])))
    words = re.findall(r"[a-z]+", sentence.lower())
    return found + [(word, float(WORDS[word]), 0) for word in words if word in WORDS]


def scalars(value: Any) -> Iterator[float]:
    """Every number in a configuration."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from scalars(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, str):
        for _, number, _ in numbers(value):
            yield number


def table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@cache
def known(experiment: str) -> tuple[float, ...]:
    """Every number that the reference run of an experiment holds."""
    folder, found = REFERENCE / experiment, []
    columns = {
        "results.csv": ("value", "n", "chapter", "published"),
        "summary.csv": ("mean", "low", "high", "seeds", "n"),
        "claims.csv": ("margin",),
    }
    for name, keys in columns.items():
        for row in table(folder / name):
            found += [float(row[key]) for key in keys if row.get(key)]
            if name in ("results.csv", "claims.csv"):
                named = ("row", "metric", "epsilon", "setting", "predicate")
                text = ", ".join(row.get(key, "") for key in named)
                found += [number for _, number, _ in numbers(re.sub(r"[=+\[\]]", " ", text))]
    manifest = folder / "manifest.json"
    if manifest.is_file():
        kept = json.loads(manifest.read_text(encoding="utf-8"))
        found += scalars(kept["config"])
        found += [
            float(model["epochs"]) for model in kept["store_keys"].values() if "epochs" in model
        ]
    listed = (ROOT / "conf" / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    found += [number for _, number, _ in numbers(listed.partition("\nscales:")[0])]
    return tuple(abs(value) for value in found if math.isfinite(value))


@cache
def durations(experiment: str) -> tuple[float, ...]:
    """What the parts of a run took, each seed and the whole, in seconds, minutes and hours."""
    parts = table(REFERENCE / experiment / "timing.csv")
    seconds = [float(part["seconds"]) for part in parts]
    seeds: dict[str, float] = {}
    for part, spent in zip(parts, seconds, strict=True):
        for seed in re.findall(r"seed (\d+)", part["row"]):
            seeds[seed] = seeds.get(seed, 0.0) + spent
    kinds = [*seconds, *seeds.values(), sum(seconds)]
    return tuple(each / unit for each in kinds for unit in (1, 60, 3600))


def sources(page: Path, text: str) -> list[str]:
    """Experiments whose rows a page may quote: its own, and those that it links to."""
    linked = re.findall(r"\((?:[\w./]*/)?(\w+)\.md[#)]", text)
    names = [page.stem, *linked]
    return [n for n in dict.fromkeys(names) if (ROOT / "conf/experiment" / f"{n}.yaml").is_file()]


def unknown(page: Path, text: str) -> list[str]:
    """The numbers of a page that stand nowhere, each with its sentence."""
    names = sources(page, text)
    pool = [value for name in names for value in known(name)]
    took = [value for name in names for value in durations(name)]
    pool += [*CONSTANTS, *OTHERS.get(str(page.relative_to(ROOT)), ())]
    found = []
    for sentence in sentences(prose(text)):
        if "not kept" in sentence:
            continue
        for printed, value, decimals in numbers(sentence):
            near = 0.5 * 10**-decimals * (1 + 1e-9) + 1e-12
            timed = took if re.search(r"\b(second|minute|hour)s?\b", sentence) else []
            if not any(abs(value - other) <= near for other in [*pool, *timed]):
                found.append(f"{printed}: {sentence}")
    return found


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in GENERATED_PAGES],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_number_of_a_page_stands_in_a_row(page) -> None:
    assert unknown(page, page.read_text(encoding="utf-8")) == []


PAGE = ROOT / "docs" / "results" / "transfer_table.md"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Nearest neighbor errs on 24.8%.", []),
        ("Nearest neighbor errs on 24.93%, on 24.9 or on 25.", []),
        ("Nearest neighbor errs on 26.9%.", ["26.9"]),
        ("It errs on 24.94%.", ["24.94"]),
        ("It errs on 31.7% (not kept).", []),
        ("It errs on 31.7%. That was not kept.", ["31.7"]),
        ("ε = .25, as in Equation 1.3 and section 1.2.4 (Goodfellow et al. 2014b).", []),
        ("All 60,001 digits.", ["60,001"]),
        ("In `31.7` and\n\n    31.7\n\n```\n31.7\n```\n", []),
        ("<!-- transfer_table -->\n31.7\n<!-- /transfer_table -->\n", []),
        ("| 31.7 |\n", ["31.7"]),
        ("Thirty times.", ["thirty"]),
        ("It took 553 minutes.", ["553"]),
        ("It took 368 seconds, which is 6.1 minutes.", []),
        ("It errs on 368 digits.", ["368"]),
        ("[26.38](label_smoothing.md) with smoothing.", []),
        ("26.38 with smoothing.", ["26.38"]),
    ],
)
def test_what_stands_nowhere_is_found(text, missing) -> None:
    assert [line.partition(":")[0] for line in unknown(PAGE, text)] == missing
