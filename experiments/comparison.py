"""Our results compared with a paper's numbers: the difference, and how each number departs from the paper."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import mean, median, stdev

from experiments.results import Result, gpu_of
from experiments.tables import PaperTable, Row

METRICS = {"average_precision": "AP", "roc_auc": "ROC AUC"}


@dataclass(frozen=True)
class Comparison:
    """A table as text: headings, lines of cells, and the notes below the table."""

    table: PaperTable
    headings: list[str]
    lines: list[list[str]]
    notes: list[str]


@dataclass
class Letters:
    """One letter for each departure, in the order in which they turn up."""

    texts: dict[str, str] = field(default_factory=dict)

    def of(self, departures: tuple[str, ...] | list[str]) -> str:
        """The departures' letters."""
        for text in departures:
            self.texts.setdefault(text, chr(ord("a") + len(self.texts)))
        return ", ".join(self.texts[text] for text in departures)


def with_deviation(value: float, deviation: float | None, digits: int) -> str:
    """A mean and its standard deviation, if there is one, with more digits if rounding would hide something.

    >>> with_deviation(0.999, 9e-5, 3), with_deviation(0.98, 0.0, 2), with_deviation(0.5, None, 3)
    ('0.999±9e-05', '0.98±0.00', '0.500')
    """
    if deviation is None:
        return f"{value:.{digits}f}"
    rounded = f"{deviation:.{digits}f}"
    return f"{value:.{digits}f}±{rounded if float(rounded) == deviation else f'{deviation:g}'}"


def published(table: PaperTable, row: Row, column: str) -> list[str]:
    """A column's numbers as the paper prints them, one for each metric."""
    return [
        with_deviation(value, deviation[0] if deviation else None, table.digits)
        for value, *deviation in row.published[column]
    ]


def mean_with_deviation(values: list[float], digits: int) -> str:
    """The mean of our runs, and the sample standard deviation if there are several runs.

    >>> mean_with_deviation([0.5, 0.7], 3), mean_with_deviation([0.5], 3)
    ('0.600±0.141', '0.500')
    """
    spread = round(stdev(values), digits) if len(values) > 1 else None
    return with_deviation(mean(values), spread, digits)


def our_digits(table: PaperTable) -> int:
    """One digit more than the paper's, up to the four that results have."""
    return min(table.digits + 1, 4)


def difference(values: list[float], numbers: list[float], table: PaperTable) -> str:
    """Our result minus the paper's; bold if lower by more than two of its standard deviations, beyond rounding.

    >>> from experiments.tables import load_table
    >>> table = load_table("a3-table-3")
    >>> difference([0.66, 0.68], [0.76, 0.04], table), difference([0.975], [0.96, 0.01], table)
    ('**-0.090**', '+0.015')
    """
    apart = mean(values) - numbers[0]
    text = f"{apart:+.{our_digits(table)}f}"
    allowed = 2 * max(*numbers[1:], 0.5 * 10**-table.digits, 0)
    return f"**{text}**" if len(numbers) > 1 and apart < -allowed else text


def _values(table: PaperTable, method: str, metric: str, runs: list[dict[str, float]]) -> list[float]:
    values = [run[metric] for run in runs]
    folded = metric == "roc_auc" and method in table.folded
    return [max(value, 1 - value) for value in values] if folded else values


def _count(known: int | None) -> str:
    return "all" if known is None else str(known)


def _most(known: int | None) -> float:
    return math.inf if known is None else known


def _column(table: PaperTable, row: Row, method: str, known: int | None) -> str:
    """The paper's column that a method is compared with; empty if there is none."""
    if known not in table.known:
        return ""
    column = table.columns.get(method, "")
    return column if column in row.published else ""


def _label(column: str, method: str) -> str:
    """The name of a line: the paper's name, and ours if it differs."""
    same = not column or column.lower().replace(" ", "_") == method
    return method if same else f"{column}: {method}"


def _fitting_time(runs: list[Result]) -> str:
    """The median time of uninterrupted runs, since only the last leg of the other runs is known."""
    whole = [run["fit_seconds"] for run in runs if not run.get("resumed")]
    where = " on a GPU" if gpu_of(runs[0]) else ""
    return f"{median(whole):.0f}{where}" if whole else ""


def _line_of_runs(
    table: PaperTable, row: Row, method: str, known: int | None, runs: list[Result], letters: Letters
) -> list[str]:
    column = _column(table, row, method, known)
    cells = []
    for metric in METRICS:
        values = _values(table, method, metric, [run["metrics"][row.name] for run in runs])
        cells.append(mean_with_deviation(values, our_digits(table)))
        if metric in table.metrics and column:
            place = table.metrics.index(metric)
            numbers = row.published[column][place]
            cells += [published(table, row, column)[place], difference(values, numbers, table)]
        elif metric in table.metrics:
            cells += ["", ""]
    seeds = ", ".join(str(run["seed"]) for run in runs)
    return [
        row.name,
        _label(column, method),
        _count(known),
        f"{seeds} (of {table.runs})" if column and len(runs) < table.runs else seeds,
        *cells,
        _fitting_time(runs),
        letters.of([*table.departures.get(method, []), *row.departures]),
    ]


def _line_of_others(table: PaperTable, row: Row, done: set[str], letters: Letters) -> Iterator[list[str]]:
    """The paper's columns that have no result of ours, in one line."""
    ours = {table.columns.get(method) for method in done}
    columns = [column for column in row.published if column not in ours]
    if not columns:
        return
    numbers = [published(table, row, column) for column in columns]
    cells = []
    for metric in METRICS:
        if metric in table.metrics:
            place = table.metrics.index(metric)
            cells += [row.not_run, "; ".join(texts[place] for texts in numbers), ""]
        else:
            cells.append("")
    names = [f"{column} (quoted)" if column in table.quoted else column for column in columns]
    known = ", ".join(map(_count, table.known))
    yield [row.name, "; ".join(names), known, "", *cells, "", letters.of(row.departures)]


def compare(table: PaperTable, found: list[Result], methods: list[str]) -> Comparison:
    """Every row of a table, with a line for each method and device with results, `methods` giving the order."""
    runs: dict[tuple[str, str, int | None, str], list[Result]] = defaultdict(list)
    for result in found:
        for name in result["metrics"]:
            runs[name, result["method"], result["known"], gpu_of(result)].append(result)
    letters = Letters()
    lines = []
    for row in table.rows.values():
        keys = [key for key in runs if key[0] == row.name]
        keys.sort(key=lambda key: (-_most(key[2]), methods.index(key[1]), key[3]))
        lines += [_line_of_runs(table, row, *key[1:3], runs[key], letters) for key in keys]
        done = {method for _, method, known, _ in keys if known in table.known}
        lines += _line_of_others(table, row, done, letters)
    return Comparison(table, _headings(table), lines, [*_notes(table, found, letters)])


def _headings(table: PaperTable) -> list[str]:
    measured = itertools.chain.from_iterable(
        [name, "paper", "difference"] if metric in table.metrics else [name]
        for metric, name in METRICS.items()
    )
    return ["row", "method", "known", "seeds", *measured, "fit, s, at most", "departs"]


def _notes(table: PaperTable, found: list[Result], letters: Letters) -> Iterator[str]:
    yield (
        f"Means and sample standard deviations over our seeds; the paper's are of {table.runs} runs. Bold: short "
        "by more than two of the paper's standard deviations, and by more than rounding; numbers without a "
        "deviation never are."
    )
    if table.quoted:
        yield f"Quoted by the paper, not run by its authors: {', '.join(table.quoted)}."
    if table.folded:
        yield f"As in the paper, the ROC AUC of {', '.join(table.folded)} is max(x, 1 - x)."
    if old := sum("data" not in result for result in found):
        yield f"{old} of {len(found)} results are from before settings and hashes of data were recorded."
    yield (
        "Fitting times are medians of wall times. Other work shared the machine, so they are upper bounds, not "
        "speeds."
    )
    if gpus := sorted({gpu for run in found if (gpu := gpu_of(run))}):
        yield f"On a GPU: {', '.join(gpus)}, which several trainings shared at a time."
    yield from (f"{letter}: {text}." for text, letter in letters.texts.items())
