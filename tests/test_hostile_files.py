"""Spoiled and hostile model files, in short: `python -m benchmarks.model_files` tries thousands."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.golden_files import NAMES
from benchmarks.hostile_files import HOSTILE, MARKER, pickled, write_hostile
from benchmarks.model_files import spoil
from benchmarks.mutations import WAYS
from benchmarks.trials import SOUND, Trials

SECONDS, MEGABYTES = 3, 150
"""Generous: the promise is 1 s and 100 MB, which the command measures on a quiet machine."""


def test_a_change_of_any_byte_is_refused_with_name_and_reason(tmp_path: Path) -> None:
    outcomes = spoil("any byte", 400, "a3-format-1", tmp_path)
    assert {outcome.verdict for outcome in outcomes} == {"refused"}


@pytest.mark.parametrize("name", ["a3-format-1", "a3-format-16", "a3-unlabelled-format-17"])
@pytest.mark.parametrize("way", [way for way in WAYS if way != "any byte"])
def test_a_change_behind_the_digest_is_refused_or_scores_finite_numbers(
    tmp_path: Path, way: str, name: str
) -> None:
    outcomes = spoil(way, 150, name, tmp_path)
    assert {outcome.verdict for outcome in outcomes} <= set(SOUND)
    assert sum(outcome.verdict == "refused" for outcome in outcomes) > 50
    assert max(outcome.megabytes for outcome in outcomes) < MEGABYTES


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    made = Trials(tmp_path_factory.mktemp("hostile"), NAMES[0])
    yield made
    made.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_at_once_and_runs_nothing(trials: Trials, name: str) -> None:
    outcome = trials.attempt(lambda path: write_hostile(name, path))
    assert outcome.verdict == ("refused when scoring" if name == "weights that overflow" else "refused")
    assert outcome.seconds < SECONDS
    assert outcome.megabytes < MEGABYTES
    assert not (trials.path.parent / MARKER).exists()


def test_the_pickles_would_run_code(tmp_path: Path) -> None:
    pickle.loads(pickled(tmp_path))
    assert (tmp_path / MARKER).exists()


def test_a_crash_is_seen_and_the_next_file_tried(trials: Trials) -> None:
    process = trials._child

    def kill(path: Path) -> None:
        path.write_bytes(b"x")
        process.kill()
        process.join()

    assert trials.attempt(kill).verdict == "crash"
    assert trials.attempt(lambda path: path.write_bytes(b"x")).verdict == "refused"


def test_the_committed_run_has_no_fault() -> None:
    root = Path(__file__).parents[1]
    result = json.loads((root / "benchmarks" / "results" / "model_files.json").read_text())
    assert result["any byte"]["files"] == result["any byte"]["refused"] >= 10_000
    assert not any(result[part]["faults"] for part in (*WAYS, "hostile"))
    assert set(result["each hostile file"]) == set(HOSTILE)
    assert all(found["seconds"] < 1 for found in result["each hostile file"].values())
    assert all(found["megabytes"] < 100 for found in result["each hostile file"].values())
