"""Times the convolutions of a step of `ConvA3Detector`, forward and backward, in other layouts and number formats.

    python -m benchmarks.conv_layouts --out benchmarks/results/conv_layouts.jsonl

Each convolution and deconvolution of the step runs on inputs of its size, one after the other, with nothing
between: channels last in float32, as in the detector; in the usual layout; and in bfloat16. Times are medians of 20
runs.
"""

import argparse
import copy
import json
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from experiments.provenance import provenance
from torch import Tensor, nn

from alarmnet import AlarmnetWarning, ConvA3Detector, Schedule
from alarmnet._shared.threads import threads_for
from alarmnet.detectors.conv_a3_scorer import read_maps

ROWS, BATCH = 1024, 128
SHAPES: dict[str, tuple[int, ...]] = {
    "MNIST, 1 x 28 x 28": (28, 28),
    "CIFAR-10, 3 x 32 x 32": (3, 32, 32),
    "table of 50 columns": (50,),
}


def median_of(call: Callable[[], object], repetitions: int = 20) -> float:
    """The median time of one call, in seconds."""
    call()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def trained(shape: tuple[int, ...]) -> ConvA3Detector:
    """A detector for rows of one shape, after two steps."""
    X = np.random.default_rng(0).random((ROWS, *shape), dtype=np.float32)
    schedule = Schedule(steps=2, batch_size=BATCH)
    return ConvA3Detector(schedule=schedule, random_state=0).fit(X, np.arange(ROWS) % 2)


def convolutions_of(detector: ConvA3Detector, shape: tuple[int, ...]) -> list[tuple[nn.Module, Tensor]]:
    """Every convolution of a step, with its input: as many anomalies as normal rows."""
    seen: list[tuple[nn.Module, Tensor]] = []
    networks = nn.ModuleList([detector._scorer.target, detector._scorer.alarm]).train()
    for layer in networks.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, given, _: seen.append((layer, given[0].detach())))
    batch = torch.rand(2 * BATCH, *shape, device=next(networks.parameters()).device)
    maps, _ = read_maps(detector._scorer.target, batch, "encoder", reconstructed=BATCH)
    detector._scorer.alarm(maps)
    return seen


def forward_and_backward(
    calls: list[tuple[nn.Module, Tensor]], layout: torch.memory_format, kind: torch.dtype
) -> Callable[[], None]:
    """A function that runs the convolutions."""
    ready = []
    for layer, given in calls:
        own = copy.deepcopy(layer).requires_grad_(True).to(dtype=kind, memory_format=layout)  # type: ignore[call-overload]
        own._forward_hooks.clear()
        batch = given.to(kind).contiguous(memory_format=layout).requires_grad_(True)
        ready.append((own, batch, torch.ones_like(own(batch))))

    def run() -> None:
        for own, batch, ones in ready:
            own(batch).backward(ones)

    return run


def measured(name: str, shape: tuple[int, ...]) -> dict[str, object]:
    """All ratios for rows of one shape."""
    detector = trained(shape)
    calls = convolutions_of(detector, tuple(detector._calibration_matrix.shape[1:]))
    last, usual = torch.channels_last, torch.contiguous_format
    floor = median_of(forward_and_backward(calls, last, torch.float32))
    found = {
        "convolutions, ms": 1e3 * floor,
        "usual layout / channels last": median_of(forward_and_backward(calls, usual, torch.float32)) / floor,
        "bfloat16 / float32": median_of(forward_and_backward(calls, last, torch.bfloat16)) / floor,
    }
    return {"shape": name, "rows a step": 2 * BATCH} | {key: round(x, 2) for key, x in found.items()}


def table(path: Path) -> Iterator[str]:
    """The results as Markdown."""
    results = [json.loads(line) for line in path.read_text().splitlines()]
    names = [name for name in results[0] if name not in provenance()]
    yield "| " + " | ".join(names) + " |"
    yield "|---" * len(names) + "|"
    for result in results:
        yield "| " + " | ".join(str(result[name]) for name in names) + " |"


def main() -> None:
    """Write one JSON line for each shape, and print the results as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    path = parser.parse_args().out
    warnings.simplefilter("ignore", AlarmnetWarning)
    with threads_for(math.inf):
        results = [measured(name, shape) | provenance() for name, shape in SHAPES.items()]
    path.write_text("".join(f"{json.dumps(result)}\n" for result in results))
    print("\n".join(table(path)))


if __name__ == "__main__":
    main()
