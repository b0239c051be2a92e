"""``python3 -m tenure``: see tenure._cli. Running a program takes a short way, without argparse."""

import sys

if sys.argv[1:2] == ["run"]:
    from tenure._run import main
else:
    from tenure._cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
