"""The store: one folder an entry, named by a hash of what made it.

An entry is complete when its `meta.json`, written last, names the digest of its weights. Writes are
atomic, reads are verified, weights load without executing code, and a file lock lets parallel
jobs make each entry once.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from advx.errors import ConfigError, NetworkChanged, reason
from advx.store import measurements
from advx.store.measurements import Stored
from advx.text_files import damaged_part, read_text, write_atomically, write_text

log = logging.getLogger(__name__)

WEIGHTS = "weights.pt"
META = "meta.json"
CHECKPOINT = "checkpoint.pt"
UNFINISHED_SECONDS = 3600.0
"""Age of a temporary file after which nobody is still writing it."""

Meta = dict[str, Any]
"""`meta.json` of an entry: what made it and how its training went, with its weights' digest."""


def key_of(content: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits that name `content`, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """Models and rows under one folder, `models/<key>/` and `rows/<key>.json`.

    Attributes:
        digests: of the weights that a run with this store rests on, by key: those that it loaded or
            saved, and those that the stored numbers which it read were measured on.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"store={folder}: cannot be written ({error.strerror}); name a writable folder"
            ) from error
        self.digests: dict[str, str] = {}

    def path(self, key: str) -> Path:
        """Folder of the model named `key`."""
        return self.folder / "models" / key

    def entries(self) -> list[str]:
        """Keys of all entries, complete or not."""
        return sorted(p.name for p in (self.folder / "models").glob("*") if p.is_dir())

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the entry's lock: other processes that want it wait here."""
        with FileLock(self._lock_path(key)):
            yield

    def meta(self, key: str) -> Meta | None:
        """What made the entry, or None where it is not complete."""
        try:
            meta = json.loads(read_text(self.path(key) / META))
        except (OSError, ValueError):
            return None
        return meta if isinstance(meta, dict) else None

    def load(
        self, key: str, needs: Sequence[str] = ()
    ) -> tuple[dict[str, torch.Tensor], Meta] | None:
        """Weights and meta of a complete, undamaged entry; None where it must be made (again).

        Args:
            key: the entry's.
            needs: what its meta must have.

        Raises:
            NetworkChanged: the run rests on other weights of this entry.
        """
        meta = self.meta(key)
        if meta is None:
            return None
        problem = self.problem(key)
        lacking = ", ".join(name for name in needs if name not in meta)
        if problem or lacking:
            problem = problem or f"{META} has no {lacking}"
            log.warning("store entry %s: %s; training it again", key, problem)
            return None
        content = (self.path(key) / WEIGHTS).read_bytes()
        try:
            weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many types on what it did not write
            log.warning("store entry %s: %s; training it again", key, reason(error))
            return None
        self.rest_on(key, meta["sha256"])
        return weights, meta

    def rest_on(self, key: str, digest: str) -> None:
        """Note that the run rests on an entry's weights of this digest.

        Raises:
            NetworkChanged: it rests on others already, of a number read or a network loaded before.
        """
        if self.digests.setdefault(key, digest) != digest:
            raise NetworkChanged(
                f"store={self.folder}: network {key} was trained again and has other weights than "
                "those which earlier numbers of this run are of; the same command, run again, "
                "measures those anew",
                key,
            )

    def digest(self, key: str) -> str | None:
        """Of an entry's weights: those that the run rests on, else those that its `meta.json`
        names; None where there are none."""
        return self.digests.get(key) or (self.meta(key) or {}).get("sha256")

    def unfinished(self, key: str) -> bool:
        """Whether an entry is a training that was ended early and can be continued."""
        return self.meta(key) is None and (self.path(key) / CHECKPOINT).exists()

    def problem(self, key: str) -> str | None:
        """What is wrong with an entry, or None."""
        meta = self.meta(key)
        if meta is None:
            unfinished = self.unfinished(key)
            return (
                "training unfinished (checkpoint kept)" if unfinished else "no readable meta.json"
            )
        try:
            content = (self.path(key) / WEIGHTS).read_bytes()
        except OSError:
            return f"{WEIGHTS} is missing"
        if meta.get("key", key) != key:
            return f"it was made for {meta['key']}"
        if hashlib.sha256(content).hexdigest() != meta.get("sha256"):
            return f"{WEIGHTS} does not match its digest"
        return None

    def save(self, key: str, weights: dict[str, torch.Tensor], meta: Meta) -> None:
        """Write a complete entry. Its last checkpoint stays: a longer run may continue from it.

        Raises:
            NetworkChanged: the run rests on other weights of this entry; these are kept.
        """
        folder = self.path(key)
        folder.mkdir(parents=True, exist_ok=True)
        content = serialized(weights)
        write_atomically(folder / WEIGHTS, content)
        digest = hashlib.sha256(content).hexdigest()
        meta = meta | {"key": key, "sha256": digest, "bytes": len(content)}
        write_text(folder / META, json.dumps(meta, indent=1, sort_keys=True))
        self.rest_on(key, digest)

    def checkpoint(self, key: str) -> dict[str, Any] | None:
        """The entry's last checkpoint, or None where there is none or it cannot be read."""
        path = self.path(key) / CHECKPOINT
        if not path.exists():
            return None
        try:
            part = damaged_part(path)
            if part is not None:
                raise ValueError(f"{part} does not match its checksum")
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many types on damaged files
            log.warning("%s: unreadable checkpoint (%s); starting over", path, error)
            return None

    def drop_checkpoint(self, key: str) -> int:
        """Delete a finished entry's last checkpoint; returns the bytes freed."""
        path = self.path(key) / CHECKPOINT
        if self.meta(key) is None or not path.exists():
            return 0
        size = path.stat().st_size
        path.unlink()
        return size

    def save_checkpoint(self, key: str, state: Mapping[str, Any]) -> None:
        """Replace the entry's checkpoint."""
        self.path(key).mkdir(parents=True, exist_ok=True)
        write_atomically(self.path(key) / CHECKPOINT, serialized(state))

    def value(self, content: Any, kind: Any = Any) -> Stored | None:
        """The measurement that was saved under `content`, or None where it must be taken (again).

        Args:
            content: what it depends on, as JSON can hold it.
            kind: its type, see `advx.store.values.unpacked`.
        """
        try:
            of, stored = measurements.read(self._rows_path(content), kind)
        except OSError:
            return None
        except ValueError as error:
            log.warning("%s: %s; measuring again", self._rows_path(content), error)
            return None
        return stored if key_of(of) == key_of(_as_read(content)) else None  # another one's file

    def save_value(
        self,
        content: Any,
        value: Any,
        notes: Sequence[Sequence[Any]] = (),
        digests: Mapping[str, str] | None = None,
    ) -> None:
        """Save a measurement under what it depends on: its arrays first, then its JSON.

        Args:
            content: what it depends on, as JSON can hold it.
            value: see `advx.store.values.packed`.
            notes: on examples that it left out, lists of texts and numbers.
            digests: of the weights that it was measured on, by key.
        """
        measurements.write(self._rows_path(content), content, value, notes, digests)

    def rows(self) -> list[Path]:
        """Files of all measurements."""
        return sorted(p for p in (self.folder / "rows").glob("*.json") if p.is_file())

    def row_problem(self, path: Path) -> str | None:
        """How a measurement's file is damaged, or None.

        Raises:
            OSError: it cannot be read at all.
        """
        try:
            of, _ = measurements.read(path)
        except ValueError as error:
            return str(error)
        return None if key_of(of) == path.stem else f"it was made for {key_of(of)}"

    def remove_damaged_row(self, path: Path) -> str | None:
        """Delete a measurement that is damaged, and return how; one that cannot be read stays."""
        try:
            problem = self.row_problem(path)
        except OSError:
            return None
        if problem:
            path.unlink(missing_ok=True)
        return problem

    def drop_unfinished(self) -> int:
        """Delete what killed processes had begun to write, an hour later; returns how many."""
        found = [*self.folder.glob("models/*/.*.partial"), *self.folder.glob("rows/.*.partial")]
        found += self._unnamed_arrays()
        old = [p for p in found if time.time() - p.stat().st_mtime > UNFINISHED_SECONDS]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _unnamed_arrays(self) -> list[Path]:
        """Arrays that no measurement names, or not any more."""
        named = set()
        for path in self.rows():
            with suppress(OSError, ValueError, TypeError, KeyError):
                digest = json.loads(read_text(path))["arrays"]
                named |= {measurements.arrays_path(path, digest), path.with_suffix(".npz")}
        return [path for path in self.folder.glob("rows/*.npz") if path not in named]

    def remove_damaged(self, key: str) -> str | None:
        """Delete an entry with a problem, unless another process holds its lock.

        Returns:
            The problem; None where there is none, or the entry was left alone.
        """
        try:
            with FileLock(self._lock_path(key), timeout=0):
                problem = self.problem(key)  # asked here: whoever had the lock may have mended it
                if problem:
                    shutil.rmtree(self.path(key), ignore_errors=True)
                return problem
        except Timeout:
            return None

    def _lock_path(self, key: str) -> Path:
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return locks / f"{key}.lock"

    def _rows_path(self, content: Mapping[str, Any]) -> Path:
        return self.folder / "rows" / f"{key_of(_as_read(content))}.json"


def _as_read(content: Any) -> Any:
    """What JSON gives back of it: its keys are texts, which sort in another order than numbers."""
    return json.loads(measurements.as_json(content))


def serialized(state: Mapping[str, Any]) -> bytes:
    """`torch.save` into bytes, the same for the same content (a file's name would leak in)."""
    buffer = BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
