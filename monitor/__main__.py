"""Entry point: runs the CLI and turns errors into one line and an exit code."""

from __future__ import annotations

import sys

import click

from monitor.cli import tailgate
from monitor.errors import TailgateError
from monitor.inert import one_line


def main() -> None:
    """Console script `tailgate`."""
    try:
        code = tailgate.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except TailgateError as error:
        for line in str(error).splitlines():
            click.echo(f"tailgate: {one_line(line, 4000)}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
