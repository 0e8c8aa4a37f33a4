"""Measures `alarmnet triage` as a reviewer uses it: over HTTP, with the command in a process of its own.

    python -m benchmarks.triage --out benchmarks/results/triage.json --postgres postgresql://...

Parts (`--parts`):

- `learning`: queues of 2,200 and of 20,000 rows of 40 columns, in this process, on as many threads as it has: the
  time to make a queue, to learn from 60 answers, and to train the detector for these answers.
- `latency`: 20,000 rows of 40 columns. The time from sending an answer until the next row is shown, with and
  without a refit in the background; a reviewer looks at each row for half a second.
- `kills`: `kill -9` at random moments of sessions of answers, group answers and undos, over SQLite and, if
  `--postgres` names an empty database, PostgreSQL. Each acknowledged answer must be in the store exactly once, and
  the next start must continue the session.
- `million`: a file of 1,000,000 rows, and the memory of both processes.
- `wide`: 500 columns, and some cells of a megabyte; a reviewer looks at each row for two seconds, then for half a
  second.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from experiments.provenance import provenance

from alarmnet import A3Detector
from alarmnet.data_files import Reading, write_table
from alarmnet.loop import Queue, Verdict
from alarmnet.loop.page.starting import Wanted
from benchmarks.triage_client import Client, shown
from benchmarks.triage_kills import killed_sessions

ROWS, COLUMNS, ANOMALIES = 20_000, 40, 200
LOOKS, PAUSE, LONG_PAUSE = 150, 0.5, 2.0
KILLS = 100


class Server(Client):
    """The command, and a client that has its token."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-c", "from alarmnet.cli import main; main()", "triage", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        began = time.perf_counter()
        lines: Iterable[str] = self._process.stdout or ()
        super().__init__(next((line for line in lines if "token=" in line), ""))
        self.started = time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self.close()

    def wait_until_learned(self) -> None:
        """Wait while the queue learns."""
        while "Learning from" in json.loads(self.get("/state"))["side"]:
            time.sleep(0.2)

    def memory(self) -> dict[str, float]:
        """The peak memory of the page and of the process that learns, in MiB."""
        pid = self._process.pid
        found = {"page": pid}
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found["learning"] = child
        return {name: _peak(of) for name, of in found.items()}


def _peak(pid: int) -> float:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(status["VmHWM"].split()[0]) / 1024


def rows_of(rows: int, columns: int, *, first: int = 0, seed: int = 0) -> pa.Table:
    """Normal rows, and anomalies in three columns among the very first rows."""
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    anomalies = max(0, ANOMALIES - first)
    values[:anomalies, :3] += 3.5
    names = {f"c{number}": values[:, number] for number in range(columns)}
    return pa.table({"id": [f"r-{first + row}" for row in range(rows)], **names})


def truth(key: str) -> Verdict:
    """The verdict of a perfect reviewer."""
    return "anomaly" if int(key.partition("-")[2]) < ANOMALIES else "normal"


def answered(server: Server, looks: int, pause: float) -> Iterator[tuple[float, bool]]:
    """Answer; give the seconds until the next row was shown, and whether the queue was learning."""
    key = shown(server.get("/"))
    for _ in range(looks):
        time.sleep(pause)
        learning = "Learning from" in json.loads(server.get("/state"))["side"]
        began = time.perf_counter()
        reply = server.post("/answer", {"key": key, "verdict": truth(key)})
        yield time.perf_counter() - began, learning
        key = shown(reply["row"])


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of times, in milliseconds."""
    found = np.quantile(seconds, [0.5, 0.95, 1.0]) * 1e3
    return {"answers": len(seconds), **dict(zip(("median", "p95", "max"), found.tolist(), strict=True))}


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _learning(rows: int) -> dict[str, float]:
    """The seconds that a queue takes to start, to learn and to train its detector."""
    table = rows_of(rows, COLUMNS)
    ids = table["id"].to_pylist()
    began = time.perf_counter()
    queue = Queue(table.drop_columns(["id"]), ids=ids, random_state=0)
    started = time.perf_counter() - began
    for _ in range(6):
        for key in queue.next(10):
            queue.answer(key, truth(str(key)))
        refit = _timed(queue.refit)
    return {"started": started, "refit": refit, "trained": _timed(queue.refit_detector)}


def learning(_: Path, __: Any) -> dict[str, Any]:
    """The times of a queue without a page."""
    return {"rows": {str(rows): _learning(rows) for rows in (2_200, ROWS)}}


def latency(folder: Path, _: Any) -> dict[str, Any]:
    """The time from an answer to the next row."""
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


def kills(folder: Path, postgres: str | None) -> dict[str, Any]:
    """Killed sessions over both stores."""
    path, model = folder / "rows.csv", folder / "rows.model"
    table = rows_of(2_000, 6)
    write_table(path, [table])
    detector = A3Detector(random_state=0).fit(table.drop_columns(["id"]))
    detector.notes_ = {"ignored": ["id"]}
    detector.save(model)
    wanted = Wanted(
        data=[path],
        model=model,
        labels="",
        reading=Reading(),
        categories=(),
        identifier="id",
        ignored=(),
        kept=(),
        reviewer="ann",
        reasons=(),
        seed=0,
        device="cpu",
    )
    places = {"sqlite": str(folder / "kills.sqlite"), **({"postgresql": postgres} if postgres else {})}
    return {"stores": {name: killed_sessions(wanted, place, KILLS) for name, place in places.items()}}


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
            "answer": _milliseconds([seconds for seconds, _ in answered(server, 30, LONG_PAUSE)]),
            "hurried": _milliseconds([seconds for seconds, _ in answered(server, 30, PAUSE)]),
            "memory": server.memory(),
        }


PARTS: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
    "learning": learning,
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
    part = found["learning"]
    for rows, seconds in part["rows"].items():
        times = [f"{seconds[name]:.1f} s" for name in ("started", "refit", "trained")]
        yield (
            f"| `Queue` of {int(rows):,} rows of {COLUMNS} columns, {part['threads']} threads | new {times[0]}, "
            f"`refit` {times[1]}, `refit_detector` {times[2]} |"
        )
    for name, counts in found["kills"]["stores"].items():
        yield (
            f"| `kill -9` in {counts['kills']} sessions, {name} | {counts['acknowledged']:,} acknowledged "
            f"answers and {counts.get('undone', 0):,} undos, {counts['lost']} lost, {counts['twice']} stored "
            f"twice, {counts['in_part']} stored in part |"
        )
    part = found["million"]
    memory = part["memory"]
    yield (
        f"| {part['rows']:,} rows of {part['columns']} columns ({part['file_bytes'] / 1e6:.0f} MB) | ready after "
        f"{part['started']:.0f} s; at most {memory['page']:.0f} MiB in the page's process and "
        f"{memory['learning']:.0f} MiB in the one that learns |"
    )
    part = found["wide"]
    usual, hurried = part["answer"], part["hurried"]
    yield (
        f"| {part['columns']} columns, some cells of 1 MB, an answer every {LONG_PAUSE:.0f} s | next row: median "
        f"{usual['median']:.0f} ms, p95 {usual['p95']:.0f} ms; a page has {part['page_bytes'] / 1e3:.0f} kB |"
    )
    yield (
        f"| the same, an answer every {PAUSE} s | next row: median {hurried['median']:.0f} ms, p95 "
        f"{hurried['p95']:.0f} ms |"
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
