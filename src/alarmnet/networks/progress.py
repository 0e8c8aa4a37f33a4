"""Shows a training run as it goes."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from alarmnet.networks import training


@contextmanager
def shown_progress() -> Iterator[training.ProgressFunction]:
    """A progress bar a network on standard error, with the step, the loss and the time left."""
    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        TextColumn("step {task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(state: training.Progress) -> None:
            if state.network not in tasks:
                tasks[state.network] = bars.add_task(state.network, total=state.steps, loss="")
            watched = "" if state.validation_loss is None else f", held out {state.validation_loss:.4f}"
            bars.update(
                tasks[state.network],
                completed=state.step,
                total=state.step if state.stops else state.steps,
                loss=f"loss {state.loss:.4f}{watched}{', stopped early' if state.stops else ''}",
            )

        yield show


@contextmanager
def progress_for(verbose: bool | training.ProgressFunction) -> Iterator[training.ProgressFunction | None]:
    """Give the function to tell of training: bars for True, the caller's own, or None."""
    if callable(verbose) or not verbose:
        yield verbose or None
    else:
        with shown_progress() as show:
            yield show
