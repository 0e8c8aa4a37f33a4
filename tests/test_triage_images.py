"""The triage page on images: arrays and folders of pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.triage_kills import QueueHere
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from tests.triage import Client

from alarmnet import ConvAutoencoder
from alarmnet.cli import main
from alarmnet.data_files import Reading, TableFiles
from alarmnet.loop.page.starting import Wanted, made_ready

COUNT, ANOMALIES = 120, 6


def pictures() -> NDArray[np.uint8]:
    """Dark noise; the first images have a bright corner, and the first two are all but equal."""
    images = np.random.default_rng(0).integers(0, 60, (COUNT, 12, 12), dtype=np.uint8)
    images[:ANOMALIES, :5, :5] = 250
    images[1] = images[0]
    images[1, 11, 11] += 3
    return images


def write_folder(folder: Path) -> Path:
    for number, image in enumerate(pictures()):
        path = folder / "shots" / ("late" if number % 2 else "early") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder / "shots"


def write_array(folder: Path) -> Path:
    np.save(folder / "shots.npy", pictures())
    return folder / "shots.npy"


@pytest.mark.parametrize("write", [write_folder, write_array])
def test_images_are_answered_and_exported(
    write: Callable[[Path], Path], small: Callable[..., Any], tmp_path: Path
) -> None:
    data = write(tmp_path)
    small(target=ConvAutoencoder()).fit(pictures()).save(tmp_path / "shots.model")
    wanted = Wanted(
        data=[data],
        model=tmp_path / "shots.model",
        labels=str(tmp_path / "answers.sqlite"),
        reading=Reading(),
        categories=(),
        identifier=None,
        ignored=(),
        kept=(),
        reviewer="ann",
        reasons=(),
        seed=0,
        device="cpu",
    )
    with made_ready(wanted, start=QueueHere) as app:
        client, pool = Client(app), app._desk.pool
        assert client.page.count('<img src="data:image/png;base64,') == 2
        assert "All 120 images are in the queue." in client.http.get("/state").json()["side"]
        by_key = {key: int(number) for key, number in zip(pool.keys, pool.numbers, strict=True)}
        truth = {key: _number(key, place) < ANOMALIES for key, place in by_key.items()}
        first = next(key for key, place in by_key.items() if _number(key, place) == 0)
        client.http.get("/", params={"row": first})
        alike = client.post("/alike", {"key": first}).json()["html"]
        assert "1 similar image," in alike
        assert alike.count("<img") == 1
        reply = client.post("/answer", {"key": first, "verdict": "anomaly", "group": True}).json()
        assert reply["said"] == "2 images: anomaly"
        assert "Nearest found anomaly" in reply["row"]
        for _ in range(6):
            client.answer("anomaly" if truth[client.shown()] else "normal")
        out = tmp_path / "out"
        out.mkdir()
        app._exports.write(out)
        said = app._desk.worker.verdicts()
        if not data.is_dir():
            np.save(data, pictures()[::-1])
            assert "has changed since triage started" in client.http.get("/export/labels.csv").text
            np.save(data, pictures())
    assert "Answers of reviewers" in (out / "report.html").read_text()
    named = "file" if data.is_dir() else "row"
    labels = TableFiles(out / "labels.csv", kinds={named: "text", "verdict": "text"}).read()
    assert dict(zip(labels[named].to_pylist(), labels["verdict"].to_pylist(), strict=True)) == {
        (pool.keys[place] if named == "file" else str(pool.numbers[place])): verdict
        for place, verdict in said.items()
    }
    command = [
        "refit",
        str(out / "triage.alarmnet"),
        str(data),
        "--labels",
        str(out / "labels.parquet"),
        "--json",
    ]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with made_ready(replace(wanted, model=out / "triage.alarmnet"), start=QueueHere) as app:
        assert app._desk.worker.verdicts() == said


def _number(key: str, place: int) -> int:
    """The number in a picture's path, else its place."""
    return int(Path(key).stem) if key.endswith(".png") else place
