"""README and `docs/`, as far as they are generated, from the reference runs in `outputs/reference`.

python -m advx.report.readme    # what `make readme` runs

First every reference run is judged again by the claims that its experiment lists now. Then the text
between `<!-- NAME -->` and `<!-- /NAME -->` is written anew: an experiment's numbers on its page in
`docs/results/`, `every claim` in `docs/claims.md`, `gallery` in the index of results, `headlines`,
`quickstart` and `map` in README. `docs/chapter-map.md` is written as a whole, and README's image of
church windows is drawn. Nothing else changes, and a second call changes nothing.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from advx.config.compose import resolved
from advx.config.documents import Composed
from advx.errors import AdvxError
from advx.figures.saved import ARRAYS
from advx.figures.windows import readme_image
from advx.report import chapter_map
from advx.report.again import judge_again
from advx.report.claims_page import every_claim
from advx.report.finished import Unfinished
from advx.report.front import experiments_map, headlines, index, pages_of, quickstart
from advx.report.pages import block
from advx.text_files import read_text, write_text

MARKED = re.compile(r"(<!-- ([\w ]+) -->)\n(.*?)(<!-- /\2 -->)", re.DOTALL)


def renew(root: Path) -> list[Path]:
    """Judge and write everything that is generated; returns the pages that changed.

    Args:
        root: the project's folder.

    Raises:
        AdvxError: a page's marks are broken, or a part has no place.
    """
    reference, docs = root / "outputs" / "reference", root / "docs"
    results = docs / "results"
    pages = pages_of(results)
    names = [page.name for page in pages if (reference / page.name).is_dir()]
    listed: dict[str, Composed] = {}
    for name in names:
        listed[name] = resolved([f"experiment={name}", "scale=chapter"])
        judge_again(reference / name)
    parts: dict[str, Callable[[], str]] = {
        "every claim": lambda: every_claim(reference, listed),
        "gallery": lambda: index(pages),
        "headlines": lambda: headlines(docs, reference),
        "quickstart": lambda: quickstart(reference),
        "map": lambda: experiments_map(pages, reference, listed),
    }
    parts |= {name: lambda name=name: block(reference / name, listed[name]) for name in names}  # type: ignore[misc]
    whole = docs / "chapter-map.md"
    changed = [whole] if chapter_map.write(whole, root) else []
    changed += draw_image(reference / "church_windows", docs / "images" / "church_windows.png")
    found = [root / "README.md", *sorted(docs.rglob("*.md"))]
    marked = "".join(read_text(page) for page in found)
    for name in parts:
        if f"<!-- {name} -->\n" not in marked:
            raise AdvxError(f"no page has <!-- {name} -->, the place of a part that is generated")
    return changed + [page for page in found if update(page, parts)]


def draw_image(run: Path, path: Path) -> list[Path]:
    """README's image, where the run has the arrays for it; the path, if it changed."""
    if not (run / ARRAYS).exists():
        return []
    before = path.read_bytes() if path.exists() else b""
    path.parent.mkdir(exist_ok=True)
    readme_image(run, path)
    return [path] if path.read_bytes() != before else []


def update(page: Path, parts: dict[str, Callable[[], str]]) -> bool:
    """Write the marked parts of a page anew; whether anything changed.

    Args:
        page: Markdown.
        parts: what makes the text of each part, by name; one that has none stays as it is, and so
            does one whose run is not whole, which is said.

    Raises:
        AdvxError: a mark has no other end, or stands within another part: prose would be lost.
    """
    text = read_text(page)
    refuse_broken(page, text)

    def renewed(match: re.Match[str]) -> str:
        if match.group(2) not in parts:
            return match.group(0)
        try:
            return f"{match.group(1)}\n{parts[match.group(2)]()}\n{match.group(4)}"
        except Unfinished as error:
            print(f"{page}: left as it is, unfinished: {error}")
            return match.group(0)

    new = MARKED.sub(renewed, text)
    if new != text:
        write_text(page, new)
    return new != text


def refuse_broken(page: Path, text: str) -> None:
    """See that every part of a page begins and ends once, and none within another.

    Raises:
        AdvxError: the first mark that does not.
    """
    begun, seen = "", set()
    for slash, name in re.findall(r"<!-- ?(/?)([\w ]+?) ?-->", text):
        if (
            bool(slash) == (begun == "")
            or (slash and name != begun)
            or (not slash and name in seen)
        ):
            raise AdvxError(
                f"{page}: <!-- {slash}{name} --> is out of place; each part begins with "
                f"<!-- {name} --> and ends with <!-- /{name} -->, once and not within another"
            )
        begun = "" if slash else name
        seen.add(name)
    if begun:
        raise AdvxError(f"{page}: <!-- {begun} --> has no end; valid: <!-- /{begun} -->")


if __name__ == "__main__":
    try:
        changed = renew(Path())
    except AdvxError as error:
        sys.exit(f"{error}")
    print("\n".join(f"{page} renewed" for page in changed) or "everything is up to date")
