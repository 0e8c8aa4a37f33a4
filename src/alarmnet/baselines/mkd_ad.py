"""Multiresolution knowledge distillation, from the paper: Salehi et al. (CVPR 2021)."""

from pathlib import Path
from typing import ClassVar, Unpack

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import torch_generator
from alarmnet._shared.validation import check_real, check_type
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.errors import InputError
from alarmnet.networks.layers import load_weights
from alarmnet.networks.training import Schedule, check_schedule, chosen_schedule

Widths = tuple[tuple[int, ...], ...]

VGG_16: Widths = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
"""Channels of the convolutions of each block."""

OWN: Widths = ((16, 16), (32, 32), (64, 64), (64, 64))
"""Channels of the convolutions of a teacher that is trained here."""

NARROW = 16
"""Channels of the cloner's convolutions; the last of a block has as many as the teacher's."""

PIXELS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Means and standard deviations that VGG-16's pixels are scaled by."""

TURNS = 4
"""Quarter turns that the teacher trained here tells apart."""

PRETRAINING = Schedule(steps=400, batch_size=128)
SCHEDULE = Schedule(epochs=50, batch_size=128)


class _Blocks(nn.Module):
    """Blocks of 3x3 convolutions and ReLU, each followed by a pooling, named as in VGG-16's files."""

    def __init__(self, channels: int, widths: Widths, *, bias: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.ends = []
        for block in widths:
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=bias, device="meta"), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            self.ends.append(len(layers))
        self.features = nn.Sequential(*layers)

    def forward(self, batch: Tensor) -> list[Tensor]:
        """Images (B, C, H, W) to the maps after each block."""
        found, start = [], 0
        for end in self.ends:
            batch = self.features[start:end](batch)
            start = end
            found.append(batch)
        return found


class _Turned(nn.Module):
    """A teacher with a head that tells by how many quarter turns an image was turned."""

    def __init__(self, teacher: _Blocks) -> None:
        super().__init__()
        self.teacher = teacher
        self.head = nn.Linear(OWN[-1][-1], TURNS, device="meta")

    def forward(self, batch: Tensor) -> Tensor:
        """Images (B, C, S, S) to logits (B, 4)."""
        logits: Tensor = self.head(self.teacher(batch)[-1].mean((2, 3)))
        return logits


class _Pair(nn.Module):
    """Teacher and cloner."""

    def __init__(self, teacher: _Blocks, cloner: _Blocks) -> None:
        super().__init__()
        self.teacher, self.cloner = teacher, cloner

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) to how far the cloner's maps are in value and in direction, (B,) and (B,)."""
        with torch.no_grad():
            wanted = self.teacher(batch)[1:]
        return discrepancies(wanted, self.cloner(batch)[1:])


def discrepancies(wanted: list[Tensor], cloned: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Sums over layers of the mean squared difference, and of 1 less the cosine (equations 1 and 2).

    >>> discrepancies([torch.tensor([[3.0, 0.0]])], [torch.tensor([[0.0, 4.0]])])
    (tensor([12.5000]), tensor([1.]))
    """
    pairs = [(one.flatten(1), other.flatten(1)) for one, other in zip(wanted, cloned, strict=True)]
    values = torch.stack([(one - other).square().mean(1) for one, other in pairs]).sum(0)
    directions = torch.stack([1 - functional.cosine_similarity(*pair) for pair in pairs]).sum(0)
    return values, directions


def _read_teacher(path: str | Path) -> _Blocks:
    """VGG-16 with the weights of a file.

    Raises
    ------
    InputError
        There is no such file, or it does not hold the weights of VGG-16.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file with the weights of a VGG-16", code="missing_file")
    teacher = _Blocks(3, VGG_16, bias=True)
    try:
        held = load_file(path)
        load_weights(teacher, {name: held[name] for name in teacher.state_dict()})
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path} does not hold the weights of a VGG-16 in safetensors, named as torchvision names them "
            f"(features.0.weight and so on): {str(error).splitlines()[0]}",
            code="invalid",
        ) from error
    return teacher


class MKDAD(NeuralBaseline):
    """How differently a small network answers than the large one that it learned to imitate on normal images.

    A teacher gives maps of features behind each block of convolutions; a narrow cloner, without biases, learns to
    give the same for the images that are no known anomaly, in value and in direction, at all blocks but the first.
    It needs no label. It reads images alone.

    Parameters
    ----------
    teacher
        A safetensors file with the weights of VGG-16, named as torchvision names them (the paper's is trained on
        ImageNet). None: a small network of the same kind, **trained here** to tell by how many quarter turns the
        same normal images were turned. This network has seen no other images, so it is a weaker teacher than the
        paper's.
    direction_weight
        The paper's lambda: the weight of the difference in direction in the loss and in the score. None: the weight
        that makes both terms equal before training.
    pretraining_schedule
        How long the small network trains if no teacher is given. None: 400 steps of 128 images.
    schedule
        How long the cloner trains. None: 50 epochs of 128 images a step at a learning rate of 1e-3.
    encoder
        Not used, since this method reads only images.
    anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Raises
    ------
    InputError
        The rows are of a table, or the file holds no VGG-16.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 50, (60, 8, 8), dtype=np.uint8)
    >>> model = MKDAD(pretraining_schedule=Schedule(steps=5), schedule=Schedule(steps=50), random_state=0)
    >>> scores = model.fit(images).decision_function
    >>> bool(scores(images * 5).min() > scores(images).max())
    True
    """

    name: ClassVar[str] = "mkd-ad"
    learns_from_labels: ClassVar[bool] = False
    reads_tables: ClassVar[bool] = False
    _network: _Pair

    def __init__(
        self,
        *,
        teacher: str | Path | None = None,
        direction_weight: float | None = None,
        pretraining_schedule: Schedule | None = None,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.teacher = teacher
        self.direction_weight = direction_weight
        self.pretraining_schedule = pretraining_schedule

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_type(self, "teacher", self.teacher, str, Path)
        check_schedule(self, "pretraining_schedule", self.pretraining_schedule)
        if self.direction_weight is not None:
            check_real(self, "direction_weight", self.direction_weight, 0, open_ends=False)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        normal = torch.from_numpy(normal_rows(labels))
        if self.teacher is None:
            widths, teacher = OWN, self._trained_teacher(rows, normal)
        else:
            widths, teacher = VGG_16, _read_teacher(self.teacher).to(rows.device)
        channels = next(teacher.parameters()).shape[1]
        narrow = tuple((*[NARROW] * (len(block) - 1), block[-1]) for block in widths)
        cloner = _Blocks(channels, narrow, bias=False)
        self._start(cloner, rows)
        network = self._network = _Pair(teacher.requires_grad_(False), cloner)
        with torch.no_grad():
            first = network(self._seen(rows[normal[:1024]]))
        alike = float(first[0].mean() / first[1].mean().clamp(min=1e-6))
        self.direction_weight_ = alike if self.direction_weight is None else self.direction_weight
        self._train(
            cloner,
            lambda index: self._block_scores(rows[index]).mean(),
            name="cloner",
            over=normal,
            schedule=chosen_schedule(self.schedule, SCHEDULE),
            device=rows.device,
        )

    def _trained_teacher(self, rows: Tensor, normal: Tensor) -> _Blocks:
        """A teacher that learned to tell how images, padded to squares, were turned."""
        channels, *sides = rows.shape[1:]
        turned = _Turned(_Blocks(channels, OWN, bias=True))
        self._start(turned, rows)
        draws = torch_generator(self.seed_, "turns")
        padding = (0, max(sides) - sides[1], 0, max(sides) - sides[0])

        def loss(index: Tensor) -> Tensor:
            turns = torch.randint(TURNS, (len(index),), generator=draws)
            images = functional.pad(rows[index], padding)
            seen = torch.stack(
                [image.rot90(int(count), (1, 2)) for image, count in zip(images, turns, strict=True)]
            )
            return functional.cross_entropy(turned(seen), turns.to(rows.device))

        self._train(
            turned,
            loss,
            name="teacher",
            over=normal,
            schedule=chosen_schedule(self.pretraining_schedule, PRETRAINING),
            device=rows.device,
        )
        return turned.teacher

    def _seen(self, images: Tensor) -> Tensor:
        """Images as input for the teacher: VGG-16 has three channels, scaled."""
        if self.teacher is None:
            return images
        means, deviations = (torch.tensor(numbers, device=images.device).view(3, 1, 1) for numbers in PIXELS)
        return (images.expand(-1, 3, -1, -1) - means) / deviations

    def _block_scores(self, block: Tensor) -> Tensor:
        values, directions = self._network(self._seen(block))
        scores: Tensor = values + self.direction_weight_ * directions
        return scores
