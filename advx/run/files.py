"""The files of the run contract (docs/run-files.md), and what is printed at the end."""

import json
import logging
import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from advx.config.chapter import departures
from advx.config.claims import listed_cell
from advx.config.documents import Composed, Manifest
from advx.config.identity import RECIPE_VERSION, own_code
from advx.errors import reason
from advx.memory import resident_peak
from advx.packages import libraries, packages
from advx.report.conclusions import conclude, told, write_conclusions
from advx.report.results import Results, at_the_front, csv_text, table, write_results
from advx.run.checks import own_parts
from advx.run.data import RunData
from advx.run.models import Models
from advx.run.notices import Remarks, Seconds
from advx.run_folder import stamps
from advx.text_files import write_text

log = logging.getLogger(__name__)


class RunFiles:
    """Writes everything but the growing `results.csv`.

    Args:
        config: the resolved configuration.
        folder: the run's.
        command: that made it.
        data, models, results, remarks, seconds: of the run.
    """

    def __init__(
        self,
        config: Composed,
        folder: Path,
        command: str,
        *,
        data: RunData,
        models: Models,
        results: Results,
        remarks: Remarks,
        seconds: Seconds,
    ) -> None:
        self.config = config
        self.folder = folder
        self.command = command
        self.data = data
        self.models = models
        self.results = results
        self.remarks = remarks
        self.seconds = seconds
        self._departures = departures(config)  # now: the YAML may be edited while the run lasts
        self._stamps = stamps(folder)

    def finish(self, failed: str = "") -> None:
        """Write every file of the contract and print the table.

        What was measured is written before anything is concluded from it: an error in a conclusion
        loses no number.

        Args:
            failed: why the run did not reach its end; nothing is judged then.
        """
        for key, trained in self.models.training().items():
            self.seconds.spent["train", f"{trained['model']}, {key}"] = (
                trained.get("seconds") or 0.0
            )
        write_results(self.folder, self.results)
        spent = self.seconds.spent.items()
        timing = [[phase, row, round(seconds, 3)] for (phase, row), seconds in spent]
        write_text(self.folder / "timing.csv", csv_text(["phase", "row", "seconds"], timing))
        write_text(self.folder / "manifest.json", json.dumps(self.manifest(), indent=1) + "\n")
        drawn = conclude(self.results, self.config, self._departures, failed)
        for limit in drawn.missing if self.config["scale"] == "chapter" else []:
            log.warning(limit)  # smaller scales leave rows out on purpose
        write_conclusions(self.folder, drawn, self.heading(), self.remarks.texts())
        shown = at_the_front(drawn.lines, set(map(listed_cell, self.config.get("rows") or [])))
        print(f"\n{self.heading()}\n\n{table(shown)}\n")
        if len(shown) < len(drawn.lines):
            print(f"all {len(drawn.lines):,} lines: {self.folder / 'summary.md'}\n")
        for text in self.remarks.texts():
            print(f"remark: {text}")
        for line in told(drawn):
            print(line)
        print(f"\nfiles:  {self.folder}")
        for figure in self.names():
            if figure.endswith(".png"):
                print(f"figure: {self.folder / figure}")

    def rescue(self, error: Exception) -> None:
        """Write what was measured before an error, without hiding the error."""
        if not self.results.rows:
            return
        try:
            self.finish(failed=reason(error))
        except Exception as another:
            log.warning("the summary could not be written: %s", reason(another))

    def names(self) -> list[str]:
        """Names of the files that this run has written into its folder so far, but for its log."""
        found = stamps(self.folder)
        return sorted(n for n in found if found[n] != self._stamps.get(n) and n != "run.log")

    def heading(self) -> str:
        """Title of the table: what ran, on what data, with what training.

        Seeds are named unless there are rows, and none of them has one.
        """
        data, config = self.data.all, self.config
        rows = self.results.rows
        seeded = not rows or any(row.seed is not None for row in rows)
        seeds = f", seeds {', '.join(map(str, config['seeds']))}" if seeded else ""
        remarks = "".join(f"; {remark}" for remark in data.remarks)
        return (
            f"{config['title']} — {data.name} ({len(data.train):,} training, "
            f"{len(data.test):,} test examples{remarks}), scale {config['scale']}, "
            f"trainer {config['trainer']['name']}{seeds}"
        )

    def manifest(self) -> Manifest:
        """Everything needed to make this run again."""
        data, memory = self.data.all, resident_peak()
        named: dict[str, Mapping[str, Any]] = {
            key: {"model": name} for key, name in self.models.names.items()
        }
        return {
            "command": self.command,
            "config": self.config,
            "remarks": self.remarks.texts(),
            "versions": {
                "python": platform.python_version(),
                **{p: version(p) for p in ("advx", *packages())},
                **libraries(),
            },
            "platform": f"{platform.system()} {platform.machine()}",
            "device": str(self.data.device),
            "threads": torch.get_num_threads(),
            "data": {
                "name": data.name,
                "fingerprint": data.fingerprint,
                "test": data.test.fingerprint,
                "remarks": data.remarks,
            },
            "store_keys": named | self.models.training(),
            "recipe_version": RECIPE_VERSION,
            "own_code": own_code(own_parts(self.config)),
            "seconds": self.seconds.by_phase(),
            "files": self.names(),
            "peak_memory_mib": None if math.isnan(memory) else round(memory),
        }
