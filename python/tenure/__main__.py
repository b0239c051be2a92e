"""``python3 -m tenure``: see tenure._cli. Running a program takes a short way, without argparse."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

if sys.argv[1:2] == ["run"]:
    from tenure._run import main
else:
    from tenure._cli import main


def _start(arguments: list[str], exit: "Callable[[int], NoReturn]" = sys.exit) -> None:
    # The program that is run takes over the globals of this module. A status of 0 raises no SystemExit:
    # that would flush C's output earlier than the end of a program does.
    if status := main(arguments):
        exit(status)


if __name__ == "__main__":
    _start(sys.argv[1:])
