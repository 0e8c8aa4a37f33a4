"""Several processes on one store of answers, processes that are killed, and processes without room or rights."""

import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from alarmnet.errors import InputError
from alarmnet.loop.answers import Answer
from alarmnet.loop.store import AnswerStore

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(  # so that a process starts in a moment
    [
        "__main__",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
        "psycopg",
        "sqlite3",
        "tests.test_store_processes",
    ]
)

KILLS = 50
TOGETHER = 4
"""Answers of a call in the test of kills: all are stored, or none."""


def answer_until_killed(place: str, first: int, acknowledged: Any) -> None:
    """Append answers and tell of each call that returned; a killed process's last call is made again."""
    acknowledged.send("started")
    with AnswerStore.open(place) as store:
        for number in count(first):
            store.append(
                [
                    Answer(key=f"{number}.{n}", row=str(n), verdict="normal", reviewer="ann")
                    for n in range(TOGETHER)
                ]
            )
            acknowledged.send(number)


def calls_before_kill(place: str, first: int, wait_for: int, then: float) -> list[int]:
    """Kill a writer some seconds after so many of its calls returned, and give all that it told of."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    writer = PROCESSES.Process(target=answer_until_killed, args=(place, first, sender))
    writer.start()
    sender.close()
    told = [receiver.recv() for _ in range(1 + wait_for)]
    time.sleep(then)
    writer.kill()
    writer.join()
    while receiver.poll():
        try:
            told.append(receiver.recv())
        except EOFError:
            break
    receiver.close()
    return told[1:]


def test_a_killed_writer_loses_no_acknowledged_answer_and_stores_none_twice(place: str) -> None:
    moments = random.Random(0)
    told: list[int] = []
    for _ in range(KILLS):
        told += calls_before_kill(place, len(told), moments.choice((0, 0, 1, 2, 3)), moments.uniform(0, 0.03))
    assert told == list(range(len(told)))
    with AnswerStore.open(place) as store:
        stored = Counter(event.key for event in store.since(0))
        whole = len(stored) // TOGETHER
        assert stored == Counter(f"{number}.{n}" for number in range(whole) for n in range(TOGETHER))
        assert whole - len(told) in (0, 1)
        assert store.append([Answer(key="next", row="1", verdict="anomaly", reviewer="bob")])


def take_all(place: str, reviewer: str, rows: int, start: Any, out: Any) -> None:
    start.wait()
    with AnswerStore.open(place) as store:
        store.append([Answer(key=reviewer, row="first", verdict="normal", reviewer=reviewer)])
        lent: list[str] = []
        while got := store.lease(
            (str(n) for n in range(rows) if str(n) not in lent), reviewer, n=3, seconds=600
        ):
            lent += got
            time.sleep(0.005)  # a reviewer looks
    out.put((reviewer, lent))


def test_processes_that_start_at_once_share_a_new_store_and_never_a_row(place: str) -> None:
    reviewers, rows = [f"reviewer {number}" for number in range(4)], 120
    start, out = PROCESSES.Barrier(len(reviewers)), PROCESSES.SimpleQueue()
    started = [PROCESSES.Process(target=take_all, args=(place, name, rows, start, out)) for name in reviewers]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * len(started)
    lent = dict(out.get() for _ in started)
    assert Counter(row for taken in lent.values() for row in taken) == Counter(map(str, range(rows)))
    assert sum(bool(taken) for taken in lent.values()) > 1
    with AnswerStore.open(place) as store:
        assert [event.sequence for event in store.since(0)] == [1, 2, 3, 4]
        assert store.leased() == {row: name for name, taken in lent.items() for row in taken}


def printed(work: Any, place: Path) -> Any:
    """Give what some work in a process of its own puts into a queue."""
    out = PROCESSES.SimpleQueue()
    process = PROCESSES.Process(target=work, args=(place, out))
    process.start()
    process.join()
    assert process.exitcode == 0
    return out.get()


def fill_the_disk(place: Path, out: Any) -> None:
    """Append until files may grow no further, then once more with room again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = AnswerStore.open(place)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    number = 0
    try:
        for number in range(200):
            note = "x" * 10_000
            store.append([Answer(key=str(number), row="1", verdict="normal", reviewer="ann", note=note)])
    except InputError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = store.append([Answer(key=str(number), row="1", verdict="normal", reviewer="ann")])
        out.put((number, error.code, str(error), again))


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    place = tmp_path / "answers.sqlite"
    number, code, message, again = printed(fill_the_disk, place)
    assert code == "unwritable"
    assert f"{place} cannot be written" in message
    assert again == [number + 1]
    with AnswerStore.open(place) as store:
        assert [event.key for event in store.since(0)] == [str(n) for n in range(number + 1)]


def open_without_rights(place: Path, out: Any) -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)  # root may write everywhere
    try:
        AnswerStore.open(place)
    except InputError as error:
        out.put((error.code, str(error)))


def test_a_file_that_may_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "answers.sqlite"
        AnswerStore.open(place).close()
        place.chmod(0o444)
        Path(folder).chmod(0o555)
        code, message = printed(open_without_rights, place)
        Path(folder).chmod(0o755)
    assert code == "unwritable"
    assert message.startswith(f"the store of answers {place} cannot be written")
