"""The commands that README, the pages of `docs/` and the heads of files print."""

import ast
import re
import shlex
from pathlib import Path

from tests.paths import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "experiments").glob("*.py")),
    *sorted((ROOT / "conf").rglob("*.yaml")),
]

SIZE = re.compile(r"(experiment|scale|seeds|device\.threads)=")
"""Settings that `test_contracts.py` checks for every experiment at every scale."""


def code(page: Path) -> list[str]:
    """The lines of a page's code blocks, continued ones joined, and its inline code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    if page.suffix == ".yaml":
        text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
    text = text.replace("\\\n", " ")
    if page.suffix != ".md":
        return [line.strip() for line in text.splitlines()]
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"^    (?! )(.*)$", rest, re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", rest)
    return [line for block in blocks for line in block.splitlines()] + inline


def commands(page: Path) -> list[list[str]]:
    """The words of every `advx …` of a page, without `advx` and without comments."""
    found = []
    for line in code(page):
        line = line.removeprefix('eval "$(').partition(')"')[0]
        if re.match(r"advx (\w|--)", line) and not re.search(r"\b(NAME|RUN)\b", line):
            found.append(tuple(shlex.split(line, comments=True)[1:]))
    return [list(words) for words in dict.fromkeys(found)]


BY_PAGE = {page: commands(page) for page in PAGES}

ALL = [list(words) for words in dict.fromkeys(tuple(w) for some in BY_PAGE.values() for w in some)]

README = BY_PAGE[PAGES[0]]


def kind(words: list[str]) -> str:
    """How a command is tested."""
    if any("outputs/runs/" in word for word in words):
        return "its own runs"
    if words[0] == "report" and len(words) > 1:
        return "page"
    if words[0] not in ("run", "attack"):
        return "verb"
    if any("my_" in word or "people.csv" in word for word in words):
        return "own files"
    return "plain" if all(SIZE.match(word) for word in words[1:]) else "changed"


SMOKE = ["scale=smoke", "device.threads=1", "seeds=[0]"]
