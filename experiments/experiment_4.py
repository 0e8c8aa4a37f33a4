"""A3's experiment 4 in short, with the VAE of a row's own digits and with that of the other row's.

    python -m experiments.experiment_4 --rows 4a --seeds 0 1 2 3 --out experiments/results/experiment_4.jsonl

Each training uses 8,000 rows, and trains its alarm network for 5 epochs instead of 60. Finished runs are not
repeated.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from alarmnet import AlarmnetWarning
from experiments import shortened
from experiments.comparison import mean_with_deviation, published
from experiments.data import Rows
from experiments.methods import METHODS
from experiments.results import Job
from experiments.run import training_of
from experiments.tables import PaperTable, Row, load_table

TABLE = "a3-table-4"
OTHER = {"4a": "4c", "4c": "4a"}
"""For each row, the row whose digits are its anomalies."""


def detector(job: Job, table: PaperTable, rows: Rows) -> Any:
    """The job's detector with a short training of its alarm, and few rows for a VAE of others."""
    training = training_of(job, table, rows, device="cpu", folder=Path())
    training = replace(training, settings=training.settings | {"last_row": OTHER[job.row]})
    made = shortened.with_short_alarm(METHODS["A3"][job.method](training))
    if job.method == "vae_of_last_row":
        kept = made.generator.images[: shortened.LEARNED_ROWS]
        made.set_params(generator=replace(made.generator, images=kept))
    return made


def run(rows: list[str], seeds: list[int], path: Path) -> None:
    """Append a line for each training that the file lacks."""
    jobs = [
        Job(table=TABLE, row=row, method=method, known=0, seed=seed)
        for seed in seeds
        for row in rows
        for method in ("vae", "vae_of_last_row")
    ]
    shortened.run(jobs, detector, path)


def _digits(row: Row) -> str:
    return f"{min(row.normal)} to {max(row.normal)}"


def summary(path: Path) -> Iterator[str]:
    """A line for each row of the table, and for each VAE."""
    table = load_table(TABLE)
    found = defaultdict(list)
    for line in shortened.lines(path):
        for name, measured in line["metrics"].items():
            vae_of = line["row"] if line["method"] == "vae" else OTHER[line["row"]]
            found[name, vae_of].append((line["seed"], measured))
    yield "| row | normal digits | the VAE learned | seeds | AP | paper | ROC AUC | paper |"
    yield "|---" * 8 + "|"
    for (name, vae_of), runs in sorted(found.items()):
        seeds = ", ".join(str(seed) for seed, _ in runs)
        precision, area = (
            mean_with_deviation([measured[metric] for _, measured in runs], 3) for metric in table.metrics
        )
        papers = published(table, table.rows[name], "A3")
        normal, learned = (_digits(table.rows[row]) for row in (name, vae_of))
        if learned != normal:
            learned += ", the test's anomalies among them"
        yield f"| {name} | {normal} | {learned} | {seeds} | {precision} | {papers[0]} | {area} | {papers[1]} |"


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", choices=OTHER, default=[*OTHER])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", AlarmnetWarning)
    run(arguments.rows, arguments.seeds, arguments.out)


if __name__ == "__main__":
    main()
