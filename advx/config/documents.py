"""What the YAML of an experiment and its composed configuration hold, once they are read."""

from typing import Any, NotRequired, TypedDict

Composed = dict[str, Any]
"""A resolved configuration; each experiment has top-level keys of its own."""

Node = dict[str, Any]
"""A part of it: perhaps with a `_target_` and that one's arguments, perhaps with parts inside."""


class Change(TypedDict):
    """A predicate that a claim had before.

    Attributes:
        date: of the change.
        was: the predicate until then.
        why: it changed.
    """

    date: str
    was: str
    why: str


class Claim(TypedDict):
    """An entry of the YAML's `claims`, checked by `check_claims`.

    Attributes:
        claim: its name.
        predicate: what it says of the rows, for `parse`.
        says: the sentence.
        source: `chapter`, another paper, or ours where none is named.
        added: when and why it joined the list after the first run.
        changed: the predicates that it had.
    """

    claim: str
    predicate: str
    says: NotRequired[str]
    source: NotRequired[str]
    added: NotRequired[str]
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
