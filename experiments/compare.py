"""Compares our results with a paper's table, and names every departure from the paper.

python -m experiments.compare a3-table-3
python -m experiments.compare a3-table-3 --html table.html --figure curves.png
"""

import argparse
from collections.abc import Iterator
from html import escape
from pathlib import Path

from experiments import results
from experiments.comparison import Comparison, compare
from experiments.figure import draw
from experiments.methods import METHODS
from experiments.tables import NAMES, load_table

STYLE = "body{font:14px sans-serif;margin:2em}td,th{padding:.2em .6em;border-bottom:1px solid #ccc;text-align:left}"


def comparison_of(name: str, folder: Path = results.FOLDER) -> Comparison:
    """The comparison of one table with its results."""
    table = load_table(name)
    return compare(table, results.read(name, folder), methods=[*METHODS[table.detector]])


def markdown(comparison: Comparison) -> Iterator[str]:
    """Lines of Markdown: the table, and the meaning of its cells."""
    yield f"| {' | '.join(comparison.headings)} |"
    yield "|---" * len(comparison.headings) + "|"
    yield from (f"| {' | '.join(cells)} |" for cells in comparison.lines)
    yield ""
    yield from (f"- {note}" for note in comparison.notes)


def _html_row(cells: list[str], tag: str = "td") -> str:
    def shown(cell: str) -> str:
        text = escape(cell)
        return f"<b>{text.strip('*')}</b>" if text.startswith("**") else text

    return "<tr>" + "".join(f"<{tag}>{shown(cell)}</{tag}>" for cell in cells) + "</tr>"


def html(comparison: Comparison) -> str:
    """The same content as an HTML page."""
    table = comparison.table
    lines = [
        f'<!doctype html><meta charset="utf-8"><title>{escape(table.title)}</title><style>{STYLE}</style>',
        f"<h1>{escape(table.title)}</h1><p>{escape(table.paper)}</p><table>",
        _html_row(comparison.headings, "th"),
        *map(_html_row, comparison.lines),
        "</table><ul>",
        *(f"<li>{escape(note)}</li>" for note in comparison.notes),
        "</ul>",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print one table, and write what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=NAMES)
    parser.add_argument("--html", type=Path, help="write the table as a page")
    parser.add_argument("--figure", type=Path, help="draw ROC curves on the validation part")
    parser.add_argument("--results", type=Path, default=results.FOLDER, help="the folder of results")
    arguments = parser.parse_args()
    comparison = comparison_of(arguments.table, arguments.results)
    print(f"# {comparison.table.title}\n\n{comparison.table.paper}\n")
    print("\n".join(markdown(comparison)))
    if arguments.html:
        arguments.html.write_text(html(comparison))
    if arguments.figure:
        draw(comparison.table, arguments.results, arguments.figure)


if __name__ == "__main__":
    main()
