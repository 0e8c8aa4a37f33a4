"""E2E-ConvA3's Table 1 in short: the mean over the ten classes of each image set."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import mean

from experiments import results
from experiments.results import gpu_of
from experiments.tables import load_table

TABLE, METHODS = "conv-a3-table-1", ("gamma_1", "gamma_10")


def summary() -> Iterator[str]:
    """A line for each image set and method for which one device ran every class with the same seed."""
    table = load_table(TABLE)
    areas: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for result in results.read(TABLE):
        if result["method"] in METHODS and result["known"] is None:
            row = table.rows[result["row"]]
            run = row.data, result["method"], str(result["seed"]), gpu_of(result)
            areas[run][row.name] = result["metrics"][row.name]["roc_auc"]
    yield "| image set | method | seed | mean ROC AUC | mean of the paper's | classes below the paper's |"
    yield "|---" * 6 + "|"
    for (data, method, seed, _), ours in areas.items():
        rows = [row for row in table.rows.values() if row.data == data]
        if len(ours) < len(rows):
            continue
        papers = {row.name: row.published[table.columns[method]][0][0] for row in rows}
        below = [
            f"{name} ({area:.4f}, {papers[name]:.4f})" for name, area in ours.items() if area < papers[name]
        ]
        means = f"{mean(ours.values()):.4f} | {mean(papers.values()):.4f}"
        yield f"| {data} | {method} | {seed} | {means} | {', '.join(below) or 'none'} |"
