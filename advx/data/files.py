"""Where data files are looked for, verified, unpacked and downloaded.

Files are looked for in `data_dir` (or $ADVX_DATA), which may be read-only, then in advx's cache;
a download goes into `data_dir` where that can be written, else into the cache. Each file's MD5 is
compared with the published one, or with those of the file that `dataset.digests` names.
"""

import gzip
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.error import URLError

from advx.errors import ConfigError, DataError, reason
from advx.places import cache_dir
from advx.text_files import file_digest, read_text, replacing, write_text

DOWNLOAD_TIMEOUT = 20.0
"""Seconds without an answer after which a download counts as impossible."""


def search_path(data_dir: str | None) -> list[Path]:
    """Folders in which data files are looked for, in order."""
    folders = [Path(data_dir)] if data_dir else []
    return [*folders, cache_dir() / "data"]


def accepted_digests(path: str | None) -> dict[str, str]:
    """Digests that a user accepts besides the published ones: {file name: MD5}.

    The file is JSON, {path relative to the data folder: MD5}.
    """
    if path is None:
        return {}
    try:
        content = json.loads(read_text(Path(path)))
        return {Path(name).name: str(md5) for name, md5 in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"dataset.digests={path}: not a readable JSON object {{file: md5}} ({error})"
        ) from error


def verify(path: Path, name: str, expected: str, accepted: dict[str, str]) -> bool:
    """Check one file's MD5. True where it is not the published one but an accepted one.

    Raises:
        DataError: the digest is neither.
    """
    seen = file_digest(path, "md5")
    if seen == expected:
        return False
    if accepted.get(path.name) == seen:
        return True
    raise DataError(
        f"dataset={name}: {path} has MD5 {seen}, expected {expected} (damaged or another file); "
        "replace it, or accept it by name with dataset.digests=FILE"
    )


def accepted_remark(count: int, digests: str | None) -> tuple[str, ...]:
    """What a result must say when files were accepted through `dataset.digests`."""
    if not count or digests is None:
        return ()
    accepted = f"accepted by {Path(digests).name}"
    return (f"{count} data files differ from the published ones ({accepted})",)


def unpack_gzip(source: Path, target: Path) -> None:
    """Unpack `source` to `target` once; the content is checked again on every use."""
    proof = target.with_name(target.name + ".sha256")
    if target.exists() and proof.exists() and read_text(proof) == file_digest(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(source) as packed, replacing(target) as unpacked:
        shutil.copyfileobj(packed, unpacked)
    write_text(proof, file_digest(target))


def download_root(data_dir: str | None) -> Path:
    """`data_dir` where it can be written, else the cache."""
    for folder in search_path(data_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise DataError(f"cannot write to {cache_dir()}: name a writable folder in ADVX_CACHE")


def download(
    name: str,
    files: list[str],
    data_dir: str | None,
    fetch: Callable[[Path], object],
    *,
    source: str = "",
    instead: str = "dataset=mnist5k",
) -> Path:
    """Call `fetch(root)`, which downloads into `root`; one clear line where it cannot.

    Args:
        name: of the data set.
        files: what is missing.
        data_dir: where it was looked for first.
        fetch: downloads into a folder.
        source: where it downloads from, for the line.
        instead: a choice that needs no files.

    Raises:
        DataError: no network, or the files could not be had.
    """
    root = download_root(data_dir)
    looked = ", ".join(str(folder) for folder in search_path(data_dir))
    try:
        if _offline:
            raise OSError("downloads are switched off")
        with _quiet(), _socket_timeout(DOWNLOAD_TIMEOUT):
            fetch(root)
    except (URLError, RuntimeError, OSError) as error:
        raise DataError(
            f"dataset={name}: missing {', '.join(files)}; looked in {looked}; download "
            f"{f'from {source} ' if source else ''}failed ({reason(error)}); set ADVX_DATA to a "
            f"folder that holds them, or use {instead}, which needs no files"
        ) from error
    return root


@contextmanager
def offline() -> Iterator[None]:
    """Inside, nothing is downloaded: files that are not here count as missing."""
    global _offline
    before, _offline = _offline, True
    try:
        yield
    finally:
        _offline = before


_offline = False


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        yield


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
