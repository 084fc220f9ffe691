"""What is seen of models in training: a bar, or a line each where there is no terminal."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

log = logging.getLogger(__name__)


class ModelBar:
    """One bar over the training of several models, written to standard error.

    Args:
        models: how many will be trained; 0 for a bar that is not shown and says nothing.
    """

    def __init__(self, models: int = 0) -> None:
        self._bar = tqdm(
            total=float(models),
            disable=None if models else True,
            leave=False,
            smoothing=0.05,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left",
        )
        self._logs = bool(models) and self._bar.disable

    @contextmanager
    def model(self, name: str, limit: int, share: int = 1) -> Iterator[Callable[[int, str], None]]:
        """One model's share of the bar.

        Args:
            name: of the model, as it is shown.
            limit: the largest number of epochs that it may take.
            share: of the bar, in models; 0 for one that `models` does not count.

        Yields:
            a function of the number of epochs that are over, and of what else to show of them.
        """
        before, start = self._bar.n, time.perf_counter()
        last = ""

        def after_epoch(epoch: int, found: str = "") -> None:
            nonlocal last
            last = f"{epoch}/{limit}" + (f", {found}" if found else "")
            self._bar.set_description(f"{name}, epoch {last}")
            self._bar.update(share * min(1, epoch / limit) - (self._bar.n - before))

        try:
            yield after_epoch
        finally:
            self._bar.update(share - (self._bar.n - before))
            if last and self._logs:
                spent = time.perf_counter() - start
                log.info("%s: %.0f s, to epoch %s", name, spent, last)

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()
