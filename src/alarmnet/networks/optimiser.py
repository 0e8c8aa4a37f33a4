"""Adam with decoupled weight decay, by PyTorch's fused kernel alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)
EPSILON = 1e-8


@contextmanager
def flushing_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for zero, where this thread computes alone; its setting again afterwards.

    The moments of weights whose gradients have become zero decay to such numbers, with which processors compute
    many times slower. A weight is changed by less than 1e-29.
    """
    if torch.get_num_threads() > 1:  # the setting is a thread's own, and new threads inherit it
        yield
        return
    flushed = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


class AdamW:
    """What `torch.optim.AdamW(fused=True)` does; called with a learning rate, takes a step.

    It is for weights that have a gradient at every step, or never.

    Small networks are trained in steps shorter than the checks around PyTorch's kernel, and making one of its
    optimisers imports its compiler, which takes longer than many a fit.

    Attributes
    ----------
    moments
        What is kept of each weight, by the moment's and the weight's name.
    steps
        How many steps have been taken.
    """

    def __init__(self, network: nn.Module, *, weight_decay: float = 0.0) -> None:
        self.weights = dict(network.named_parameters())
        self.weight_decay = weight_decay
        self.moments = {
            moment: {name: torch.zeros_like(weight.detach()) for name, weight in self.weights.items()}
            for moment in ("exp_avg", "exp_avg_sq")
        }
        self.steps = torch.zeros((), device=next(iter(self.weights.values())).device)

    @torch.no_grad()
    def __call__(self, learning_rate: float) -> None:
        """Take a step by the gradients that the weights have."""
        moved = {
            name: (weight, weight.grad) for name, weight in self.weights.items() if weight.grad is not None
        }
        if not moved:
            return
        first, second = ([moments[name] for name in moved] for moments in self.moments.values())
        self.steps.add_(1)
        with flushing_denormals():
            torch._fused_adamw_(
                [weight for weight, _ in moved.values()],
                [gradient for _, gradient in moved.values()],
                first,
                second,
                [],
                [self.steps] * len(moved),
                amsgrad=False,
                lr=learning_rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self.weight_decay,
                eps=EPSILON,
                maximize=False,
            )

    def kept(self) -> dict[str, Tensor]:
        """All that a step changes apart from the weights."""
        return {"steps": self.steps} | {
            f"{moment}.{name}": tensor
            for moment, tensors in self.moments.items()
            for name, tensor in tensors.items()
        }
