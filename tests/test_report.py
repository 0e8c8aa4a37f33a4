import base64
import dataclasses
import datetime
import io
import json
import sys
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from alarmnet import OutlierDetector
from alarmnet.errors import InputError, MissingExtraError
from alarmnet.metrics import Estimate
from alarmnet.preprocessing import ImageScaler, TableEncoder
from alarmnet.report import Report, make_report

DATE = datetime.date(2024, 4, 2)
HOSTILE = '<script>alert("x")</script>\n& \u202eevil'


def table(rows: int = 60) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "bytes": generator.normal(size=rows),
            "service": generator.choice(["http", "dns"], rows),
            "start": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(rows), unit="h"),
        }
    )
    frame.loc[rows - 1, "bytes"] = 50.0
    return frame


class FakeDetector:
    """Scores a table by how far `bytes` lies out, and an image by its mean."""

    threshold_ = 1.5
    alarm_rate_ = 0.01
    alarm_rate_held_ = 0.01
    calibration_is_labelled_ = True
    allows_for_unclean_ = False
    seed_ = 7
    label_counts_: Mapping[str, int] = {"normal": 5, "anomaly": 2, "unlabelled": 9}
    history_: Mapping[str, Sequence[Mapping[str, float]]] = {"alarm": [{"step": 1, "loss": 0.5}]}

    def __init__(self, X: Any) -> None:
        self.images = getattr(X, "ndim", 2) > 2
        self.encoder_: Any = (ImageScaler() if self.images else TableEncoder()).fit(X)
        self.calibration_scores_ = np.linspace(-3, 1, 99)
        self.scored: list[int] = []

    @property
    def input_names_(self) -> list[str]:
        assert not self.images, "images have no columns"
        return list(dict.fromkeys(self.encoder_.source_columns_))

    def unclean_share(self) -> Estimate | None:
        return None if self.calibration_is_labelled_ else Estimate(0.021, 0.012, 0.034)

    def decision_function(self, X: Any) -> np.ndarray:
        encoded = self.encoder_.transform(X)
        self.scored.append(len(encoded))
        return np.asarray(encoded.reshape(len(encoded), -1)[:, 0] * 3.0 - 2.9)

    def p_value(self, X: Any) -> np.ndarray:
        return np.full(len(self.encoder_.transform(X)), 0.01)

    def column_deviations(self, X: Any) -> np.ndarray:
        deviations = np.zeros((len(self.encoder_.transform(X)), len(self.input_names_)))
        deviations[:, 0] = 2.5
        return deviations

    def reconstructions(self, X: Any) -> np.ndarray:
        assert self.images, "a table's rows are not shown as pictures"
        return 1 - np.asarray(self.encoder_.transform(X))


class FakeNoAutoencoder(FakeDetector):
    def reconstructions(self, X: Any) -> np.ndarray:
        raise InputError("the target network is not an autoencoder", code="no_reconstruction")


def report_of(X: Any, y: Any = None, **options: Any) -> Report:
    return make_report(FakeDetector(X), X, y, date=DATE, **options)


def labels(rows: int = 60) -> list[float | None]:
    return [None, *[0.0] * (rows - 3), 1.0, 1.0]


class Page(HTMLParser):
    """Collects text and attributes, and holds that every element is closed."""

    void = frozenset({"meta", "br", "link", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_facts_are_json_without_nan_and_say_what_was_found() -> None:
    report = report_of(table(), labels(), data_name="flows")
    facts = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(word))
    assert facts == report.facts
    assert facts["date"] == "2024-04-02"
    assert facts["data"]["labels"] == {"normal": 57, "anomaly": 2, "unlabelled": 1}
    assert facts["data"]["columns"] == {"number": 1, "category": 1, "datetime": 1}
    assert facts["alarm_rate"]["calibration_rows"] == 99
    alarms = int((report.scores > 0).sum())
    assert facts["alarms"]["alarms"] == alarms > 0
    assert facts["observed"]["rows"] == 57
    assert facts["evaluation"]["anomalies"] == 2
    assert facts["evaluation"]["unlabelled"] == 1


def test_the_highest_rows_come_first_with_their_raw_values() -> None:
    top = report_of(table(), labels(), top=3, ids=[f"id-{row}" for row in range(60)]).facts["highest"]
    assert len(top) == 3
    assert top[0] == {
        "rank": 1,
        "row": 59,
        "id": "id-59",
        "score": top[0]["score"],
        "p_value": 0.01,
        "alarm": True,
        "label": "anomaly",
        "unusual": top[0]["unusual"],
    }
    assert top[0]["unusual"][0] == {"column": "bytes", "value": 50.0, "deviation": 2.5}
    assert top[0]["unusual"][2]["value"].startswith("2024-03-03 11:00")
    assert top[0]["score"] >= top[1]["score"] >= top[2]["score"]


def test_large_data_is_scored_once() -> None:
    detector = FakeDetector(table())
    make_report(detector, table())
    assert detector.scored == [60]


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_frames_of_every_kind_give_the_same_facts(convert: Any) -> None:
    detector = FakeDetector(table())
    expected = make_report(detector, table(), date=DATE).facts
    assert make_report(detector, convert(table()), date=DATE).facts == expected


def test_reordered_columns_keep_their_values() -> None:
    detector = FakeDetector(table())
    turned = make_report(detector, table()[["start", "service", "bytes"]], top=1).facts["highest"][0]
    assert turned["unusual"][0] == {"column": "bytes", "value": 50.0, "deviation": 2.5}


def test_arrays_have_numbered_columns() -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    X[0] = np.nan
    facts = report_of(X, top=40).facts
    by_row = {row["row"]: row["unusual"] for row in facts["highest"]}
    assert [cell["column"] for cell in by_row[1]] == ["x0", "x1"]
    assert by_row[0][0]["value"] is None
    assert facts["data"]["cells"][0]["missing"] == 1


def test_cells_unlike_the_training_data_are_counted() -> None:
    new = table()
    new.loc[3, "service"] = "DNS"
    new.loc[4, "bytes"] = 1e6
    new.loc[5, "bytes"] = np.nan
    report = make_report(FakeDetector(table()), new)
    number, service = report.facts["data"]["cells"]
    assert (number["missing"], number["newly_missing"], number["outside"]) == (1, True, 1)
    assert (service["unseen"], service["unseen_examples"]) == (1, ["DNS"])
    assert service["near_matches"] == {"DNS": "dns"}
    assert json.loads(report.to_json()) == report.facts
    page = Page(report.to_html())
    assert "never missing in those rows" in page.text
    assert "(similar to dns)" in " ".join(page.text.split())


def test_one_of_a_kind_is_no_plural() -> None:
    detector = FakeDetector(table())
    detector.label_counts_ = {"normal": 5, "anomaly": 1, "unlabelled": 9}
    html = make_report(detector, table().tail(1)).to_html()
    assert "of 1 row, labelled or not" in html
    assert "1 row, 1 number column, 1 category column" in html
    assert "5 normal, 1 anomaly, 9 not labelled" in html
    measured = make_report(detector, table(), [*[0.0] * 58, None, 1.0]).to_html()
    assert "58 rows labelled normal and 1 known anomaly; 1 row without a label is left out." in measured


def test_the_page_is_well_formed_and_asks_nothing_of_the_network() -> None:
    detector = FakeDetector(table())
    checks = [{"step": step, "loss": 1 / step} for step in (1, 2, 3)]
    detector.history_ = {"target": checks, "alarm": checks}
    html = make_report(detector, table(), labels()).to_html()
    page = Page(html)
    assert page.tags.count("svg") == 6
    assert "script" not in page.tags
    assert "url(" not in html
    assert "@import" not in html
    for name, value in page.attributes:
        assert name not in {"src", "srcset", "action"}
        assert not name.startswith("on")
        if name in {"href", "xlink:href"}:
            assert value
            assert value.startswith("#")
    assert "http://" not in html
    assert "https://" not in html
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_hostile_names_and_values_are_escaped_and_shortened() -> None:
    X = table().rename(columns={"service": HOSTILE})
    X.loc[59, HOSTILE] = HOSTILE + "x" * 500
    report = report_of(X, title=HOSTILE, data_name=HOSTILE, ids=[HOSTILE] * 60)
    html = report.to_html()
    assert "script" not in Page(html).tags
    assert "<script" not in html
    assert "\u202e" not in Page(html).text
    assert "x" * 60 not in Page(html).text
    assert "\u2026" in html
    assert any(
        name == "title" and value and value.endswith("x" * 500) for name, value in Page(html).attributes
    )


def test_a_text_that_is_not_unicode_is_saved_all_the_same(tmp_path: Path) -> None:
    report_of(table(), title="bad \udc80").save(tmp_path / "report.html")
    assert b"<h1>" in (tmp_path / "report.html").read_bytes()


@pytest.mark.parametrize("y", [None, [None] * 60, [0] * 60, [None] * 59 + [1]])
def test_without_both_classes_there_is_no_evaluation(y: Any) -> None:
    facts = report_of(table(), y).facts
    assert facts["evaluation"] is None
    assert facts["observed"]["of"] == ("rows labelled normal" if y == [0] * 60 else "all rows")
    assert "the report cannot measure how many anomalies are found" in facts["hints"][-1]


def test_a_page_without_labels_leaves_out_what_needs_them() -> None:
    html = report_of(table()).to_html()
    page = Page(html)
    assert "the report cannot measure" in page.text
    for absent in ("Average precision", "ROC", "Comparison with known labels", "Loss of"):
        assert absent not in page.text
    for part in ("prefers-color-scheme: dark", "@media print", "max-width: 44rem", 'name="viewport"'):
        assert part in html


def shown_images(html: str) -> list[np.ndarray]:
    """The pictures of a page as arrays (H, W) or (H, W, 3)."""
    uris = [value or "" for name, value in Page(html).attributes if name == "src"]
    assert all(uri.startswith("data:image/png;base64,") for uri in uris)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))) for uri in uris]


@pytest.mark.parametrize("shape", [(20, 9, 11), (20, 1, 9, 11), (20, 3, 9, 11)])
def test_the_highest_images_are_shown_beside_their_reconstructions(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 250, size=shape, dtype=np.uint8)
    images[7] = 255
    y = [0.0] * 18 + [1.0, None]
    report = make_report(FakeDetector(images), images, y, ids=[f"i{row}.png" for row in range(20)], top=3)
    assert report.facts["highest"][0]["id"] == "i7.png"
    assert report.facts["highest"][0]["unusual"] == []
    assert "base64" not in report.to_json()
    html = report.to_html()
    found = shown_images(html)
    assert [image.shape for image in found] == [(9, 11, 3) if shape[1] == 3 else (9, 11)] * 6
    assert ((found[0] == 255).all(), (found[1] == 0).all()) == (True, True)
    for image, reconstruction in zip(found[::2], found[1::2], strict=True):
        assert np.array_equal(image, 255 - reconstruction)
    text = " ".join(Page(html).text.split())
    assert "1 i7.png Margin0.10 p-value0.01 Alarmyes Labelnormal" in text
    assert "20 images of " + " \u00d7 ".join(map(str, shape[1:])) in text
    assert "Highest-scored images" in text
    assert 'class="gallery pixelated"' in html
    for absent in ("Cells unlike the training data", "Most unusual values"):
        assert absent not in text


def test_only_alarms_have_red_heat_maps() -> None:
    images = np.random.default_rng(0).random((20, 9, 9))
    report = make_report(FakeNoAutoencoder(images), images, top=20)
    heat = shown_images(dataclasses.replace(report, heat=np.ones((20, 9, 9))).to_html())[1::2]
    strength = [int(np.ptp(picture.astype(int), axis=-1).max()) for picture in heat]
    margins = [row["score"] for row in report.facts["highest"]]
    assert margins[-1] < -1 < 0 < margins[0]
    assert strength == sorted(strength, reverse=True)
    assert strength[-1] < strength[0] / 2


def test_images_of_a_target_that_is_no_autoencoder_are_shown_alone() -> None:
    images = np.random.default_rng(0).random((20, 9, 9))
    report = make_report(FakeNoAutoencoder(images), images, top=3)
    assert report.reconstructions is None
    html = report.to_html()
    assert len(shown_images(html)) == 3
    assert "reconstruction" not in Page(html).text


def test_large_images_are_shown_smaller_and_hostile_names_escaped() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(3, 300, 600), dtype=np.uint8)
    html = make_report(FakeDetector(images), images, ids=[HOSTILE] * 3).to_html()
    assert {image.shape for image in shown_images(html)} == {(64, 128)}
    assert '<ol class="gallery">' in html
    assert "<script" not in html


def test_tables_show_no_image() -> None:
    html = report_of(table()).to_html()
    assert shown_images(html) == []
    assert "<ol" not in html


def test_the_hints_follow_the_facts() -> None:
    def hints(y: Any = None, **settings: Any) -> str:
        detector = FakeDetector(table())
        for name, value in settings.items():
            setattr(detector, name, value)
        return " ".join(make_report(detector, table(), y).facts["hints"])

    assert "rate of 1%, expect about 100 false alarms per 10,000 normal rows" in hints()
    assert "expect about 1 false alarm per 10,000 normal rows" in hints(alarm_rate_held_=1e-4)
    few = hints(alarm_rate_held_=0.05)
    assert "99 calibration rows are too few for a rate of 1%. The smallest possible rate is 5%." in few
    one = hints(alarm_rate_held_=0.5, calibration_scores_=np.zeros(1))
    assert "1 calibration row is too few for a rate of 1%." in one
    unlabelled = hints(calibration_is_labelled_=False)
    assert (
        "An estimated 2.1% of these rows (1.2% to 3.4%) score like anomalies. The threshold does"
        in unlabelled
    )
    assert "allows for them, but not for anomalies that do" in hints(
        calibration_is_labelled_=False, allows_for_unclean_=True
    )
    assert "score like anomalies" not in hints()
    reviewed = hints(calibration_is_labelled_=False, calibration_is_reviewed_=True)
    assert "All of these have been reviewed or labelled since." in reviewed
    assert "Reviewing rows" not in reviewed
    low = table()["bytes"] < 0
    assert "Rows labelled normal score higher than anomalies" in hints(low.astype(int))
    assert "score higher than anomalies" not in hints(1 - low.astype(int))
    few_normal = [0 if row < 59 else 1 for row in range(60)]
    assert "This data may differ" in hints(few_normal, alarm_rate_held_=1e-6)
    assert "This data may differ" not in hints(few_normal, alarm_rate_held_=0.9)
    unlabelled = hints(alarm_rate_held_=1e-6)
    assert "the observed rate counts all rows, also anomalies. More rows raise an alarm than" in unlabelled
    assert "They may be anomalies, or this data may differ from" in unlabelled
    assert "Consider fitting a new model" not in unlabelled
    assert "They may be anomalies" not in hints(alarm_rate_held_=0.9)


def test_an_alarm_of_ones_own_has_a_caption() -> None:
    X = table()
    detector = FakeDetector(X)
    checks = [{"step": step, "loss": 0.5} for step in (1, 2)]
    detector.history_ = {"target": checks, "scores": checks}
    page = make_report(detector, X).to_html()
    for caption in (
        "of the target network",
        "of the alarm network &#39;scores&#39;",
        "Number of rows by margin",
    ):
        assert caption in page


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        report_of(table()).save(tmp_path / f"{name}.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert (tmp_path / "one.html").read_text(encoding="utf-8").count("2024-04-02") == 2  # datetime=, text


def test_save_goes_by_the_ending_and_leaves_nothing_when_it_fails(tmp_path: Path) -> None:
    report = report_of(table())
    report.save(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == report.facts
    with pytest.raises(InputError, match=r"cannot save a report as 'report\.pdf'; end the name in"):
        report.save(tmp_path / "report.pdf")
    broken = Report(facts={**report.facts, "title": float("nan")}, scores=report.scores, labels=None)
    with pytest.raises(ValueError, match="JSON"):
        broken.save(tmp_path / "broken.json")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_without_the_extra_the_facts_are_still_there(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    report = report_of(table())
    assert report.to_json()
    with pytest.raises(MissingExtraError, match=rf"need {module}.*pip install 'alarmnet\[report\]'"):
        report.to_html()


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError, match=r"ids have shape \(2,\) for 60 rows; pass one id a row"):
        report_of(table(), ids=["a", "b"])
    with pytest.raises(InputError, match="X has 60 rows, y has 1 labels"):
        report_of(table(), [1])
    for top in (0, "all"):
        with pytest.raises(
            InputError, match="'top' parameter of make_report must be a whole number of at least 1"
        ):
            report_of(table(), top=top)
    with pytest.raises(InputError, match=r"must be a fitted detector, .* Got OutlierDetector instead"):
        make_report(OutlierDetector(), table())


def test_the_callers_data_is_left_alone() -> None:
    X, y = table(), np.array(labels(), dtype=float)
    X_before, y_before = X.copy(), y.copy()
    report_of(X, y)
    pd.testing.assert_frame_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
