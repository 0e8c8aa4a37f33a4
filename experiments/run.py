"""Runs rows of the papers' tables and writes one JSON result for each row, method, known and seed.

    python -m experiments.run a3-table-3 --rows 1c 2c 1d 2d --seeds 0 1 2 3
    python -m experiments.run conv-a3-table-2 --rows thyroid --methods gamma_1 gamma_10 --seeds 0 1 2
    python -m experiments.run a3-table-3 --rows 1a --device cuda --minutes 9 --pack out.jsonl
    python -m experiments.run --unpack out.jsonl

Finished jobs are not repeated, so that the same command continues after a stop; half-trained detectors continue
from their checkpoints. Rows that share a training, such as 1c and 2c, are judged with the same training.
"""

import argparse
import json
import shutil
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from alarmnet import AlarmnetError, AlarmnetWarning, InputError, TableEncoder
from experiments import results
from experiments.clock import Clock, device_name
from experiments.data import Rows, as_they_stand, data_hashes, rows_of
from experiments.methods import METHODS, Training, settings_of
from experiments.provenance import provenance
from experiments.results import Job, Result
from experiments.tables import NAMES, PaperTable, load_table


def training_of(job: Job, table: PaperTable, rows: Rows, *, device: str, folder: Path) -> Training:
    """What a method may know of a row."""
    row = table.rows[job.row]
    return Training(
        rows=rows.train,
        encoder=TableEncoder(
            scaling=table.scaling, categories=rows.categories, keep=as_they_stand(rows.train.X)
        ),
        settings=row.settings,
        seed=job.seed,
        device=device,
        checkpoint=job.checkpoint(folder),
    )


def _fit(estimator: Any, training: Training) -> bool:
    """Fit, and say whether an interrupted training continued; one of changed code begins anew."""
    resumed = any(training.checkpoint.glob("*.checkpoint"))
    try:
        estimator.fit(training.rows.X, training.rows.y)
    except InputError as error:
        if error.code != "other_training":
            raise
        print(f"begins anew: {error}", flush=True)
        shutil.rmtree(training.checkpoint)
        estimator.fit(training.rows.X, training.rows.y)
        return False
    return resumed


def train_and_judge(job: Job, table: PaperTable, rows: Rows, *, device: str, folder: Path) -> Result:
    """Train once and judge each row that shares the training."""
    training = training_of(job, table, rows, device=device, folder=folder)
    start, cpu = time.perf_counter(), time.process_time()
    estimator = METHODS[table.detector][job.method](training)
    resumed = _fit(estimator, training)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    judged = {name: (part, estimator.decision_function(part.X)) for name, part in rows.test.items()}
    drawn = {name: (part, estimator.decision_function(part.X)) for name, part in rows.validation.items()}
    return {
        **vars(job),
        "metrics": {name: results.metrics(part.y, scores) for name, (part, scores) in judged.items()},
        "train_rows": len(rows.train.y),
        "train_anomalies": int(rows.train.y.sum()),
        "settings": settings_of(estimator),
        "fit_seconds": round(seconds, 1),
        "fit_cpu_seconds": round(cpu_seconds, 1),
        **({"resumed": True} if resumed else {}),
        "data": data_hashes(table.rows[job.row].data),
        "validation_curves": {name: results.curve(part.y, scores) for name, (part, scores) in drawn.items()},
        **provenance(),
        "device": device_name(device),
    }


def missing_jobs(
    table: PaperTable,
    *,
    rows: Iterable[str],
    methods: Iterable[str],
    known: Iterable[int | None],
    seeds: Iterable[int],
    folder: Path,
) -> list[Job]:
    """The jobs without a result, seed by seed, jobs on the same rows together."""
    trained = dict.fromkeys(table.rows[row].trained_as for row in rows)
    jobs = (
        Job(table=table.name, row=row, method=method, known=count, seed=seed)
        for seed in seeds
        for row in trained
        for count in known
        for method in methods
    )
    return [job for job in jobs if not job.done(folder)]


def run(table: PaperTable, jobs: list[Job], *, folder: Path, device: str, clock: Clock) -> Iterator[Result]:
    """Do the jobs, and report after each its result and the time that the others will take."""
    key: tuple[str, int | None, int] | None = None
    for place, job in enumerate(jobs):
        if job.done(folder) or not clock.allows(job):
            continue
        wanted = (job.row, job.known, job.seed)
        try:
            if wanted != key:
                rows = rows_of(table, table.rows[job.row], known=job.known, seed=job.seed)
                key = wanted
            result = train_and_judge(job, table, rows, device=device, folder=folder)
        except AlarmnetError as error:
            print(f"[{place + 1}/{len(jobs)}] {job.name} cannot run: {error}", flush=True)
            continue
        results.write(result, folder)
        shutil.rmtree(job.checkpoint(folder), ignore_errors=True)
        clock.add(result)
        left = sum(map(clock.expected, jobs[place + 1 :]))
        found = ", ".join(
            f"{row} AP {judged['average_precision']:.3f} AUC {judged['roc_auc']:.3f}"
            for row, judged in result["metrics"].items()
        )
        print(
            f"[{place + 1}/{len(jobs)}] {job.name}: {found}, "
            f"{result['fit_seconds']:.0f} s; about {left / 60:.0f} min left",
            flush=True,
        )
        yield result


def unpack(path: Path, folder: Path) -> None:
    """Put packed results into their places; a different result that is already there stays, and is reported."""
    taken = []
    for result in map(json.loads, path.read_text().splitlines()):
        place = results.place(result, folder)
        if not place.exists():
            results.write(result, folder)
        elif json.loads(place.read_text()) != result:
            taken.append(place)
    if taken:
        raise SystemExit(
            f"{path} has other results than {', '.join(map(str, taken))}, which stay as they were: move these "
            "away, or name another folder with --results"
        )


def _known(text: str) -> int | None:
    return None if text == "all" else int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", nargs="?", choices=NAMES)
    parser.add_argument("--rows", nargs="+", help="all by default")
    parser.add_argument("--methods", nargs="+", help="all by default")
    parser.add_argument(
        "--known", nargs="+", type=_known, help="known anomalies, or all; by default the number of the paper"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, help="begin nothing that would take longer")
    parser.add_argument("--pack", type=Path, help="append the results to this file too, a line each")
    parser.add_argument(
        "--unpack", type=Path, help="put the results of such a file into their places, and stop"
    )
    parser.add_argument("--results", type=Path, default=results.FOLDER, help="the folder of results")
    arguments = parser.parse_args()
    if not arguments.table and not arguments.unpack:
        parser.error("name a table, or a file to --unpack")
    if arguments.table:
        table = load_table(arguments.table)
        for given, known in ((arguments.rows, table.rows), (arguments.methods, METHODS[table.detector])):
            if unknown := [name for name in given or () if name not in known]:
                parser.error(f"{table.name} has no {', '.join(unknown)}; choose from {', '.join(known)}")
    return arguments


def main() -> None:
    """Run what the arguments name."""
    arguments = _arguments()
    if arguments.unpack:
        unpack(arguments.unpack, arguments.results)
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    table = load_table(arguments.table)
    jobs = missing_jobs(
        table,
        rows=arguments.rows or table.rows,
        methods=arguments.methods or METHODS[table.detector],
        known=arguments.known or table.known,
        seeds=arguments.seeds,
        folder=arguments.results,
    )
    clock = Clock(
        results.read(table.name, arguments.results), device=arguments.device, minutes=arguments.minutes
    )
    for result in run(table, jobs, folder=arguments.results, device=arguments.device, clock=clock):
        if arguments.pack:
            with arguments.pack.open("a") as packed:
                packed.write(json.dumps(result) + "\n")
    left = [job for job in jobs if not job.done(arguments.results)]
    if left and arguments.minutes is None:
        raise SystemExit(f"{len(left)} of {len(jobs)} have no result")


if __name__ == "__main__":
    main()
