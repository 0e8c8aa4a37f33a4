"""The command-line options that benchmarks on draws of tables and images share."""

import argparse
from pathlib import Path


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--out`, where results are, and `--table`, which prints them."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    return parser
