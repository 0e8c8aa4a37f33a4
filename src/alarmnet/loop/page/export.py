"""What can be taken away: labels that `fit` and `refit` take, the model, the report, and every answer."""

import copy
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, Response

from alarmnet._shared.containers import decoded
from alarmnet._shared.labels import Labels
from alarmnet.data_files import Reading, TableFiles, write_table
from alarmnet.errors import InputError
from alarmnet.loop.keys import digest_of
from alarmnet.loop.page.desk import Desk
from alarmnet.loop.pool import keys_of
from alarmnet.loop.process import Trained
from alarmnet.loop.queue import Verdict
from alarmnet.preprocessing.rows import take
from alarmnet.report import make_report
from alarmnet.sources import open_to_run

LABEL = "verdict"
MODEL = "triage.alarmnet"
REPORT = "report.html"
LONGEST_WAIT = 120.0
"""Seconds that an export waits for the model to learn the answers, at most."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the rows come from: files, how they are read, columns that are no features, and the data's name."""

    paths: Sequence[Path]
    reading: Reading
    identifier: str | None
    ignored: Sequence[str]
    images: bool
    data_name: str


class Exports:
    """Makes files of what a desk knows; each is made for one request and removed after it.

    Parameters
    ----------
    desk
        Its answers and its detector.
    source
        Where the rows come from.
    """

    def __init__(self, desk: Desk, source: Source) -> None:
        self._desk, self._source = desk, source
        self._reading = replace(source.reading, missing=())  # cells are exported as they are
        columns = () if source.images else TableFiles(source.paths, reading=self._reading).columns
        self._label = LABEL
        while self._label in columns:
            self._label = f"{self._label}_"
        self._columns = columns
        labels = "labels" if source.images else "labelled"
        self._makers: dict[str, Callable[[Path], None]] = {
            f"{labels}.csv": self._labels,
            f"{labels}.parquet": self._labels,
            MODEL: self._model,
            REPORT: self._report,
            "answers.csv": self._answers,
        }

    def facts(self) -> dict[str, Any]:
        """What the page of exports says."""
        data = [str(path) for path in self._source.paths]
        labels = [name for name in self._makers if name.startswith("label")]
        words = [*data, "--labels", labels[0]] if self._source.images else [labels[0]]
        return {
            "labels": labels,
            "label": self._label,
            "images": self._source.images,
            "by": "file" if self._desk.pool.named else "row",
            "command": shlex.join(["alarmnet", "refit", MODEL, *words]),
        }

    def response(self, name: str) -> Response:
        """Make a file and send it; the name is looked up and never a path.

        Raises
        ------
        InputError
            The model has not learned all answers, and does not within `LONGEST_WAIT`.
        """
        make = self._makers.get(name)
        if make is None:
            return PlainTextResponse("There is no such export.\n", status_code=404)
        folder = Path(mkdtemp(prefix="alarmnet-"))
        path = folder / name

        def remove() -> None:
            path.unlink(missing_ok=True)
            folder.rmdir()

        try:
            make(path)
        except BaseException:
            remove()
            raise
        return FileResponse(path, filename=name, background=BackgroundTask(remove))

    def write(self, folder: Path) -> None:
        """Write all of them into a folder."""
        for name, make in self._makers.items():
            make(folder / name)

    def _ignored(self) -> list[str]:
        """Columns of the files that the model does not learn from."""
        known = set(self._desk.pool.X.column_names) if isinstance(self._desk.pool.X, pa.Table) else set()
        return [name for name in self._columns if name not in known]

    def _said(self) -> dict[int, str]:
        """What was said of rows, by their place in the pool, without those that are unsure."""
        return {place: said for place, said in self._desk.worker.verdicts().items() if said != "unsure"}

    def _marked(self) -> Iterator[list[str | None]]:
        """The labels of all rows of the files as they are now, part by part.

        Raises
        ------
        InputError
            A row that was answered is no longer where it was.
        """
        pool, source = self._desk.pool, self._source
        rows = open_to_run(
            self._desk.worker.trained.detector,
            source.paths,
            identifier=source.identifier,
            ignored=source.ignored,
            reading=source.reading,
        )
        left = {int(pool.numbers[place]): (place, said) for place, said in self._said().items()}
        for part in rows.parts(flag=True):
            labels: list[str | None] = [None] * len(part.usable)
            here = np.array([number for number in left if number - part.first_row < len(labels)], np.intp)
            X, ids = take(part.X, here - part.first_row), decoded(part.ids).take(here - part.first_row)
            for number, found in zip(here.tolist(), keys_of(X, ids, named=pool.named), strict=True):
                place, said = left.pop(number)
                if found != (pool.keys[place] if pool.named else digest_of(pool.keys[place])):
                    raise self._changed(place)
                labels[number - part.first_row] = said
            yield labels
        for place, _ in left.values():
            raise self._changed(place)

    def _changed(self, place: int) -> InputError:
        pool = self._desk.pool
        return InputError(
            f"{self._source.data_name} has changed since triage started: {pool.noun} {pool.numbers[place]}, "
            f"counted from 0, is not the {pool.noun} that you answered. Start triage again: the answers are in the "
            f"store, and triage finds their {pool.noun}s.",
            code="data_changed",
        )

    def _labels(self, path: Path) -> None:
        write_table(path, self._image_labels() if self._source.images else self._labelled())

    def _labelled(self) -> Iterator[pa.Table]:
        """The files as they are, with a column of labels."""
        files = TableFiles(
            self._source.paths, kinds=dict.fromkeys(self._columns, "text"), reading=self._reading
        )
        for batch, labels in zip(files.batches(), self._marked(), strict=True):
            yield batch.table.append_column(self._label, pa.array(labels, pa.string()))

    def _image_labels(self) -> Iterator[pa.Table]:
        pool, said = self._desk.pool, self._said()
        places = sorted(said)
        by = "file" if pool.named else "row"
        if not pool.named:
            for _ in self._marked():  # a number names an image only while the files stay as they are
                pass
        names = [pool.keys[place] for place in places] if pool.named else pool.numbers[places]
        yield pa.table({by: names, self._label: pa.array([said[place] for place in places], pa.string())})

    def _taught(self) -> Trained:
        """The detector once it has learned every answer."""
        worker = self._desk.worker
        if not worker.learn_all(LONGEST_WAIT):
            answers = len(worker.clear())
            why = (
                f" Learning failed: {worker.trouble.rstrip('.')}."
                if worker.trouble
                else " Try again in a minute."
            )
            raise InputError(
                f"the model has not yet learned {worker.unlearned:,} of {answers:,} answers, so it is not "
                f"exported.{why} The exported labels have every answer; alarmnet refit learns them.",
                code="unlearned",
            )
        return worker.trained

    def _model(self, path: Path) -> None:
        detector = copy.copy(self._taught().detector)
        notes = {"label": self._label, "anomaly": ["anomaly"], "normal": ["normal"]}
        detector.notes_ = {**detector.notes_, "ignored": self._ignored(), **notes}
        detector.save(path)

    def _report(self, path: Path) -> None:
        pool, trained = self._desk.pool, self._taught()
        make_report(
            trained.detector,
            pool.X,
            Labels(self._verdicts(), trained.detector.classes_),
            ids=np.array([pool.name(place) for place in range(len(pool))], dtype=object),
            title="Triage report",
            data_name=self._source.data_name,
            looked=self._looked(trained),
        ).save(path)

    def _verdicts(self) -> NDArray[np.float64]:
        labels = np.full(len(self._desk.pool), np.nan)
        for place, said in self._desk.worker.verdicts().items():
            labels[place] = np.nan if said == "unsure" else said == "anomaly"
        return labels

    def _looked(self, trained: Trained) -> dict[str, Any]:
        """What the report says of the answers."""
        worker = self._desk.worker
        said = [*worker.verdicts().values()]
        remaining = worker.remaining
        return {
            "stands_for": self._desk.pool.described(),
            "looks": len(said),
            "learned": len(trained.answers),
            "found": [int(count) for count in np.cumsum([one == "anomaly" for one in said], dtype=int)],
            "verdicts": {name: said.count(name) for name in get_args(Verdict)},
            "reviewers": sorted({event.reviewer for event in worker.answers.values()}),
            "disagreements": len(self._desk.store.disagreements()),
            "remaining": None
            if remaining is None or remaining.lacks
            else {"estimate": remaining.estimate, "low": remaining.low, "high": remaining.high},
        }

    def _answers(self, path: Path) -> None:
        events, pool = self._desk.store.since(0), self._desk.pool
        numbers = dict(zip(pool.keys, pool.numbers.tolist(), strict=True))
        names = ("row", "verdict", "reason", "note", "reviewer", "model")
        columns: dict[str, Any] = {
            name: pa.array([getattr(event, name) for event in events], pa.string()) for name in names
        }
        columns["row_number"] = pa.array([numbers.get(event.row) for event in events], pa.int64())
        columns["time"] = pa.array([event.time.isoformat() for event in events], pa.string())
        columns["at_random"] = pa.array([event.at_random for event in events], pa.bool_())
        columns["score"] = pa.array([event.score for event in events], pa.float64())
        write_table(path, [pa.table(columns)])
