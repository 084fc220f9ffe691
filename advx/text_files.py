"""Files of a run and of the store: UTF-8 whatever the locale, and never half written."""

import hashlib
import os
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNENCODABLE = "backslashreplace"
"""For what UTF-8 cannot hold: the bytes of a file name that are not UTF-8."""


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def damaged_part(path: Path) -> str | None:
    """The first part of a zip archive that does not match its checksum; None where all do.

    `torch.load` reads `torch.save`'s archives without comparing. None for files of other formats
    and for archives that were written without checksums, too.

    Raises:
        OSError: the file cannot be read.
        zipfile.BadZipFile: its list of parts, or a part's header, is damaged.
    """
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\3\4":
            return None
        with zipfile.ZipFile(stream) as archive:
            if not any(part.CRC for part in archive.infolist()):
                return None
            return archive.testzip()


def spelled(name: str) -> str:
    """A file's name as a title can hold it: line breaks and bytes that are no UTF-8 spelled out.

    Dollars are escaped, for matplotlib as for Markdown: between two of them is a formula.
    """
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    escaped = (
        c.encode("unicode_escape").decode() if unicodedata.category(c) in kinds else c for c in name
    )
    return "".join(escaped).replace("$", r"\$")


def read_text(path: Path) -> str:
    """The content of a UTF-8 file."""
    return path.read_text(encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file in one step: a reader sees the old content or the new."""
    write_atomically(path, encoded(text))


def append_text(path: Path, text: str) -> None:
    """Add to a UTF-8 file; where that fails the file is as it was.

    Raises:
        OSError: with the file's name.
    """
    with _named(path, path), path.open("ab", buffering=0) as stream:
        size = stream.tell()
        try:
            content = encoded(text)
            written = stream.write(content)
            if written < len(content):  # a disk that fills up takes a part first, then refuses
                stream.write(content[written:])
        except BaseException:
            with suppress(OSError):
                stream.truncate(size)
            raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk and rename it into place.

    Where that fails nothing is left behind.

    Raises:
        OSError: with the file's name.
    """
    with replacing(path) as stream:
        stream.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the place of `path` in one step, when all of it is on disk.

    Where that fails nothing is left behind, and what was there stays.

    Raises:
        OSError: with the file's name.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with _named(path, partial):
        try:
            with partial.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def encoded(text: str) -> bytes:
    """UTF-8; a file name's bytes that are no UTF-8 are spelled out."""
    return text.encode("utf-8", UNENCODABLE)


@contextmanager
def _named(path: Path, opened: Path) -> Iterator[None]:
    """A write that fails does not say which file it was of, nor does it know the final name."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(opened)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def never_fail_to_print() -> None:
    """Let standard output show what its encoding lacks as "?", and other bytes as they are.

    Where a terminal is not UTF-8 the dash of a title would end a run after all its work; so would
    whatever is printed where an output is closed (`>&-`): it goes nowhere then.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8", errors="replace"))
    stream = sys.stdout
    if hasattr(stream, "reconfigure"):
        unicode = stream.encoding.lower().replace("-", "") == "utf8"
        stream.reconfigure(errors="surrogateescape" if unicode else "replace")


def stop_printing() -> None:
    """Send standard output nowhere: its reader, `head` say, has seen enough and is gone."""
    with suppress(OSError, ValueError):  # a test's or a notebook's has no file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
