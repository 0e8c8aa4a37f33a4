"""One CSV file means the same, bit for bit, whoever reads it: the command line, pandas, polars or pyarrow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from alarmnet import A3Detector, TableEncoder, load
from alarmnet.cli import main
from alarmnet.detectors import BaseDetector

pytestmark = pytest.mark.filterwarnings("ignore::alarmnet.AlarmnetWarning")

ROWS = 120
READERS: dict[str, Callable[[Path], Any]] = {
    "pandas": pd.read_csv,
    "pandas, all text": lambda path: pd.read_csv(path, dtype=str),
    "pandas, no words": lambda path: pd.read_csv(path, keep_default_na=False),
    "pandas, Arrow": lambda path: pd.read_csv(path, dtype_backend="pyarrow"),
    "polars": lambda path: pl.read_csv(path, infer_schema_length=None),
    "pyarrow": pyarrow.csv.read_csv,
    "rows": lambda path: pd.read_csv(path).to_numpy(dtype=object).tolist(),
}


def write(path: Path, seed: int) -> Path:
    """A table with what readers differ in, some of it in every row but the first ones."""
    draw = np.random.default_rng(seed)
    start = pd.Timestamp("2017-07-13 08:00") + pd.to_timedelta(
        np.sort(draw.integers(0, 10**6, ROWS)), unit="s"
    )
    columns = {
        "amount": draw.integers(0, 10**4, ROWS) / 4,
        "agent": draw.choice(["curl", "firefox", "None", "N/A", "", "n/a", "#N/A", "NULL"], ROWS),
        "country": draw.choice(["DE", "PL", "NA", " NA", "nan"], ROWS),
        "gaps": draw.choice(["1", "2.5", "NA", "", "null", "-nan"], ROWS),
        "marks": draw.choice(["1", "2.5", "-", "?", "Unknown", "None"], ROWS),
        "dressed": draw.choice(["$1,234.50", "$0.75", "-", "N/A", "($3)"], ROWS),
        "iso": [f"{time:%Y-%m-%d %H:%M:%S}" if row % 9 else "NA" for row, time in enumerate(start)],
        "logged": start.strftime("%d/%m/%Y %H:%M"),
        "epoch": (start - pd.Timestamp(0)) // pd.Timedelta("1s"),
        "nr": np.arange(ROWS),
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of training and of later, and models trained from the file and from each frame."""
    made = tmp_path_factory.mktemp("files")
    train = write(made / "train.csv", 0)
    write(made / "new.csv", 1)
    arguments = ["fit", str(train), "--alarm-rate", "0.2", "--out", str(made / "command line")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return made


def scores_of(model: Path, data: Path) -> np.ndarray:
    out = data.with_name("scores.parquet")
    result = CliRunner().invoke(main, ["score", str(model), str(data), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return np.asarray(pyarrow.parquet.read_table(out)["score"])


@pytest.mark.parametrize("reader", READERS)
def test_a_model_of_the_command_line_scores_frames_alike(folder: Path, reader: str) -> None:
    detector = load(folder / "command line")
    assert isinstance(detector, BaseDetector)
    expected = scores_of(folder / "command line", folder / "new.csv")
    found = detector.anomaly_score(READERS[reader](folder / "new.csv"))
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("reader", [name for name in READERS if name != "rows"])
def test_a_model_of_a_frame_scores_files_alike(
    folder: Path, reader: str, small: Callable[..., A3Detector]
) -> None:
    detector = small().fit(READERS[reader](folder / "train.csv"))
    detector.save(folder / "m")
    expected = detector.anomaly_score(READERS[reader](folder / "new.csv"))
    assert scores_of(folder / "m", folder / "new.csv").tobytes() == expected.tobytes()


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_teaches_the_same(folder: Path, reader: str) -> None:
    train = folder / "train.csv"
    encoders = [TableEncoder().fit(READERS[name](train)) for name in ("pandas, no words", reader)]
    states = [
        {**encoder.to_dict(), "names": None, "left_out": [*encoder.left_out_.values()]}
        for encoder in encoders
    ]
    assert json.dumps(states[0]) == json.dumps(states[1])
    assert [*encoders[1].kinds_.values()] == [
        *("number", "category", "category"),
        *("number", "number", "number", "datetime", "datetime", "datetime"),
    ]


def test_words_for_missing_are_no_categories_in_text(folder: Path) -> None:
    encoder = TableEncoder().fit(pl.read_csv(folder / "train.csv", infer_schema_length=None))
    names = {name for name in encoder.output_names_ if name.startswith(("agent", "country"))}
    assert names == {"agent=curl", "agent=firefox", "agent missing"} | {
        f"country{end}" for end in ("=DE", "=PL", "= NA", " missing")
    }


def test_a_model_that_knows_such_a_word_goes_on_reading_it_as_a_category() -> None:
    """As those of files from before do; and a column that is named in categories= or keep=."""
    frame = pd.DataFrame({"agent": ["None", "curl", "curl", "NA"]})
    plain = TableEncoder().fit(frame)
    assert plain.output_names_ == ("agent=curl", "agent missing")
    state = plain.to_dict()
    state["columns"][0] |= {"kept": ["curl", "None"], "rare": ["NULL"], "missing": False}
    older = TableEncoder.from_dict(state)
    assert older.transform(frame).tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    named = TableEncoder(categories={"agent": ["None", "curl"]}).fit(frame)
    assert named.transform(frame)[0].tolist()[:2] == [1, 0]
    kept = TableEncoder(keep=["agent"]).fit(frame)
    assert kept.output_names_ == ("agent=curl", "agent=NA", "agent=None")
    assert TableEncoder.from_dict(kept.to_dict()).transform(frame).sum() == 4


def test_text_without_such_words_is_encoded_as_ever() -> None:
    frame = pd.DataFrame({"agent": ["none", "curl", "curl", "Na", "unknown", "-"]})
    encoder = TableEncoder().fit(frame)
    assert encoder.output_names_ == ("agent=curl", "agent=-", "agent=Na", "agent=none", "agent=unknown")
