"""Runs the command line: ``python -m pictograph``."""

from pictograph.cli.main import main

if __name__ == "__main__":
    main()
