"""A triage page for tests: small data, a model that trains in a moment, and a client without a screen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.triage_kills import QueueHere
from starlette.testclient import TestClient

from alarmnet.data_files import Reading, write_table
from alarmnet.loop.page.app import App
from alarmnet.loop.page.starting import Wanted, made_ready

HOSTILE = "<img src=x onerror=alert(1)>\n</bdi><script>document.title='owned'</script>\u202e\u05d0\u0000"
ROWS, ANOMALIES, ALIKE = 240, 12, 200


def table(rows: int = ROWS) -> pa.Table:
    """Rows of which the first are anomalies, five of them all but equal; text and one hostile cell among them.

    Eight normal rows from `ALIKE` on are all but equal, too, and as usual as rows can be.
    """
    values = np.random.default_rng(0).normal(size=(rows, 5))
    values[:ANOMALIES] += 6
    values[:5] = values[0] + 0.001 * np.arange(5)[:, None]
    values[ALIKE : ALIKE + 8] = 0.001 * np.arange(8)[:, None]
    columns: dict[str, Any] = {f"c{number}": values[:, number] for number in range(5)}
    words = np.array(["http", "dns"] * (rows // 2), dtype=object)
    words[ALIKE : ALIKE + 8] = "http"
    words[:5], words[11] = "http", HOSTILE.replace("\0", "")
    return pa.table({"id": [f"r-{row}" for row in range(rows)], **columns, "service": words})


class Client:
    """A browser without a screen: actions have an id each, as the page's script gives them."""

    def __init__(self, app: App, name: str = "a") -> None:
        self.http = TestClient(app.starlette(), raise_server_exceptions=False)
        self.http.cookies.set("alarmnet-triage-seat", name * 32)
        self._sent = 0
        self._name = name
        self.page = self.http.get("/").text

    def post(self, path: str, body: Any, *, request: str | None = None) -> Any:
        """Send an action; the reply is JSON where it was done."""
        self._sent += 1
        known = request or f"{self._name}request{self._sent:08}"
        return self.http.post(path, json=body, headers={"Idempotency-Key": known})

    def shown(self) -> str:
        """The key of the row that is shown."""
        return self.key_in(self.http.get("/state?row=1").json()["row"])

    @staticmethod
    def key_in(html: str) -> str:
        """The key in a row's HTML."""
        return html.partition('data-key="')[2].partition('"')[0]

    def answer(self, verdict: str, **more: Any) -> Any:
        """Answer the row that is shown."""
        return self.post("/answer", {"key": self.shown(), "verdict": verdict, **more})


@pytest.fixture(scope="session")
def triage_data(tmp_path_factory: pytest.TempPathFactory, small: Callable[..., Any]) -> Wanted:
    """A table, and a model that was fitted on it without labels."""
    folder = tmp_path_factory.mktemp("triage")
    rows = table()
    write_table(folder / "flows.csv", [rows])
    detector = small().fit(rows.drop_columns(["id"]))
    detector.notes_ = {"ignored": ["id"]}
    detector.save(folder / "flows.model")
    return Wanted(
        data=[folder / "flows.csv"],
        model=folder / "flows.model",
        labels="",
        reading=Reading(),
        categories=(),
        identifier="id",
        ignored=(),
        kept=(),
        reviewer="ann",
        reasons=("scan",),
        seed=0,
        device="cpu",
    )


@pytest.fixture(scope="session")
def opened(triage_data: Wanted) -> Callable[[Path | str], AbstractContextManager[App]]:
    """Opens the page over a store of answers."""

    @contextmanager
    def open_page(labels: Path | str) -> Iterator[App]:
        with made_ready(replace(triage_data, labels=str(labels)), start=QueueHere) as app:
            yield app

    return open_page


@pytest.fixture(scope="module")
def app(
    opened: Callable[[Path], AbstractContextManager[App]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """A page that the tests of one file share."""
    with opened(tmp_path_factory.mktemp("answers") / "answers.sqlite") as made:
        yield made
