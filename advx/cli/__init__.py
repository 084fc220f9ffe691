"""The command line, a module for each verb. Torch and Hydra are imported only where work starts."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from advx import __version__
from advx.termination import Terminated, terminating
from advx.text_files import never_fail_to_print, stop_printing

USAGE = """\
examples:
  advx run experiment=transfer_table                 Table 1.1 on digits that need no download
  advx run experiment=transfer_table scale=chapter   the same on MNIST, as in the chapter
  advx run -m experiment=transfer model@crafting=maxout,relu model@target=tanh
  advx run --help                                    Hydra's own options
  advx reproduce --plan                              all experiments: what would run, how long
  advx report --html report.html                     the latest runs on one page
"""


def main() -> None:
    """Entry point of the `advx` command. Exit status 2: something the user can mend."""
    never_fail_to_print()
    try:
        if sys.argv[1:2] == ["run"]:
            status = _guarded(_run, sys.argv[2:])
        elif sys.argv[1:2] == ["attack"]:
            status = _guarded(_run, ["experiment=attack", *sys.argv[2:]])
        elif sys.argv[1:2] == ["reproduce"]:
            status = _guarded(_reproduce, sys.argv[2:])
        else:
            status = _dispatch(_parser().parse_args())
        sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
        status = 0
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    """Of every verb; what follows `run` and `attack` is Hydra's, and `reproduce` has its own."""
    parser = argparse.ArgumentParser(
        prog="advx",
        description="Experiments on adversarial perturbations of deep networks.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"advx {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("run", help="run an experiment: experiment=NAME key=value ...", add_help=False)
    verbs.add_parser(
        "attack", help="run experiment=attack: your own model and images", add_help=False
    )
    verbs.add_parser(
        "reproduce", help="run all experiments, or continue: scale=SCALE --plan", add_help=False
    )
    listing = verbs.add_parser("list", help="experiments, and the choices of every group")
    listing.add_argument(
        "--config-dir", type=Path, metavar="FOLDER", help="your own as well, as for advx run"
    )
    verbs.add_parser("doctor", help="versions, device, data, and every experiment checked")
    report = verbs.add_parser("report", help="the latest runs as a table, a page, or files")
    report.add_argument(
        "folders",
        type=Path,
        nargs="*",
        metavar="FOLDER",
        help="runs, or folders that hold runs; otherwise those below --outputs",
    )
    report.add_argument("--outputs", type=Path, default=Path("outputs"), metavar="FOLDER")
    report.add_argument("--html", type=Path, metavar="FILE", help="write one page of all of them")
    report.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help="networks that the page computes with; otherwise reference/models below --outputs",
    )
    report.add_argument(
        "--tables", type=Path, metavar="FOLDER", help="write their tables: CSV, Markdown and LaTeX"
    )
    report.add_argument(
        "--redraw", type=Path, metavar="RUN", help="draw a run's figures again, from its arrays"
    )
    report.add_argument(
        "--judge",
        type=Path,
        metavar="RUN",
        help="judge a run's rows again, by the claims listed now",
    )
    report.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="join runs that differ in nothing but their seeds",
    )
    report.add_argument("--into", type=Path, metavar="FOLDER", help="where --merge writes")
    comparison = verbs.add_parser("compare", help="two runs side by side, differences first")
    comparison.add_argument("runs", type=Path, nargs=2, metavar="RUN")
    store = verbs.add_parser("store", help="trained models: ls, verify, prune, export")
    store.add_argument("action", choices=["ls", "verify", "prune", "export"])
    store.add_argument("names", nargs="*", metavar="NAME", help="export: KEY FILE.safetensors")
    store.add_argument("--store", type=Path, default=Path("outputs/store"))
    store.add_argument(
        "--unfinished",
        action="store_true",
        help="prune: also what a killed run would continue from",
    )
    store.add_argument("--half", action="store_true", help="export: in half precision")
    store.add_argument("--card", action="store_true", help="export: with a card beside the file")
    completion = verbs.add_parser("completion", help='eval "$(advx completion bash)", or zsh')
    completion.add_argument("shell", choices=["bash", "zsh"])
    return parser


def _dispatch(arguments: argparse.Namespace) -> int:
    """Carry out every verb but `run`; returns the exit status."""
    from advx.errors import AdvxError, reason

    try:
        return _carried_out(arguments)
    except KeyboardInterrupt:
        return 130
    except (AdvxError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise  # see `main`
        print(f"advx: {reason(error)}", file=sys.stderr)
        return 2


def _carried_out(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        from advx.cli.list import print_choices

        print_choices(arguments.config_dir)
    elif arguments.verb == "doctor":
        from advx.cli.doctor import diagnose

        return min(1, diagnose())
    elif arguments.verb == "report":
        from advx.cli.report import carry_out

        return carry_out(arguments)
    elif arguments.verb == "compare":
        from advx.report.compare import printed

        print(printed(*arguments.runs))
    elif arguments.verb == "store":
        from advx.cli.store import manage, write_weights
        from advx.errors import ConfigError

        if arguments.action == "export":
            return write_weights(
                arguments.store, arguments.names, half=arguments.half, card=arguments.card
            )
        if arguments.names:
            raise ConfigError(
                f"store {arguments.action}: {' '.join(arguments.names)} given; valid: nothing more"
            )
        return manage(arguments.action, arguments.store, unfinished=arguments.unfinished)
    else:
        from advx.cli.completion import COMPLETION

        print(COMPLETION)
    return 0


def _run(arguments: list[str]) -> int:
    from advx.cli.run import launch

    launch(arguments)
    return 0


def _reproduce(arguments: list[str]) -> int:
    from advx.cli.reproduce import run_reproduce

    return run_reproduce(arguments)


def _guarded(work: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Carry out what runs experiments, and turn every error a user can mend into one line."""
    try:
        with terminating():
            return work(arguments)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130
    except Terminated as error:
        print(f"{error}: run the same command again to continue", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        raise  # see `main`
    except Exception as error:
        from advx.cli.run import wants_traceback
        from advx.config.messages import one_line

        if wants_traceback(arguments):
            raise
        line = one_line(error, arguments)
        if line is None:
            raise
        print(f"advx: {line}", file=sys.stderr)
        return 2
