"""The command `zeroloop`, and `python -m zeroloop`: ready for Ctrl-C before anything that takes time is imported."""

from __future__ import annotations

import sys

from zeroloop.commands import signals


def main() -> None:
    """Run the command line and exit."""
    signals.handle()
    try:
        from zeroloop import cli
    except KeyboardInterrupt:
        sys.exit(signals.exit_code())
    cli.main()


if __name__ == "__main__":
    main()
