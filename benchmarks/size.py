"""Scores and fits generated tables of 80 mixed columns through the command line; time and peak memory of each run.

    python -m benchmarks.size --folder SCRATCH --out benchmarks/results/size.json --picture docs/pictures/size.png

60 columns of numbers, 15 of text and 5 of booleans become 158 encoded columns; ten of the numbers and three of
the texts have missing cells, and one row in a thousand is labelled anomalous. Each run is a separate process, and
its memory is the peak resident memory (VmHWM), everything included. "Times the data" is the peak of a fit minus the
peak of fitting 1,000 rows (interpreter, libraries, model), divided by four bytes for each cell of the table's 80
columns. The bare matrix products of scoring are timed in the same process, before and after. Finished runs are not
repeated.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

NUMBERS, TEXTS, BOOLEANS = 60, 15, 5
COLUMNS = NUMBERS + TEXTS + BOOLEANS
MISSING_NUMBERS, MISSING_TEXTS = 10, 3
CATEGORIES = (3, 5, 8)
ROW_GROUP = 100_000
FITTED = (1_000, 10_000, 100_000, 1_000_000)
SCORED = (1_000, 10_000, 100_000, 1_000_000, 5_000_000)


def columns(rows: int, generator: np.random.Generator) -> Iterator[tuple[str, pa.Array]]:
    """Columns of some rows, the label last; anomalies differ in every number."""
    anomalous = generator.random(rows) < 0.001

    def gaps(wanted: bool) -> np.ndarray | None:
        return generator.random(rows) < 0.02 if wanted else None

    hidden = generator.normal(size=(rows, 5))
    for number in range(NUMBERS):
        values = hidden[:, number % 5] + generator.normal(size=rows) + 2 * anomalous
        shaped = (values, np.exp(values), np.round(10 * values))[number % 3]
        yield f"number{number}", pa.array(shaped, mask=gaps(number < MISSING_NUMBERS))
    for number in range(TEXTS):
        texts = np.array([f"kind {place}" for place in range(CATEGORIES[number % len(CATEGORIES)])])
        codes = (np.abs(hidden[:, number % 5]) * 2 + generator.integers(0, 2, rows)).astype(int) % len(texts)
        yield f"text{number}", pa.array(texts[codes], mask=gaps(number < MISSING_TEXTS))
    for number in range(BOOLEANS):
        yield f"boolean{number}", pa.array(hidden[:, number] > 1)
    yield "anomaly", pa.array(np.ones(rows, dtype=np.int8), mask=~anomalous)


def generate(path: Path, rows: int) -> None:
    """Write a Parquet file, a row group at a time."""
    from alarmnet.data_files import write_table

    generator = np.random.default_rng(rows)
    parts = (min(ROW_GROUP, rows - start) for start in range(0, rows, ROW_GROUP))
    write_table(path, (pa.table(dict(columns(part, generator))) for part in parts))


def peak_bytes() -> int:
    """The most memory of this process that was resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def command(*arguments: object) -> float:
    """Seconds of an `alarmnet` command."""
    from alarmnet.cli import main

    began = time.perf_counter()
    main([str(argument) for argument in arguments], standalone_mode=False)
    return time.perf_counter() - began


def fit(folder: Path, rows: int, _model_rows: int) -> dict[str, Any]:
    """Time and memory of fitting."""
    options = ("--label", "anomaly", "--anomaly", "1", "--quiet")
    seconds = command("fit", folder / f"{rows}.parquet", *options, "--out", folder / f"{rows}.model")
    return {"rows": rows, "seconds": seconds, "peak_bytes": peak_bytes()}


def score(folder: Path, rows: int, model_rows: int) -> dict[str, Any]:
    """Time and memory of scoring, and the time of the bare matrix products."""
    import torch

    from alarmnet import load
    from alarmnet._shared.blocks import block_size
    from benchmarks.products import Products, seconds_of

    model, data = folder / f"{model_rows}.model", folder / f"{rows}.parquet"
    detector = load(model)
    with Products() as products:
        some = detector._calibration_rows()
        detector._stored_logits(some.only(torch.arange(block_size(some.shape)) % len(some)))  # a full block
    products()
    floors = [seconds_of(products) for _ in range(20)]
    seconds = command("score", model, data, "--quiet", "--out", folder / "scores.parquet")
    floors += [seconds_of(products) for _ in range(20)]
    floor = rows / block_size(detector._calibration_matrix.shape[1:]) * float(np.median(floors))
    return {
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "bare_products_seconds": floor,
        "ratio": seconds / floor,
        "encoded_columns": detector._calibration_matrix.shape[1],
        "peak_bytes": peak_bytes(),
    }


def measured(task: str, folder: Path, rows: int, model_rows: int) -> dict[str, Any]:
    """The results of a separate process; another process generates the data first, if it is missing."""
    data = folder / f"{rows}.parquet"
    if not data.exists():
        generating = f"from benchmarks.size import *; generate(Path({str(data)!r}), {rows})"
        subprocess.run([sys.executable, "-c", generating], check=True)
    child = [sys.executable, "-m", "benchmarks.size", "--folder", str(folder), "--child", task]
    done = subprocess.run([*child, str(rows), str(model_rows)], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def share_of_data(result: dict[str, Any], rows: int) -> float:
    """The memory that a fit adds to that of the smallest fit, divided by the size of the table as float32."""
    fits = {run["rows"]: run["peak_bytes"] for run in result["fit"]}
    return float((fits[rows] - fits[min(fits)]) / (4 * COLUMNS * rows))


def table(path: Path) -> Iterator[str]:
    """The results, with a line for each run."""
    result = json.loads(path.read_text())
    yield "| run | rows | seconds | rows a second | bare products, s | ratio | peak memory, MB | times the data |"
    yield "|---|---|---|---|---|---|---|---|"
    for run in result["fit"]:
        more = share_of_data(result, run["rows"])
        cells = f"{run['seconds']:.0f} | {run['rows'] / run['seconds']:,.0f} | | "
        yield f"| fit | {run['rows']:,} | {cells}| {run['peak_bytes'] / 1e6:,.0f} | {more:.1f} |"
    for run in result["score"]:
        cells = f"{run['seconds']:.0f} | {run['rows_per_second']:,.0f} | {run['bare_products_seconds']:.0f}"
        yield f"| score | {run['rows']:,} | {cells} | {run['ratio']:.2f} | {run['peak_bytes'] / 1e6:,.0f} | |"


def draw(result: dict[str, Any], picture: Path) -> None:
    """Draw time and memory over the number of rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, name, scale, unit in zip(
        panels, ("seconds", "peak_bytes"), (1, 1e-6), ("Time, s", "Peak memory, MB"), strict=True
    ):
        for task, marker in (("fit", "o"), ("score", "s")):
            runs = result[task]
            values = [run[name] * scale for run in runs]
            panel.plot([run["rows"] for run in runs], values, marker=marker, label=f"alarmnet {task}")
        panel.set(xscale="log", xlabel="Rows of 80 columns", ylabel=unit)
        panel.grid(visible=True, alpha=0.3)
    panels[0].set_yscale("log")
    panels[1].set_ylim(bottom=0)
    panels[0].legend()
    figure.savefig(picture, dpi=120)


def run_missing(folder: Path, out: Path, *, fitted: Sequence[int], scored: Sequence[int]) -> dict[str, Any]:
    """Do the runs that the file lacks, and write each result when its run ends."""
    from experiments.provenance import provenance

    result: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"fit": [], "score": []}
    for task, sizes in (("fit", fitted), ("score", scored)):
        for rows in sizes:
            if any(run["rows"] == rows for run in result[task]):
                continue
            result[task].append(measured(task, folder, rows, max(fitted)) | {"load": os.getloadavg()[0]})
            result |= provenance()
            out.write_text(json.dumps(result, indent=1) + "\n")
            print(task, result[task][-1], flush=True)
    return result


def main() -> None:
    """Run what is missing, draw, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="holds data and models; 3 GB at full size")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--fitted", type=int, nargs="+", default=FITTED)
    parser.add_argument("--scored", type=int, nargs="+", default=SCORED)
    parser.add_argument("--child", nargs=3, metavar=("TASK", "ROWS", "MODEL_ROWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        task, rows, model_rows = arguments.child
        run = fit if task == "fit" else score
        print(json.dumps(run(arguments.folder, int(rows), int(model_rows))))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    result = run_missing(arguments.folder, arguments.out, fitted=arguments.fitted, scored=arguments.scored)
    draw(result, arguments.picture)
    print("\n".join(table(arguments.out)))


if __name__ == "__main__":
    main()
