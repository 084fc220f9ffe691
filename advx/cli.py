"""The command line. Torch and Hydra are imported only by the verbs that need them."""

import argparse
import os
import sys

from advx import __version__

USAGE = """\
examples:
  advx run experiment=transfer_table                 Table 1.1 on digits that need no download
  advx run experiment=transfer_table scale=chapter   the same on MNIST, as in the chapter
  advx run -m experiment=transfer model@crafting=maxout,relu model@target=tanh
  advx run --help                                    Hydra's own options
"""


def main() -> None:
    """Entry point of the `advx` command. Exit status 2: something the user can mend."""
    parser = argparse.ArgumentParser(
        prog="advx", description="Experiments on adversarial perturbations of deep networks.",
        epilog=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"advx {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("run", help="run an experiment: experiment=NAME key=value ...", add_help=False)
    verbs.add_parser("list", help="experiments, and the choices of every group")
    if sys.argv[1:2] == ["run"]:
        sys.exit(_guarded(sys.argv[2:]))
    parser.parse_args()
    from advx.listing import print_choices

    print_choices()


def _guarded(arguments: list[str]) -> int:
    """Run Hydra and turn every error a user can mend into one line."""
    from advx.config.messages import one_line
    from advx.hydra_run import launch

    try:
        launch(arguments)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("ADVX_TRACEBACK") == "1" or "hydra.verbose=true" in arguments:
            raise
        line = one_line(error)
        if line is None:
            raise
        print(f"advx: {line}", file=sys.stderr)
        return 2
    return 0
