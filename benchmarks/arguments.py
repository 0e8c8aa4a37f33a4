"""What benchmarks on draws of tables and images share: command-line options, and the words of headings."""

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


def seed_count(seeds: int) -> str:
    """The number of seeds in words.

    >>> seed_count(1), seed_count(3)
    ('1 seed', '3 seeds')
    """
    return f"{seeds} seed{'s' * (seeds != 1)}"
