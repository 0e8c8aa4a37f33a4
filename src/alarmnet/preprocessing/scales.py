"""How numbers are brought near [0, 1]."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri
from torch import Tensor

from alarmnet.preprocessing.cells import FLOAT32_LIMIT, Floats

Scaling = Literal["quantile", "minmax", "standard", "quantile-normal"]

KNOTS = 256
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
LARGEST_OUTPUT = 1e6
TAIL = 1e-7


def require(condition: bool, what: str) -> None:
    """Refuse a stored value that learning could not have made."""
    if not condition:
        raise ValueError(f"a stored column is damaged: {what}")


def are_numbers(*numbers: object) -> bool:
    """Whether these can have come from cells, or differences of them: no cell lies beyond float32."""
    return all(isinstance(number, float) and abs(number) <= 2 * FLOAT32_LIMIT for number in numbers)


def _usable(*scales: float) -> float:
    """Return the first scale that can be divided by, else 1."""
    return next((float(scale) for scale in scales if scale >= SMALLEST_SCALE), 1.0)


def linearly(values: Floats, shift: Floats | float, scale: Floats | float) -> Floats:
    """(value - shift) / scale, held within a million; arrays must broadcast."""
    return np.clip((values - shift) / scale, -LARGEST_OUTPUT, LARGEST_OUTPUT)


@dataclass(frozen=True)
class LinearScale:
    """(value - shift) / scale, held within a million so that float32 stays finite."""

    shift: float
    scale: float

    def __post_init__(self) -> None:
        require(are_numbers(self.shift, self.scale) and self.scale >= SMALLEST_SCALE, "linear scale")

    @classmethod
    def between(cls, low: float, high: float) -> "LinearScale":
        """Make the scale that moves ``low`` to 0 and ``high`` to 1; equal ones are not stretched."""
        return cls(shift=low, scale=_usable(high - low))

    def __call__(self, values: Floats) -> Floats:
        """Scale (N,) finite numbers."""
        return linearly(values, self.shift, self.scale)

    def of_tensor(self, values: Tensor) -> Tensor:
        """Scale finite doubles of any shape, in place, to the same bits."""
        return values.sub_(self.shift).div_(self.scale).clamp_(-LARGEST_OUTPUT, LARGEST_OUTPUT)


@dataclass(frozen=True)
class QuantileScale:
    """The share of training values below, linear between knots; grows as a log beyond the range."""

    knots: Sequence[float]
    positions: Sequence[float]
    spread: float
    normal: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "knots", list(self.knots))
        object.__setattr__(self, "positions", list(self.positions))
        require(are_numbers(*self.knots, *self.positions, self.spread), "quantiles that are no numbers")
        require(0 < len(self.knots) == len(self.positions), "quantiles of unequal number")
        require(
            bool(np.all(np.diff(self.knots) > 0) and np.all(np.diff(self.positions) > 0)), "quantile order"
        )
        require(0 <= self.positions[0] <= self.positions[-1] <= 1, "quantiles outside [0, 1]")
        require(self.spread >= SMALLEST_SCALE and type(self.normal) is bool, "spread")

    def __call__(self, values: Floats) -> Floats:
        """Scale (N,) finite numbers."""
        knots, positions = self._curve
        order = np.argsort(values)  # one after the other they are found three times as fast
        scaled = np.empty_like(values)
        scaled[order] = np.interp(values[order], knots, positions).clip(positions[0], positions[-1])
        bottom, top = 0.0, 1.0
        if self.normal:
            scaled = ndtri(np.clip(scaled, TAIL, 1 - TAIL))
            bottom, top = ndtri(TAIL), ndtri(1 - TAIL)
        below, above = values < knots[0], values > knots[-1]
        scaled[below] = bottom - np.log1p((knots[0] - values[below]) / self.spread)
        scaled[above] = top + np.log1p((values[above] - knots[-1]) / self.spread)
        return scaled

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        return np.array(self.knots), np.array(self.positions)


Scale = LinearScale | QuantileScale
_SCALES: dict[str, type[Scale]] = {"linear": LinearScale, "quantile": QuantileScale}


def _learn_minmax(values: Floats) -> Scale:
    return LinearScale.between(float(values.min()), float(values.max()))


def _learn_standard(values: Floats) -> Scale:
    # the mean of equal values can differ from them in the last bit
    constant = np.ptp(values) == 0
    return LinearScale(
        shift=float(values[0] if constant else values.mean()),
        scale=1.0 if constant else _usable(values.std()),
    )


def _learn_quantiles(values: Floats, *, normal: bool = False) -> Scale:
    distinct, counts = np.unique(values, return_counts=True)
    ends = np.cumsum(counts)
    # the middle of a block of ties, from 0 for the first row to 1 for the last
    positions = (ends - (counts + 1) / 2) / (len(values) - 1) if len(values) > 1 else np.array([0.5])
    chosen = np.searchsorted(ends, np.linspace(0, len(values) - 1, KNOTS), side="right")
    # without its neighbours a heavy block would bend the curve around it
    heavy = chosen[counts[chosen] * KNOTS >= len(values)]
    chosen = np.unique(np.concatenate([chosen, heavy - 1, heavy + 1]).clip(0, len(distinct) - 1))
    low, high = distinct[np.searchsorted(ends, np.array([0.25, 0.75]) * (len(values) - 1), side="right")]
    return QuantileScale(
        knots=distinct[chosen].tolist(),
        positions=positions[chosen].tolist(),
        spread=_usable(high - low, distinct[-1] - distinct[0]),
        normal=normal,
    )


SCALINGS: dict[Scaling, Callable[[Floats], Scale]] = {
    "quantile": _learn_quantiles,
    "minmax": _learn_minmax,
    "standard": _learn_standard,
    "quantile-normal": lambda values: _learn_quantiles(values, normal=True),
}


def scale_to_dict(scale: Scale) -> dict[str, Any]:
    """JSON-ready values, for `scale_from_dict`."""
    form = next(name for name, kind in _SCALES.items() if type(scale) is kind)
    return {"form": form} | asdict(scale)


def scale_from_dict(state: Mapping[str, Any]) -> Scale:
    """Undo `scale_to_dict`."""
    values = dict(state)
    return _SCALES[values.pop("form")](**values)
