"""The command line with a clock that is wrong by some seconds: `at_time SECONDS COMMAND ...`."""

import sys
from datetime import datetime, timedelta

from crust_pipeline.buying import account


def main() -> None:
    """Shift the clock before any module takes it, and run the command."""
    wrong_by = timedelta(seconds=float(sys.argv.pop(1)))
    right = account.utc_now

    def utc_now() -> datetime:
        return right() + wrong_by

    account.utc_now = utc_now
    from crust_pipeline.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
