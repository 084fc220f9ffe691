"""Own experiments written for an earlier Run learn what to write now."""

import pytest

from advx.run import Run
from advx.run.renamed import RENAMED
from tests.running import started


def test_old_names_say_the_new_ones(tmp_path) -> None:
    run, *_ = started(tmp_path, "experiment=transfer")
    for name, now in RENAMED.items():
        assert not hasattr(Run, name), name
        with pytest.raises(AttributeError, match=rf"run\.{name}: now ") as caught:
            getattr(run, name)
        assert now in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = run.nothing
