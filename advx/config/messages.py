"""Errors of Hydra and OmegaConf as one line: the key, the value seen, the valid choice."""

import re

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from advx.config.check import nearest
from advx.errors import AdvxError
from advx.listing import choices


def one_line(error: BaseException) -> str | None:
    """The message of an error that the user can mend; None for any other."""
    if isinstance(error, AdvxError):
        return str(error)
    text = str(error)
    found = re.search(r"Could not find '([\w@.]+)/([^'/]+)'", text)
    if found:
        group, choice = found.groups()
        return f"{group}={choice}: no such choice; {nearest(choice, choices().get(group, []))}"
    found = re.search(r"Could not override '([^']+)'", text)
    if found:
        key = found.group(1)
        return f"{key}: no such key; advx run ... --cfg job shows all keys (a new key: +{key}=…)"
    if "You must specify 'experiment'" in text:
        return f"experiment: not given; valid: {', '.join(choices()['experiment'])}"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return " ".join(text.split())
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}; name a writable folder with hydra.run.dir=…"
    return None
