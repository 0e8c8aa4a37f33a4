"""Interrupted fits go on to the same model, and killed writers leave nothing behind."""

import math
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor, nn

from alarmnet import (
    A3Detector,
    ExternalTarget,
    InputError,
    ModelFileError,
    Schedule,
    TrainingDivergedError,
    VaeAnomalies,
    load,
)
from alarmnet._shared.atomic import atomic_path, remove_strays
from alarmnet._shared.persistence import read_file, write_file
from alarmnet.cli import main
from alarmnet.detectors import BaseDetector, a3, identity
from alarmnet.detectors.files import arrays_of
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.checkpoints import Checkpoint, Identity, Stage, kept_steps, open_checkpoint
from alarmnet.networks.training import Progress, TrainingContext, train

Make = Callable[..., Any]
Rows = NDArray[np.float64]
WATCHED = Schedule(steps=60, batch_size=64, learning_rate=1e-2, patience=15)
VAE = VaeAnomalies(hidden=(16, 8), code=2, schedule=Schedule(steps=40))


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Interrupts training after so many steps from now on; every fifth step is written."""
    steps = 0
    end: int | None = None

    def due(_stage: Stage) -> bool:
        nonlocal steps
        steps += 1
        if steps == end:
            raise KeyboardInterrupt
        return steps % 5 == 0

    def interrupt_after(count: int | None) -> None:
        nonlocal steps, end
        steps, end = 0, count

    monkeypatch.setattr(Stage, "due", due)
    return interrupt_after


def same(first: BaseDetector, second: BaseDetector) -> bool:
    """Whether two fitted detectors are equal bit for bit."""
    pairs = arrays_of(first.fitted_state()), arrays_of(second.fitted_state())
    assert list(pairs[0]) == list(pairs[1])
    equal = [pairs[0][name].tobytes() == pairs[1][name].tobytes() for name in pairs[0]]
    return all(equal) and first.history_ == second.history_ and first.threshold_ == second.threshold_


@pytest.mark.parametrize("generator", [None, VAE], ids=["noise", "vae"])
def test_interrupted_again_and_again_it_becomes_the_same_model(
    make: Make,
    rows: Rows,
    labels: Rows,
    tmp_path: Path,
    interrupt: Callable[[int | None], None],
    generator: VaeAnomalies | None,
) -> None:
    options = {"schedule": WATCHED, "generator": generator, "generated_weight": 1.0}
    undisturbed = make(**options).fit(rows, labels)
    interruptions = 0
    for length in [1, 7, *random.Random(0).choices(range(6, 30), k=30)]:
        interrupt(length)
        detector = make(checkpoint=tmp_path / "kept", **options)
        try:
            detector.fit(rows, labels)
            break
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions > 3
    assert same(detector, undisturbed)
    detector.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_finished_runs_are_not_trained_again(small: Make, rows: Rows, tmp_path: Path) -> None:
    told: list[Progress] = []
    first = small(checkpoint=tmp_path).fit(rows)
    assert kept_steps(tmp_path) == "target finished, alarm finished"
    assert same(small(checkpoint=tmp_path, verbose=told.append).fit(rows), first)
    assert not told


def test_a_seed_that_was_drawn_is_taken_from_the_folder(small: Make, rows: Rows, tmp_path: Path) -> None:
    first = small(checkpoint=tmp_path, random_state=None).fit(rows)
    again = small(checkpoint=tmp_path, random_state=None).fit(rows)
    assert again.seed_ == first.seed_
    assert same(again, first)


def test_another_training_is_refused(
    small: Make, rows: Rows, labels: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(checkpoint=tmp_path).fit(rows, labels)
    other_labels = np.where(np.arange(200) == 195, np.nan, labels)
    for changed, X, y, said in [
        ({"alarm_rate": 0.2}, rows, labels, "alarm_rate 0.1, now 0.2"),
        ({"random_state": 1, "blend": 0.5}, rows, labels, "seed 0, now 1; blend 1.0, now 0.5"),
        ({}, rows + 1e-3 * rows**2, labels, "other data"),
        ({}, rows, other_labels, "other labels"),
    ]:
        with pytest.raises(InputError) as caught:
            small(checkpoint=tmp_path, **changed).fit(X, y)
        assert str(caught.value) == (
            f"{tmp_path} holds the checkpoint of another training: {said}; fit as it was begun, or use another "
            "folder, or remove this one"
        )
    with monkeypatch.context() as patch:
        patch.setattr(identity, "_code_digest", lambda: "another state")
        with pytest.raises(InputError, match="another training: other code of alarmnet;"):
            small(checkpoint=tmp_path).fit(rows, labels)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # so that alarmnet leaves the number alone
    torch.set_num_threads(2)
    try:
        with pytest.raises(InputError, match="number of threads 1, now 2"):
            small(checkpoint=tmp_path).fit(rows, labels)
    finally:
        torch.set_num_threads(1)


def test_another_target_of_ones_own_is_refused(small: Make, rows: Rows, tmp_path: Path) -> None:
    def target() -> ExternalTarget:
        return ExternalTarget(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2)), layers=["1"])

    small(checkpoint=tmp_path, target=target()).fit(rows)
    with pytest.raises(InputError, match="another training: other target network;"):
        small(checkpoint=tmp_path, target=target()).fit(rows)


def test_the_parameter_is_the_machines_not_the_models(small: Make, rows: Rows, tmp_path: Path) -> None:
    detector = small(checkpoint=tmp_path / "kept-here").fit(rows)
    assert clone(detector).checkpoint == tmp_path / "kept-here"
    detector.save(tmp_path / "model")
    assert b"kept-here" not in (tmp_path / "model").read_bytes()
    assert load(tmp_path / "model").checkpoint is None
    with pytest.raises(
        InputError, match="The 'checkpoint' parameter of A3Detector must be a str or PathLike"
    ):
        small(checkpoint=7).fit(rows)
    with pytest.raises(InputError, match="model is a file; give a folder for the checkpoint"):
        small(checkpoint=tmp_path / "model").fit(rows)


def test_a_damaged_or_foreign_file_is_named(small: Make, rows: Rows, tmp_path: Path) -> None:
    small(checkpoint=tmp_path).fit(rows)
    path = tmp_path / "alarmnet-target.checkpoint"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"target\.checkpoint cannot .* cut short .*; remove it to do"):
        small(checkpoint=tmp_path).fit(rows)
    write_file(path, {"kind": "alarmnet detector"}, {})
    with pytest.raises(ModelFileError, match="is not a checkpoint: it holds 'alarmnet detector'"):
        small(checkpoint=tmp_path).fit(rows)


def toy_checkpoint(folder: Path) -> Checkpoint:
    return open_checkpoint(folder, Identity({"seed": 0}, {}))


def test_writing_takes_a_bounded_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = toy_checkpoint(tmp_path).stage("toy", 10)
    clock = iter([100.0, 100.5, 110.4, 110.6, 200.0, 300.0, 359.0, 361.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    for times in (
        [False, True],
        [False, True],
    ):  # half a second is 5 % of ten; 100 seconds are of more than 60
        stage.write({}, {})
        assert [stage.due(), stage.due()] == times


def test_a_training_that_diverges_keeps_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "due", lambda _stage: True)
    network, steps = nn.Linear(1, 1), iter(range(1, 100))
    path = tmp_path / "alarmnet-toy.checkpoint"

    def loss(index: Tensor) -> Tensor:
        value: Tensor = network.weight.sum()
        return value * (math.inf if next(steps) == 33 else 1.0)

    with pytest.raises(
        TrainingDivergedError, match=rf"at step 35 of 100: .*; {path} keeps what was before that"
    ):
        train(
            network,
            loss,
            name="toy",
            rows=10,
            schedule=Schedule(steps=100),
            generator=torch.Generator(),
            noise=torch.Generator(),
            context=TrainingContext(checkpoint=toy_checkpoint(tmp_path)),
        )
    facts, arrays = read_file(path)
    assert facts["step"] == 32
    assert all(np.isfinite(array).all() for array in arrays.values())


# real kills

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["alarmnet.detectors.a3"])
TRAINING = """
import os, signal, numpy as np
from alarmnet import A3Detector, DenseAlarm, DenseAutoencoder, Schedule
def tell(state):
    if f"{state.network} {state.step}" == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
A3Detector(
    target=DenseAutoencoder(hidden=(12, 6)), target_schedule=Schedule(steps=100),
    alarm=DenseAlarm(hidden=(16, 8)), alarm_schedule=Schedule(steps=100),
    reads="activations", alarm_rate=0.1, random_state=0, verbose=tell, checkpoint=checkpoint,
).fit(np.random.default_rng(0).normal(size=(300, 5))).save(model)
"""
WRITING = """
import itertools, numpy as np
from alarmnet._shared.persistence import write_file
for number in itertools.count():
    write_file(model, {"number": number}, {"numbers": np.full(500_000, number)})
"""


def started(script: str, **names: object) -> Any:
    """A process of its own that runs a script."""
    process = SERVER.Process(target=exec, args=(script, names))
    process.start()
    return process


def test_a_killed_training_becomes_the_same_model(tmp_path: Path) -> None:
    model, other, kept = (tmp_path / name for name in ("model", "undisturbed", "kept"))

    def trained(**names: object) -> int | None:
        process = started(TRAINING, **names)
        process.join()
        exit_code: int | None = process.exitcode
        return exit_code

    for killed_at, said in [
        ("target 60", "target at step "),
        ("alarm 5", "target finished, alarm at step "),
        ("alarm 95", "target finished, alarm at step "),
    ]:
        assert trained(model=model, checkpoint=kept, killed_at=killed_at) == -signal.SIGKILL
        assert not model.exists()
        assert kept_steps(kept).startswith(said)
    assert trained(model=model, checkpoint=kept, killed_at=None) == 0
    assert trained(model=other, checkpoint=None, killed_at=None) == 0
    assert model.read_bytes() == other.read_bytes()
    assert not kept.exists()


def test_killed_while_writing_the_old_file_or_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for after in (0.0, 0.013, 0.05):
        process = started(WRITING, model=path)
        while not path.exists():
            time.sleep(0.001)
        time.sleep(after)
        process.kill()
        process.join()
        manifest, arrays = read_file(path)
        assert (arrays["numbers"] == manifest["number"]).all()
    remove_strays(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_strays_are_removed_and_drafts_in_use_are_not(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_path(tmp_path / "other") as other, atomic_path(path) as draft:
        stray = draft.with_name(draft.name.replace(draft.name[-8:], "dead.tmp"))
        stray.touch()
        os.mkfifo(draft.with_name(draft.name.replace(draft.name[-8:], "pipe.tmp")))
        write_file(path, {"writer": "second"}, {})
        assert not stray.exists()
        assert draft.exists()
        assert other.exists()
        draft.write_text("first")
    assert path.read_text() == "first"


# the command line


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def table(tmp_path: Path, rows: Rows, labels: Rows, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rows as a file, and training that is short."""
    monkeypatch.setattr(a3, "target_schedule", lambda rows: WATCHED)
    monkeypatch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: WATCHED)
    path = tmp_path / "train.csv"
    pd.DataFrame(rows, columns=list("abcde")).assign(label=labels).to_csv(path, index=False)
    return path


def fit_arguments(table: Path, model: Path) -> tuple[object, ...]:
    return ("fit", table, "--label", "label", "--anomaly", "1", "--alarm-rate", "0.1", "--out", model)


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    table: Path, interrupt: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = table.parent
    arguments = (*fit_arguments(table, folder / "my model"), "--checkpoint", folder / "kept")
    monkeypatch.setattr(sys, "argv", ["alarmnet", *map(str, arguments)])
    interrupt(80)
    result = run(*arguments, code=130)
    command = f"alarmnet fit {table} --label label --anomaly 1 --alarm-rate 0.1 --out '{folder / 'my model'}'"
    assert result.stderr == (
        f"Interrupted: the output was not written. {folder / 'kept'} keeps the training: target finished, second "
        "alarm at "
        f"step 15 of 60. The same command continues from there: {command} --checkpoint {folder / 'kept'}\n"
    )
    assert not (folder / "my model").exists()
    interrupt(None)
    again = run(*arguments)
    assert (
        f"{folder / 'kept'} keeps earlier training: target finished, second alarm at step 15 of 60."
        in again.stdout
    )
    run(*fit_arguments(table, folder / "undisturbed"))
    assert (folder / "my model").read_bytes() == (folder / "undisturbed").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["my model", "train.csv", "undisturbed"]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_keeps_what_was_there(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, kept = table.parent / "model", table.parent / "kept"
    model.write_text("old")
    arguments = (*fit_arguments(table, model), "--checkpoint", kept)

    def refused() -> str:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            said = run(*arguments, code=2).stderr
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert model.read_text() == "old"
        return said

    assert refused().endswith("alarmnet-target.checkpoint could not be written: File too large\n")
    with monkeypatch.context() as patch:
        patch.setattr(BaseDetector, "save", interrupted)
        run(*arguments, code=130)
    assert refused().endswith("model could not be written: File too large\n")
    assert kept_steps(kept) == "target finished, second alarm finished"
    run(*arguments)
    assert isinstance(load(model), A3Detector)
    assert not kept.exists()
