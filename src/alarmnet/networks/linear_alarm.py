"""The loss of a linear alarm, with its gradient in closed form: faster than automatic differentiation."""

import torch
from torch import Tensor
from torch.nn import functional

from alarmnet.networks.alarms import DOUBT, DenseAlarmNetwork


def is_linear(alarm: DenseAlarmNetwork) -> bool:
    """Whether the alarm is one layer that reads all numbers at every step."""
    return not alarm.hidden and not alarm.dropout.rate


@torch.no_grad()
def linear_alarm_loss(
    alarm: DenseAlarmNetwork, heard: Tensor, labels: Tensor, *, known_weight: float, doubted: Tensor | None
) -> Tensor:
    """`alarm_loss` of a linear alarm without synthetic anomalies, a scalar; its weights get their gradients.

    Parameters
    ----------
    heard
        What the alarm reads of the batch's rows, and then of known anomalies: (B + K, A).
    labels, known_weight, doubted
        As in `alarm_loss`.
    """
    layer = alarm.output
    logits = torch.addmv(layer.bias, heard, layer.weight[0])
    real, known = logits[: len(labels)], logits[len(labels) :]
    losses = functional.binary_cross_entropy_with_logits(real, labels, reduction="none")
    slopes = (real.sigmoid() - labels) / len(real)
    if doubted is not None:
        trusted = (-DOUBT * losses).exp()
        losses = torch.where(doubted, (1 - trusted) / DOUBT, losses)
        slopes = torch.where(doubted, slopes * trusted, slopes)
    loss = losses.mean()
    if len(known):
        loss = loss + known_weight * functional.softplus(-known).mean()
        slopes = torch.cat([slopes, (-known).sigmoid() * (-known_weight / len(known))])
    layer.weight.grad, layer.bias.grad = slopes[None] @ heard, slopes.sum()[None]
    return loss
