"""A network that the user already has, read unchanged, such as a trained classifier (A3, experiment 3)."""

import copy
import threading
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alarmnet._shared.random_streams import global_random_state
from alarmnet.errors import InputError, InputTypeError
from alarmnet.networks.targets.base import Target, TargetNetwork

FEW = 4
"""Rows of a batch that shows whether each is read on its own."""


class _Record(threading.local):
    """What hooks of this thread note: outputs by layer, and how often each output had been written to."""

    outputs: dict[nn.Module, tuple[Tensor, int]] | None = None


_RECORD = _Record()


class _Noting:
    """A hook that notes what a layer puts out, for the thread that reads."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, layer: nn.Module, _inputs: object, output: object) -> None:
        if _RECORD.outputs is None:
            return
        if not isinstance(output, Tensor):
            raise InputError(
                f"layer {self.name!r} puts out {type(output).__name__}; alarmnet reads tensors",
                code="unread_layer",
            )
        _RECORD.outputs[layer] = output, _version(output)


def _version(tensor: Tensor) -> int:
    """How often a tensor has been written to; 0 in inference mode, where PyTorch does not count."""
    return 0 if tensor.is_inference() else tensor._version


class ExternalTargetNetwork(TargetNetwork):
    """Wraps a copy of the user's module; it is never trained and always runs in evaluation mode.

    Hooks stay on the copy for good, and note something only for a thread that is reading: hooks that came and went
    with each reading would show one thread the rows of another.
    """

    trainable = False

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self.layers = tuple(f"module.{name}" for name in layers)
        named = {name: layer for name, layer in module.named_modules() if name}
        for name in layers:
            if name not in named:
                raise InputError(
                    f"the target has no layer {name!r}; its layers are: {', '.join(named)}",
                    code="unknown_layer",
                )
            named[name].register_forward_hook(_Noting(name))

    def train(self, mode: bool = True) -> "ExternalTargetNetwork":
        """Stay in evaluation mode, whatever is asked."""
        return super().train(mode=False)

    def forward(self, batch: Tensor) -> Tensor:
        """Run the user's module without touching the global random state."""
        with global_random_state(batch.device):
            output: Tensor = self.module(batch)
        return output

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The named layers' outputs, and the module's.

        Raises
        ------
        InputError
            A layer never ran, or put out no tensor, or one that a later layer has overwritten, as far as PyTorch
            keeps count.
        """
        noted: dict[nn.Module, tuple[Tensor, int]] = {}
        before, _RECORD.outputs = _RECORD.outputs, noted  # the module may itself ask another detector
        try:
            output = self(inputs)
        finally:
            _RECORD.outputs = before
        layers = [(name.removeprefix("module."), self.get_submodule(name)) for name in self.layers]
        if unread := [name for name, layer in layers if layer not in noted]:
            raise InputError(
                f"the target's forward pass never ran the layer(s) {', '.join(unread)}", code="unread_layer"
            )
        overwritten = [name for name, layer in layers if _version(noted[layer][0]) != noted[layer][1]]
        if overwritten:
            raise InputError(
                f"what layer {overwritten[0]!r} puts out is overwritten by a layer that works in place; read that "
                "layer",
                code="unread_layer",
            )
        return [noted[layer][0] for _, layer in layers], output

    def row_losses(self, batch: Tensor) -> Tensor:
        """Refuse: the module comes trained."""
        raise NotImplementedError("an external target is used as it is and never trained")


class ExternalTarget(Target):
    """Any `torch.nn.Module`, already trained on what is normal, with the layers to read.

    Parameters
    ----------
    module
        Takes the encoded rows, (B, F) or (B, C, H, W) float32 in about [0, 1], and each on its own: it is refused
        if other rows of a batch change what it makes of one. A copy of it is read, and never changed.
    layers
        Names as `module.named_modules()` gives them; usually the hidden ReLUs.

    Examples
    --------
    >>> classifier = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> ExternalTarget(classifier, layers=["1"]).build((4,)).layers
    ('module.1',)
    """

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        if not isinstance(module, nn.Module):
            raise InputTypeError(
                f"The 'module' parameter of ExternalTarget must be a torch.nn.Module. Got {module!r} instead.",
                code="invalid_parameter",
            )
        if isinstance(layers, str):
            raise InputTypeError(
                f"The 'layers' parameter of ExternalTarget must be a list of names. Got {layers!r} instead.",
                code="invalid_parameter",
            )
        self.module = module
        self.layers = tuple(layers)

    def __repr__(self) -> str:
        return f"ExternalTarget({type(self.module).__name__}, layers={list(self.layers)})"

    def build(self, shape: tuple[int, ...]) -> ExternalTargetNetwork:
        """Wrap the module; a few rows show whether it reads rows of this shape, each on its own."""
        if not self.layers:
            raise InputError(
                "ExternalTarget needs the names of the layers to read; got none", code="unknown_layer"
            )
        network = ExternalTargetNetwork(copy.deepcopy(self.module), self.layers)
        device = next((weights.device for weights in network.parameters()), torch.device("cpu"))
        rows, others = torch.rand((2, FEW, *shape), generator=torch.Generator().manual_seed(0)).to(device)
        others[0] = rows[0]
        try:
            with torch.no_grad():
                pairs = zip(network.eval().activations(rows), network.activations(others), strict=True)
        except RuntimeError as error:
            raise InputError(
                f"the target cannot read encoded rows of shape {shape}: {error}", code="wrong_shape"
            ) from error
        for name, (one, other) in zip(self.layers, pairs, strict=True):
            if one.shape[:1] != (FEW,):
                raise InputError(
                    f"for {FEW} rows, layer {name!r} puts out the shape {tuple(one.shape)}; its first number "
                    f"must be that of the rows, {FEW}",
                    code="wrong_shape",
                )
            if not torch.allclose(one[0].float(), other[0].float(), rtol=1e-3, atol=1e-5, equal_nan=True):
                raise InputError(
                    f"what layer {name!r} puts out for a row depends on the other rows of its batch, so a score "
                    "would depend on them too. Let the target use no mean or deviation of a batch (as "
                    "x - x.mean(0) and BatchNorm with track_running_stats=False do)",
                    code="batch_dependent",
                )
        return network
