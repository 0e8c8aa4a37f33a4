"""The bare matrix products of some work: recorded while the work runs, then repeated with nothing between them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
PRODUCTS = {
    aten.mm.default,
    aten.addmm.default,
    aten.linear.default,
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.conv2d.default,
    aten.conv_transpose2d.input,
}


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While open, keeps every matrix product and convolution, forward and backward; a call repeats these.

    They are repeated with the same number of threads as before, without a bias, without gradients and without the
    work between them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.threads = 1
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def __torch_dispatch__(
        self, function: Any, _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and keep it if it is a product."""
        kwargs = kwargs or {}
        if function in PRODUCTS:
            self.threads = torch.get_num_threads()
            kept = tuple(value.detach().clone() if isinstance(value, Tensor) else value for value in args)
            self.calls.append(_without_bias(function, kept, kwargs))
        return function(*args, **kwargs)

    def __call__(self) -> None:
        """Repeat the products."""
        with torch.inference_mode(), set_threads(self.threads):
            for function, args, kwargs in self.calls:
                function(*args, **kwargs)


def _without_bias(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    if function is aten.addmm.default:
        return torch.mm, args[1:3], {}
    if function is aten.linear.default:
        return torch.mm, (args[0], args[1].T), {}
    return function, args, kwargs


@contextmanager
def set_threads(threads: int) -> Iterator[None]:
    """Use this number of threads in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor_clock() -> float:
    """Processor seconds of this process, which other processes hardly change; on a GPU, seconds on the clock."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def seconds_of(call: Callable[[], object], clock: Callable[[], float] = processor_clock) -> float:
    """Seconds of one call."""
    start = clock()
    call()
    return clock() - start
