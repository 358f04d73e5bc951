"""`python -m zeroloop`, the command line."""

from zeroloop.cli import main

if __name__ == "__main__":
    main()
