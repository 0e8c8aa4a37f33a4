"""A fitted model, and table files opened as it needs them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import torch

from alarmnet._frames import Kind, quoted
from alarmnet.batches import ColumnKind, TableFiles
from alarmnet.detectors import BaseDetector, load
from alarmnet.errors import InputError
from alarmnet.preprocessing import TableEncoder

FILE_KINDS: dict[Kind, ColumnKind] = {
    "number": "number",
    "duration": "number",
    "datetime": "datetime",
    "category": "text",
}


def check_device(device: str) -> None:
    """Refuse a GPU that is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this machine has no GPU that torch can use; take cpu or auto")


def load_model(path: Path, *, device: str) -> BaseDetector:
    """Load a detector of named columns, to run on `device` whatever it was trained on."""
    check_device(device)
    detector = load(path)
    if not hasattr(detector, "feature_names_in_"):
        raise InputError(
            f"{path} was trained on images or on a table without column names; use it from Python",
            code="no_column_names",
        )
    detector.device, detector.verbose = device, False
    return detector


def features_of(detector: BaseDetector) -> list[str]:
    """Give the columns a model was trained with, in order."""
    return [*detector.feature_names_in_]


def encoder_of(detector: BaseDetector) -> TableEncoder:
    """Give the encoder of a model of tables."""
    return cast(TableEncoder, detector.encoder_)


def open_tables(
    detector: BaseDetector,
    tables: Sequence[Path],
    *,
    beside: Iterable[str | None],
    ignored: Sequence[str],
) -> TableFiles:
    """Open files to run a model on, every column read as it was in training.

    Parameters
    ----------
    detector
        The model; columns that it was told to leave out may be in the files.
    tables
        The files.
    beside
        Further columns to read, as text: labels, ids.
    ignored
        Further columns to leave out.

    Raises
    ------
    InputError
        Columns of the model are missing, or there are columns that it does not know.
    """
    features, texts = features_of(detector), [name for name in beside if name]
    kinds: dict[str, ColumnKind] = dict.fromkeys([*texts, *features], "text")
    kinds |= {name: FILE_KINDS[kind] for name, kind in encoder_of(detector).kinds_.items()}
    files = TableFiles(tables, kinds=kinds)
    if missing := [name for name in features if name not in files.columns]:
        raise InputError(
            f"{tables[0]} lacks columns that the model was trained with: {quoted(missing)}; add them",
            code="missing_columns",
            column=missing[0],
        )
    notes = detector.notes_
    known = {*features, *texts, *ignored, *notes.get("ignored", ()), notes.get("label")}
    if extra := [name for name in files.columns if name not in known]:
        raise InputError(
            f"{tables[0]} has columns that the model was not trained with: {quoted(extra)}; leave each out "
            "with --ignore COLUMN",
            code="extra_columns",
            column=extra[0],
        )
    return files
