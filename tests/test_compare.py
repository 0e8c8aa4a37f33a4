"""Methods compared: folds, what each method finds in them, its process, and the command."""

import io
import json
import multiprocessing
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet import AlarmnetError, InputError, Schedule, TrainingDivergedError
from alarmnet.baselines import IsolationForestBaseline, OwnMethod
from alarmnet.cli import compare, main
from alarmnet.detectors import a3
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.sources.comparison import METHODS, FoldResult, folds_of, judge, methods_for, processes
from alarmnet.sources.comparison.processes import Outcome, Task
from alarmnet.sources.labels import Labelling

ROOT = Path(__file__).parents[1]
LABELS = ("--label", "class", "--anomaly", "fraud")
SHORT = Schedule(steps=5, batch_size=64)


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 rows, of which 9 are anomalies and 6 were not looked at."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"amount": generator.normal(size=120), "service": ["web", "shop"] * 60, "class": "fine"}
    )
    frame.loc[:8, "amount"] += 2.0
    frame.loc[:8, "class"] = "fraud"
    frame.loc[9:14, "class"] = None
    path = tmp_path_factory.mktemp("compare") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def task(table: Path, *, method: str = "isolation-forest") -> Task:
    return Task(method, [table], None, Labelling("class", ["fraud"], []), [], folds=3, seed=0, device="cpu")


def test_folds_judge_each_labelled_row_once_and_learn_from_unlabelled_ones(
    labels: NDArray[np.float64],
) -> None:
    folds = folds_of(labels, folds=5, seed=0)
    assert sorted(np.concatenate([judged for _, judged in folds])) == [*np.flatnonzero(~np.isnan(labels))]
    for learned, judged in folds:
        assert (labels[judged] == 1).sum() == 2
        assert np.isnan(labels[learned]).sum() == 40
        assert len(learned) + len(judged) == len(labels)
        assert not np.intersect1d(learned, judged).size
    again, other = folds_of(labels, folds=5, seed=0), folds_of(labels, folds=5, seed=1)
    assert all((one[1] == two[1]).all() for one, two in zip(folds, again, strict=True))
    assert any((one[1] != two[1]).any() for one, two in zip(folds, other, strict=True))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            [1] * 3 + [0] * 9,
            "5 folds need 5 known anomalies or more, one to judge each by; there are 3: take 3 folds",
        ),
        ([1] + [0] * 9, "there are 1: label more"),
        ([1] * 9 + [np.nan] * 9, "5 folds need 5 rows labelled normal or more, .* there are 0: label more"),
    ],
)
def test_too_few_for_the_folds(labels: list[float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        folds_of(np.array(labels, float), folds=5, seed=0)


def test_a_method_is_judged_by_what_it_did_not_see(
    rows: NDArray[np.float64], labels: NDArray[np.float64]
) -> None:
    learned, judged = folds_of(labels, folds=2, seed=0)[0]
    found = judge(IsolationForestBaseline(random_state=0), rows, labels, learned=learned, judged=judged)
    model = IsolationForestBaseline(random_state=0).fit(rows[learned], labels[learned])
    scores, anomalous = model.decision_function(rows[judged]), labels[judged] == 1
    assert found.average_precision == average_precision_score(anomalous, scores)
    assert found.roc_auc == roc_auc_score(anomalous, scores)
    assert found.seconds > 0


def test_tables_are_not_given_to_what_reads_images_alone() -> None:
    assert methods_for(images=True) == [*METHODS]
    assert methods_for(images=False) == [name for name in METHODS if name != "mkd-ad"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_the_seed_and_the_device(method: str) -> None:
    made = processes._made(Task(method, [], None, Labelling("y", ["1"], []), [], 5, seed=7, device="cpu"))
    assert made.random_state == 7
    assert getattr(made, "device", "cpu") == "cpu"


@pytest.fixture
def unchanged_process() -> Iterator[None]:
    """What a method's process changes of itself, changed back."""
    before = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("unchanged_process")
def test_a_process_sends_its_memory_and_its_folds(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a3, "target_schedule", lambda rows: SHORT)
    monkeypatch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: SHORT)
    receiving, sending = multiprocessing.Pipe(duplex=False)
    processes._work(task(table, method="a3"), sending)
    sending.close()
    outcome = Outcome("a3")
    processes._collect(outcome, receiving, lambda: None)
    assert len(outcome.folds) == 3
    assert 0 < outcome.bytes_before <= outcome.peak_bytes
    assert outcome.fault is None


def sent(*messages: object) -> Connection:
    receiving, sending = multiprocessing.Pipe(duplex=False)
    for message in messages:
        sending.send(message)
    sending.close()
    return receiving


def test_what_a_process_sends_is_collected() -> None:
    result = FoldResult(0.5, 0.6, 0.1)
    outcome, calls = Outcome("a3"), []
    messages = sent(5, (result, 9), TrainingDivergedError("the loss is no longer finite"))
    processes._collect(outcome, messages, lambda: calls.append(1))
    assert outcome == Outcome("a3", [result], 5, 9, "the loss is no longer finite")
    assert calls == [1]
    refused = sent(
        InputError("column 'bytes' holds infinity", code="infinite_value", column="bytes", rows=[3])
    )
    with pytest.raises(InputError, match="column 'bytes' holds infinity") as error:
        processes._collect(outcome, refused, lambda: None)
    assert error.value.rows == (3,)


def test_a_killed_method_is_a_fault_of_its_own(table: Path) -> None:
    def kill() -> None:
        for child in multiprocessing.active_children():
            child.kill()

    outcome = processes.run(task(table, method="random-forest"), on_fold=kill)
    assert outcome.fault == "killed by SIGKILL; often because memory did not suffice"
    assert not multiprocessing.active_children()


def test_a_method_that_prints_and_exits_is_a_fault_and_prints_elsewhere(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaving.py").write_text(
        "class Leaves:\n    def fit(self, X, y):\n        print('bye', flush=True)\n        raise SystemExit(3)\n"
        "    def decision_function(self, X):\n        return X\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    outcome = processes.run(task(table, method="leaving:Leaves"), on_fold=lambda: None)
    assert outcome.fault == "ended with exit code 3"
    printed = capfd.readouterr()
    assert "bye" in printed.err
    assert "bye" not in printed.out


def test_peak_memory_counts_what_was_given_back() -> None:
    """In a process of its own, whose peak no other test has raised."""
    program = (
        "import os; from alarmnet.sources.memory import peak_bytes; "
        "before = peak_bytes(); os.urandom(256 << 20); print(peak_bytes() - before)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 200 << 20 < int(found.stdout) < 600 << 20


def test_the_command_prints_and_writes_what_the_library_finds(table: Path, tmp_path: Path) -> None:
    methods = ("--methods", "isolation-forest", "--folds", "3")
    shown = run(table, *LABELS, *methods, "--out", tmp_path / "found.json").stdout
    facts = json.loads((tmp_path / "found.json").read_text())
    frame = pd.read_csv(table)
    labels = np.array([{"fraud": 1.0, "fine": 0.0}.get(cell, np.nan) for cell in frame["class"]])
    X = frame.drop(columns="class")
    expected = [
        judge(IsolationForestBaseline(random_state=0), X, labels, learned=learned, judged=judged)
        for learned, judged in folds_of(labels, folds=3, seed=0)
    ]
    (found,) = facts["methods"]
    assert found["roc_auc"]["folds"] == pytest.approx([fold.roc_auc for fold in expected], abs=1e-5)
    mean, std = np.mean(found["roc_auc"]["folds"]), np.std(found["roc_auc"]["folds"], ddof=1)
    assert f"{mean:.3f} ± {std:.3f}" in shown
    assert "Labels in 'class': 9 anomalies, 105 normal, 6 unlabelled." in shown
    assert facts["labels"] == {"normal": 105, "anomaly": 9, "unlabelled": 6}
    assert found["peak_bytes"] >= found["bytes_before"] > 50 << 20


def test_what_was_compared_before_an_interruption_is_kept(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = processes.run

    def interrupted(task: Task, **options: Any) -> Outcome:
        if task.method == "devnet":
            raise KeyboardInterrupt
        return done(task, **options)

    monkeypatch.setattr(compare, "run", interrupted)
    out, methods = tmp_path / "found.json", "isolation-forest,devnet,random-forest"
    result = run(table, *LABELS, "--folds", "2", "--methods", methods, "--out", out, code=130)
    assert "Interrupted: 1 of 3 methods were compared." in result.stderr
    assert "isolation-forest" in result.stdout
    assert [found["method"] for found in json.loads(out.read_text())["methods"]] == ["isolation-forest"]


def test_a_method_ends_with_the_command_however_that_ends() -> None:
    script = (
        "import multiprocessing, os, signal, threading, time\n"
        "from alarmnet.sources.comparison.processes import _end_with_parent\n"
        "def work():\n"
        "    threading.Thread(target=_end_with_parent, daemon=True).start()\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('fork').Process(target=work)\n"
        "    process.start()\n"
        "    print(process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL  # and the pipe that the worker holds too was closed in time


def comparison(**changes: Any) -> dict[str, Any]:
    figure = {"mean": 0.5, "std": 0.25, "folds": [0.25, 0.75]}
    good: dict[str, Any] = {"method": "a3", "average_precision": figure, "roc_auc": figure, "seconds": figure}
    good |= {"bytes_before": 1 << 20, "peak_bytes": 3 << 20, "fault": None}
    return {"folds": 2, "methods": [good, {"method": "dagmm", "fault": "killed"}], **changes}


def printed(facts: dict[str, Any], *, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    compare.print_comparison(facts, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_method_that_failed_is_shown_as_such() -> None:
    shown = printed(comparison(), width=100)
    assert "│ 0.500 ± 0.250 │ 0.5     │ 3 MiB" in shown
    assert "failed: killed" in shown
    assert "about 1 MiB are Python" in shown


def test_figures_as_a_table(tmp_path: Path) -> None:
    compare._write(tmp_path / "found.csv", comparison())
    frame = pd.read_csv(tmp_path / "found.csv")
    assert [*frame["method"]] == ["a3", "dagmm"]
    assert frame["average_precision_std"][0] == 0.25
    assert frame["fault"][1] == "killed"


def test_what_the_command_refuses(table: Path, tmp_path: Path) -> None:
    unlabelled = run(table, code=2)
    assert "comparing methods needs labels: name their column with --label and --anomaly" in unlabelled.stderr
    assert (
        "'guess' is not one of a3, conv-a3, autoencoder"
        in run(table, *LABELS, "--methods", "guess", code=2).stderr
    )
    many = run(table, *LABELS, "--folds", "10", "--out", tmp_path / "found.json", code=2)
    assert (
        "10 folds need 10 known anomalies or more, one to judge each by; there are 9: take 9 folds"
        in many.stderr
    )
    ending = run(table, *LABELS, "--out", tmp_path / "found.txt", code=2)
    assert "found.txt: give a name that ends in .json or .csv" in ending.stderr
    replaced = run(table, *LABELS, "--out", table, code=2)
    assert "is an input too; write to another file" in replaced.stderr
    assert not [*tmp_path.iterdir()]


def test_the_example_in_the_docs_is_the_committed_result() -> None:
    facts = json.loads((ROOT / "benchmarks" / "results" / "compare_thyroid.json").read_text())
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    assert "\n".join(line.rstrip() for line in printed(facts, width=100).splitlines()) in page


# a method of the user's own

OWN = """
import numpy as np

class Distance:
    def fit(self, X, y):
        assert set(y) == {0, 1} and X.dtype == np.float32
        self.centre = X[y == 0].mean(axis=0)
        return self

    def decision_function(self, X):
        return np.abs(X - self.centre).sum(axis=1)

class Broken(Distance):
    def fit(self, X, y):
        raise KeyError("oops")

class Less:
    def fit(self, X, y): ...
"""


def test_an_outlier_detector_of_scikit_learn_is_turned_round(
    rows: NDArray[np.float64], labels: NDArray[np.float64]
) -> None:
    known = ~np.isnan(labels)
    ours = IsolationForestBaseline(random_state=3).fit(rows[known], labels[known]).decision_function(rows)
    theirs = OwnMethod(own="sklearn.ensemble:IsolationForest", random_state=3).fit(rows[known], labels[known])
    assert (np.argsort(theirs.decision_function(rows)) == np.argsort(ours)).all()  # apart from an offset


def test_a_classifier_is_asked_for_its_probability(
    rows: NDArray[np.float64], labels: NDArray[np.float64]
) -> None:
    forest = OwnMethod(own="sklearn.ensemble:RandomForestClassifier", random_state=3).fit(rows, labels)
    scores = forest.decision_function(rows)
    assert scores[labels == 1].min() > scores[labels != 1].max()


def test_a_method_of_ones_own_is_compared(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_methods_22.py").write_text(OWN)
    (tmp_path / "faulty_22.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    own = ("own_methods_22:Distance", "own_methods_22:Broken")
    options = [part for name in own for part in ("--with", name)]
    found = json.loads(
        run(table, *LABELS, "--folds", 2, "--methods", "isolation-forest", *options, "--json").stdout
    )
    methods = {facts["method"]: facts for facts in found["methods"]}
    assert set(methods) == {"isolation-forest", *own}
    assert methods[own[0]]["roc_auc"]["mean"] > 0.6
    assert methods[own[1]]["fault"] == "KeyError: 'oops'"
    for name, sentence in (
        (
            "own_methods_22:Absent",
            "cannot be imported (AttributeError: module 'own_methods_22' has no attribute 'Absent')",
        ),
        (
            "absent_22:Mine",
            "cannot be imported (ModuleNotFoundError: No module named 'absent_22'): give module:Class",
        ),
        ("faulty_22:Mine", "cannot be imported (ZeroDivisionError: division by zero): give module:Class"),
        (
            "own_methods_22",
            "'own_methods_22' does not name a module and a class: give module:Class, such as my_m",
        ),
        (":Mine", "does not name a module and a class"),
        ("own_methods_22:", "does not name a module and a class"),
        ("own_methods_22:Less", "needs the methods fit(X, y) and decision_function(X), higher for anomalies"),
    ):
        assert sentence in " ".join(run(table, *LABELS, "--with", name, code=2).stderr.split())


@pytest.mark.parametrize(
    ("given", "said"),
    [("np.zeros(3)", r"scores of shape \(3,\)"), ("np.full(len(X), np.nan)", "scores that are not finite")],
)
def test_scores_of_ones_own_that_are_not_one_number_for_each_row_are_refused(
    given: str, said: str, rows: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"odd_scores_{'nan' in given}"
    (tmp_path / f"{name}.py").write_text(
        "import numpy as np\nclass Odd:\n    def fit(self, X, y): ...\n"
        f"    def decision_function(self, X): return {given}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    fitted = OwnMethod(own=f"{name}:Odd").fit(rows)
    with pytest.raises(AlarmnetError, match=rf"'{name}:Odd' gave {said} for [\d,]+ rows"):
        fitted.decision_function(rows)
