"""Hours of a core and of a GPU, from manifests whose networks come from both."""

from typing import Any

import pytest

from advx.report.spent import Spent, spent


def manifest(device: str, networks: list[dict[str, Any]], threads: int = 1, **more: float) -> Any:
    trained = sum(each["seconds"] for each in networks)
    return {
        "device": device,
        "threads": threads,
        "store_keys": {str(at): each for at, each in enumerate(networks)} | {"fitted": {}},
        "seconds": {"train": trained} | more,
    }


@pytest.mark.parametrize(
    ("made", "hours", "short", "long"),
    [
        (manifest("cpu", [{"seconds": 1800}], 2, craft=1800), (2, 0), "2.0 h", "2.0 h of one core"),
        (
            manifest("cuda", [{"seconds": 540}], craft=60),
            (0, 1 / 6),
            "10 min (GPU)",
            "10 min (GPU)",
        ),
        (
            manifest("cpu", [{"seconds": 600, "device": "cuda:0"}, {"seconds": 3600}], craft=3600),
            (2, 1 / 6),
            "2.0 h + 10 min (GPU)",
            "2.0 h of one core and 10 min of a GPU",
        ),
        (
            manifest("cuda", [{"seconds": 600}, {"seconds": 3600, "device": "cpu"}]),
            (1, 1 / 6),
            "1.0 h + 10 min (GPU)",
            "1.0 h of one core and 10 min of a GPU",
        ),
    ],
)
def test_each_second_counts_where_it_was_spent(made, hours, short, long) -> None:
    found = spent(made)
    assert found == pytest.approx(Spent(*hours))
    assert (str(found), found.in_words()) == (short, long)
