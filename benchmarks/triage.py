"""Measures `alarmnet triage` as a reviewer meets it: over HTTP, as a command of its own.

    python -m benchmarks.triage --out benchmarks/results/triage.json --postgres postgresql://...

Parts (`--parts`):

- `latency`: 20,000 rows of 40 columns. How long it takes from sending an answer until the next row is there, with
  and without a refit in the background; a reviewer looks at each row for half a second.
- `kills`: `kill -9` at random moments of sessions, over SQLite and, where `--postgres` names an empty database,
  PostgreSQL. Every acknowledged answer has to be in the store once, and the next start goes on.
- `million`: a file of 1,000,000 rows, and the memory of both processes.
- `wide`: 500 columns, and some cells of a megabyte.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from experiments.provenance import provenance

from alarmnet import A3Detector
from alarmnet.data_files import write_table
from alarmnet.loop.store import AnswerStore

ROWS, COLUMNS, ANOMALIES = 20_000, 40, 200
LOOKS, PAUSE = 150, 0.5
KILLS = 100
STARTS_WITHIN = 1_800.0


class Server:
    """The command, and a client that has its token."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-c", "from alarmnet.cli import main; main()", "triage", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.pid = self._process.pid
        began = time.perf_counter()
        assert self._process.stdout is not None
        address = next((line for line in self._process.stdout if "token=" in line), "")
        if not address:
            raise RuntimeError(f"the command ended with {self._process.wait()}")
        self.started = time.perf_counter() - began
        found = re.search(r"http://([^:]+):(\d+)(/\S+)", address)
        assert found is not None
        self.host, self.port = found[1], int(found[2])
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        self._cookies: dict[str, str] = {}
        self.get(found[3])
        self.get("/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def get(self, path: str) -> str:
        """Fetch a page."""
        return self._request("GET", path)

    def post(self, path: str, body: Any, key: str | None = None) -> dict[str, str]:
        """Send an action."""
        head = {"Content-Type": "application/json", "Idempotency-Key": key or uuid.uuid4().hex}
        reply: dict[str, str] = json.loads(self._request("POST", path, json.dumps(body), head))
        return reply

    def cookies(self) -> Any:
        """The cookies, as a browser takes them."""
        address = f"http://{self.host}:{self.port}"
        return [{"name": name, "value": value, "url": address} for name, value in self._cookies.items()]

    def wait_until_learned(self) -> None:
        """Wait while the queue learns."""
        while "Learning from" in json.loads(self.get("/state"))["side"]:
            time.sleep(0.2)

    def _request(self, method: str, path: str, body: str | None = None, head: Any = None) -> str:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        self._connection.request(method, path, body, {**cookie, **(head or {})})
        reply = self._connection.getresponse()
        for line in reply.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        text = reply.read().decode()
        if reply.status >= 400:
            raise RuntimeError(f"{path}: {reply.status} {text[:200]}")
        return text

    def memory(self) -> dict[str, float]:
        """The most that the page and the process that learns have held, in MiB."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        found = {"page": self.pid}
        for child in map(int, children):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found["learning"] = child
        return {name: _peak(pid) for name, pid in found.items()}


def _peak(pid: int) -> float:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(status["VmHWM"].split()[0]) / 1024


def shown(html: str) -> str:
    """The key of the row in a row's HTML."""
    return html.partition('data-key="')[2].partition('"')[0]


def rows_of(rows: int, columns: int, *, first: int = 0, seed: int = 0) -> pa.Table:
    """Normal rows and, among the first of all, anomalies in three columns."""
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    anomalies = max(0, ANOMALIES - first)
    values[:anomalies, :3] += 3.5
    names = {f"c{number}": values[:, number] for number in range(columns)}
    return pa.table({"id": [f"r-{first + row}" for row in range(rows)], **names})


def truth(key: str) -> str:
    """What a perfect reviewer says."""
    return "anomaly" if int(key.partition("-")[2]) < ANOMALIES else "normal"


def answered(server: Server, looks: int, pause: float) -> Iterator[tuple[float, bool]]:
    """Answer; give the seconds until the next row was there, and whether the queue learned meanwhile."""
    key = shown(server.get("/"))
    for _ in range(looks):
        time.sleep(pause)
        learning = "Learning from" in json.loads(server.get("/state"))["side"]
        began = time.perf_counter()
        reply = server.post("/answer", {"key": key, "verdict": truth(key)})
        yield time.perf_counter() - began, learning
        key = shown(reply["row"])


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of times."""
    found = np.quantile(seconds, [0.5, 0.95, 1.0]) * 1e3
    return {"answers": len(seconds), **dict(zip(("median", "p95", "max"), found.tolist(), strict=True))}


def latency(folder: Path, _: Any) -> dict[str, Any]:
    """From an answer to the next row."""
    write_table(folder / "rows.csv", [rows_of(ROWS, COLUMNS)])
    with Server(str(folder / "rows.csv"), "--id", "id") as server:
        times = [*answered(server, LOOKS, PAUSE)]
        side = json.loads(server.get("/state"))["side"]
        return {
            "rows": ROWS,
            "columns": COLUMNS,
            "pause": PAUSE,
            "started": server.started,
            "quiet": _milliseconds([seconds for seconds, learning in times if not learning]),
            "learning": _milliseconds([seconds for seconds, learning in times if learning]),
            "refit_seconds": float(re.findall(r"answers in ([\d.]+) s", side)[0]),
            "found": int(re.findall(r'id="found"[^>]*>(\d+)', side)[0]),
            "memory": server.memory(),
        }


def _session(server: Server, known: dict[str, str], stopped: threading.Event) -> None:
    """Answer, undo, change and group until the server is gone; `known` has what was acknowledged."""
    choice = random.Random(len(known))
    key = shown(server.get("/"))
    while not stopped.is_set():
        request = uuid.uuid4().hex
        verdict = choice.choice(("anomaly", "normal", "unsure"))
        reply = server.post("/answer", {"key": key, "verdict": verdict}, request)
        known[f"{request}.0"] = f"{key} {verdict}"
        key = shown(reply["row"])


def _checked(place: str, known: dict[str, str]) -> dict[str, int]:
    with AnswerStore.open(place) as store:
        events = store.since(0)
    stored = Counter(event.key for event in events)
    said = {event.key: f"{event.row} {event.verdict}" for event in events}
    return {
        "acknowledged": len(known),
        "stored": len(events),
        "lost": sum(said.get(key) != words for key, words in known.items()),
        "twice": sum(count > 1 for count in stored.values()),
    }


def kills_of(folder: Path, place: str, kills: int) -> dict[str, Any]:
    """Kill the server at random moments, start it again, and look into the store."""
    path, model = folder / "rows.csv", folder / "rows.model"
    write_table(path, [rows_of(2_000, 6)])
    detector = A3Detector(random_state=0).fit(rows_of(2_000, 6).drop_columns(["id"]))
    detector.notes_ = {"ignored": ["id"]}
    detector.save(model)
    known: dict[str, str] = {}
    went_on = 0
    for number in range(kills):
        before = len(known)
        words = (str(path), "--model", str(model), "--id", "id", "--labels", place, "--seed", "1")
        with Server(*words) as server:
            stopped = threading.Event()
            timer = threading.Timer(random.Random(number).uniform(0, 1.5), server.kill)
            timer.start()
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                _session(server, known, stopped)
            timer.join()
        went_on += len(known) > before
    return {"kills": kills, "sessions_with_answers": went_on, **_checked(place, known)}


def kills(folder: Path, postgres: str | None) -> dict[str, Any]:
    """Over both stores."""
    found = {"sqlite": kills_of(folder, str(folder / "kills.sqlite"), KILLS)}
    if postgres:
        found["postgresql"] = kills_of(folder, postgres, KILLS)
    return {"stores": found}


def million(folder: Path, _: Any) -> dict[str, Any]:
    """A file that is much larger than the queue."""
    rows, part = 1_000_000, 50_000
    write_table(
        folder / "large.csv",
        (rows_of(part, 10, first=start, seed=start) for start in range(0, rows, part)),
    )
    with Server(str(folder / "large.csv"), "--id", "id") as server:
        times = [seconds for seconds, _ in answered(server, 40, PAUSE)]
        side = json.loads(server.get("/state"))["side"]
        return {
            "rows": rows,
            "columns": 10,
            "file_bytes": (folder / "large.csv").stat().st_size,
            "started": server.started,
            "answer": _milliseconds(times),
            "said": re.findall(r"The queue has[^<]+", side)[0],
            "memory": server.memory(),
        }


def wide(folder: Path, _: Any) -> dict[str, Any]:
    """Many columns, and cells of a megabyte."""
    table = rows_of(1_000, 500)
    cells = np.array(["short"] * 1_000, dtype=object)
    for row in range(20):
        cells[row] = "<b>\u202e\n" * 200_000
    write_table(folder / "wide.csv", [table.append_column("text", pa.array(cells, pa.string()))])
    with Server(str(folder / "wide.csv"), "--id", "id") as server:
        page = server.get("/?row=r-0")
        return {
            "columns": 501,
            "page_bytes": len(page.encode()),
            "answer": _milliseconds([seconds for seconds, _ in answered(server, 40, PAUSE)]),
            "memory": server.memory(),
        }


PARTS: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
    "latency": latency,
    "kills": kills,
    "million": million,
    "wide": wide,
}


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The docs' table."""
    yield "| what | figure |"
    yield "|---|---|"
    part = found["latency"]
    for name, words in (("quiet", "while nothing is learned"), ("learning", "while a refit runs")):
        times = part[name]
        yield (
            f"| next row after an answer, {part['rows']:,} rows of {part['columns']} columns, {words} | median "
            f"{times['median']:.0f} ms, p95 {times['p95']:.0f} ms, longest {times['max']:.0f} ms "
            f"({times['answers']} answers) |"
        )
    yield f"| learning from the answers, same rows | {part['refit_seconds']:.1f} s |"
    for name, counts in found["kills"]["stores"].items():
        yield (
            f"| `kill -9` in {counts['kills']} sessions, {name} | {counts['acknowledged']:,} acknowledged answers, "
            f"{counts['lost']} lost, {counts['twice']} stored twice |"
        )
    part = found["million"]
    memory = part["memory"]
    yield (
        f"| {part['rows']:,} rows of {part['columns']} columns ({part['file_bytes'] / 1e6:.0f} MB) | ready after "
        f"{part['started']:.0f} s; at most {memory['page']:.0f} MiB in the page's process and "
        f"{memory['learning']:.0f} MiB in the one that learns |"
    )
    part = found["wide"]
    yield (
        f"| {part['columns']} columns, some cells of 1 MB | next row: p95 {part['answer']['p95']:.0f} ms; a page "
        f"has {part['page_bytes'] / 1e3:.0f} kB |"
    )


def summary(path: Path) -> Iterator[str]:
    """The docs' table from the committed file."""
    return lines(json.loads(path.read_text()))


def main() -> None:
    """Measure, and keep the parts that were not asked for as they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--postgres", help="the address of an empty database")
    chosen = parser.parse_args()
    found = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    for name in chosen.parts:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = PARTS[name](Path(folder), chosen.postgres) | provenance()
        chosen.out.write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(found[name], indent=1), flush=True)


if __name__ == "__main__":
    main()
