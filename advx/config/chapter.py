"""Whether a run is the chapter's: what its configuration changes of `scale=chapter`."""

import inspect
from typing import Any

from advx.config.build import target
from advx.config.compose import resolved
from advx.config.documents import Composed
from advx.errors import reason

FREE = ("seeds", "device", "store", "data_dir")
"""Keys that say how often, on what machine (`device` with its threads) and from which files: any
value leaves the chapter's protocol as it is."""

FILES = ("data_dir", "digests")
"""The same of every data set, whatever key it stands under."""

LONGEST = 60
"""Characters of a value that are shown."""


def departures(config: Composed) -> list[str]:
    """What differs from the same experiment composed with `scale=chapter` and nothing else.

    The chapter's figures are judged only where nothing does: a verdict on another attack, model,
    data set, size or training would compare two different things. Every key counts, also one that
    changes no number (`figure_examples`): a rule without exceptions is easy to keep. Only the keys
    of `FREE` and `FILES` do not.

    Args:
        config: the resolved configuration of a run.

    Returns:
        "attack.epsilon=0.02" and so on, in the order of the configuration.
    """
    if config["scale"] != "chapter":
        return [f"scale={config['scale']}"]
    try:
        chapter = resolved([f"experiment={config['experiment']}", "scale=chapter"])
    except Exception as error:  # an experiment of one's own may need more words than these
        return [f"an experiment that scale=chapter alone does not compose ({reason(error)})"]
    return differences(config, chapter)


def differences(ours: Any, chapter: Any, path: str = "") -> list[str]:
    """Keys whose values differ, each with our value; a node as a whole where it is another one.

    Those of `FREE` and `FILES` do not count, nor does an argument that is given its default and
    that the other side does not have: it is younger than a run, or older.
    """
    if _is_free(path) or _same(ours, chapter):
        return []
    if not (isinstance(ours, dict) and isinstance(chapter, dict)):
        return [f"{path}={_short(ours)}"]
    if ours.get("name") != chapter.get("name"):
        return [f"{path}={ours.get('name')}"]
    if ours.get("_target_") != chapter.get("_target_"):
        return [f"{path}._target_={ours.get('_target_')}"]
    found = []
    for key in dict.fromkeys([*ours, *chapter]):
        here = f"{path}.{key}" if path else str(key)
        if key in ours and key in chapter:
            found += differences(ours[key], chapter[key], here)
        elif not _is_free(here) and not _is_default(ours if key in ours else chapter, key):
            found.append(f"{here}={_short(ours[key])}" if key in ours else f"~{here}")
    return found


def _is_free(path: str) -> bool:
    """Whether a key changes no number."""
    return path in FREE or path.rpartition(".")[2] in FILES


def _is_default(node: dict[str, Any], key: str) -> bool:
    """Whether a node's argument has the value that it would have if it were left out."""
    if "_target_" not in node:
        return False
    parameter = inspect.signature(target(node)).parameters.get(key)
    if parameter is None:
        return False
    default = parameter.default
    return _same(node[key], list(default) if isinstance(default, tuple) else default)


def _same(ours: Any, chapter: Any) -> bool:
    """Equal, and of one kind: `true` is not 1; NaN is NaN."""
    return repr(ours) == repr(chapter) or (
        isinstance(ours, int | float)
        and isinstance(chapter, int | float)
        and isinstance(ours, bool) == isinstance(chapter, bool)
        and ours == chapter
    )


def _short(value: Any) -> str:
    text = str(value).replace("'", "")  # as it is written on the command line
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
