"""What YAML files, configurations and manifests hold, once they are read."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

Composed = dict[str, Any]
"""A resolved configuration; each experiment has top-level keys of its own."""

Node = dict[str, Any]
"""A part of it: perhaps with a `_target_` and that one's arguments, perhaps with parts inside."""


class DataFacts(TypedDict):
    """What a manifest says of the data set.

    Attributes:
        name: of the data set.
        fingerprint, test: of all its examples, and of the test examples.
        remarks: what was done to it.
    """

    name: str
    fingerprint: str
    test: str
    remarks: Sequence[str]


class OwnCode(TypedDict):
    """What a manifest says of the user's own files.

    Attributes:
        modules: their digests, by name.
        in_no_key: what of them no key can see.
    """

    modules: dict[str, str]
    in_no_key: list[str]


class Manifest(TypedDict):
    """`manifest.json`: everything needed to make a run again.

    Attributes:
        command: as it was typed.
        config: the resolved configuration.
        remarks: what the run said of the user's own parts.
        versions: of Python and of each package.
        platform, device, threads: the machine.
        data: name, fingerprints and remarks of the data set.
        store_keys: what the store knows of each model, by key.
        recipe_version: of the training.
        own_code: digests of the user's own files.
        seconds: by phase.
        files: of the run.
        peak_memory_mib: None where the system does not tell.
        joined: the commands of the runs that were merged into it.
    """

    command: str
    config: Composed
    remarks: list[str]
    versions: dict[str, str]
    platform: str
    device: str
    threads: int
    data: DataFacts
    store_keys: dict[str, Mapping[str, Any]]
    recipe_version: int
    own_code: OwnCode
    seconds: dict[str, float]
    files: list[str]
    peak_memory_mib: int | None
    joined: NotRequired[list[str]]


class Change(TypedDict):
    """A predicate or a sentence that a claim had before; at least one of them is given.

    Attributes:
        date: of the change.
        was: the predicate until then.
        said: the sentence until then.
        why: it changed.
    """

    date: str
    was: NotRequired[str]
    said: NotRequired[str]
    why: str


class Claim(TypedDict):
    """An entry of the YAML's `claims`, checked by `check_claims`.

    Attributes:
        claim: its name.
        predicate: what it says of the rows, for `parse`.
        says: the sentence.
        source: `chapter`, another paper, or ours where none is named.
        added: when and why it joined the list after the first run.
        changed: the predicates and sentences that it had.
        fewer_seeds: why it is tested in fewer seeds than the run has.
    """

    claim: str
    predicate: str
    says: NotRequired[str]
    source: NotRequired[str]
    added: NotRequired[str]
    fewer_seeds: NotRequired[str]
    changed: NotRequired[list[Change]]


class ListedRow(TypedDict):
    """An entry of the YAML's `rows`, checked by `check_claims`.

    Attributes:
        row, metric, epsilon, setting: name the number.
        chapter: the chapter's figure.
        published: that of the paper that `source` names.
        source: a paper.
        note: on the figure.
        direction: the claim that says what the figure cannot.
        set: whether the protocol fixes it and no run measures it.
        judged: whether it gets a verdict here; false where another experiment measures the figure.
    """

    row: str
    metric: str
    epsilon: NotRequired[float | None]
    setting: NotRequired[str]
    chapter: NotRequired[float | None]
    published: NotRequired[float | None]
    source: NotRequired[str]
    note: NotRequired[str]
    direction: NotRequired[str]
    set: NotRequired[bool]
    judged: NotRequired[bool]
