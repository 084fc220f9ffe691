"""Which folders are classes, and which files are images of them.

Whatever an operating system or an editor leaves behind must not become a class, nor move the
numbers of the others: hidden folders and files, folders without images, thumbnails' databases.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from advx.data.image_files import KINDS
from advx.errors import DataError, reason
from advx.text_files import spelled

LEFT_BEHIND = {"thumbs.db", "ehthumbs.db", "desktop.ini"}
"""Files that nobody made and nobody misses, in small letters."""

LARGEST = 2**63 - 1
"""Of an int64: any class beyond is refused like it."""


@dataclass(frozen=True)
class Classes:
    """The classes of a folder of `class/image.png`.

    Attributes:
        labels: the number of every class.
        files: its images, by name.
        remarks: what was passed over.
    """

    labels: list[int]
    files: list[list[Path]]
    remarks: tuple[str, ...]


def classes_in(path: Path) -> Classes:
    """The classes of a folder: by their number, or in the order of their names.

    Raises:
        DataError: there is none, or their numbers are not clear.
    """
    where = f"dataset.path={path}"
    try:
        folders, stray = _visible(path)
        if not folders:
            raise DataError(
                f"{where}: no subfolders; one a class is needed, e.g. {path}/0, with images in it"
            )
        contents = []
        for folder in folders:
            nested, files = _visible(folder)
            _refuse_nested(nested, path, where)
            contents.append([file for file in files if file.suffix.lower() in KINDS])
            stray += [file for file in files if file.suffix.lower() not in KINDS]
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({reason(error)})") from error
    classes = [folder for folder, images in zip(folders, contents, strict=True) if images]
    if not classes:
        raise DataError(f"{where}: no images in its subfolders")
    empty = [folder for folder in folders if folder not in classes]
    remarks = _remarks(empty, stray, path)
    return Classes(_labels(classes, where), [images for images in contents if images], remarks)


def _visible(path: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files in a folder, by name, without what is hidden or left behind."""
    entries = sorted(
        entry
        for entry in path.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in LEFT_BEHIND
    )
    return [e for e in entries if e.is_dir()], [e for e in entries if not e.is_dir()]


def _refuse_nested(folders: Iterable[Path], path: Path, where: str) -> None:
    """Images deeper than `class/image.png` would be missing without a word.

    Raises:
        DataError: there are some.
    """
    for folder in folders:
        for file in folder.rglob("*"):
            below = file.relative_to(path).parts
            if file.suffix.lower() in KINDS and not any(part.startswith(".") for part in below):
                raise DataError(
                    f"{where}: {file} lies too deep; images are read from {path}/class/ only"
                )


def _labels(classes: list[Path], where: str) -> list[int]:
    """The numbers that the folders are named by, or their places where they have names.

    Raises:
        DataError: some are numbers and some are names, or two are one number.
    """
    numbers = [min(int(c.name), LARGEST) for c in classes if _is_number(c.name)]
    if not numbers:
        return list(range(len(classes)))
    if len(numbers) < len(classes):
        name = next(c.name for c in classes if not _is_number(c.name))
        raise DataError(
            f"{where}: some folders are numbers ({numbers[0]}), some are names ({name}); name all "
            "classes by their numbers, or none"
        )
    for place, number in enumerate(numbers):
        if number in numbers[:place]:
            twin = classes[numbers.index(number)].name
            raise DataError(
                f"{where}: folders {twin} and {classes[place].name} are both class {number}"
            )
    return numbers


def _is_number(name: str) -> bool:
    """Whether a folder is named by a number: digits of other scripts and ² are names."""
    return name.isascii() and name.isdecimal()


def _remarks(empty: list[Path], stray: list[Path], path: Path) -> tuple[str, ...]:
    """What was passed over, so that nobody misses it later."""
    remarks = []
    if empty:
        remarks.append(
            f"folders without images are no classes: {', '.join(spelled(f.name) for f in empty)}"
        )
    if stray:
        files = "file" if len(stray) == 1 else "files"
        first = spelled(str(stray[0].relative_to(path)))
        remarks.append(f"passed over {len(stray)} {files} not named as images, e.g. {first}")
    return tuple(remarks)
