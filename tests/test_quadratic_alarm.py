"""A kernel alarm that weighs columns, measures, and products of two of them."""

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from alarmnet.networks.kernel_alarm import CURVED, MOST, quadratic
from alarmnet.networks.quadratic_alarm import QuadraticAlarm


def drawn(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_its_kernel_is_the_square_of_one_plus_a_share_of_the_product() -> None:
    rows, others = drawn(3, 4, 0), drawn(5, 4, 1)
    expected = torch.stack([(1 + CURVED * (others * row).sum(1) / 7) ** 2 for row in rows])
    torch.testing.assert_close(quadratic(rows, others, torch.tensor(7.0)), expected.double())


def test_it_finds_products_of_columns() -> None:
    columns, measures = drawn(1_500, 2, 0), drawn(1_500, 1, 1)
    anomalous = columns.prod(1) > 1
    normal, known = ((columns[of], measures[of]) for of in (~anomalous, anomalous.nonzero()[:25, 0]))
    alarm = QuadraticAlarm.learned(normal, known)
    found = alarm(drawn(500, 2, 2), drawn(500, 1, 3))
    assert roc_auc_score(drawn(500, 2, 2).prod(1) > 1, found) > 0.9


def test_the_scale_of_measures_does_not_matter() -> None:
    columns, measures = drawn(100, 2, 0), drawn(100, 2, 1)
    known = drawn(10, 2, 2), drawn(10, 2, 3) + 3
    says = QuadraticAlarm.learned((columns, measures), known)(*known)
    changed = [1_000 * of - 5_000 for of in (measures, known[1])]
    again = QuadraticAlarm.learned((columns, changed[0]), (known[0], changed[1]))(known[0], changed[1])
    assert says.max() > 0.5
    torch.testing.assert_close(again, says, rtol=1e-3, atol=1e-3)


def test_it_is_the_same_after_it_got_its_columns_back() -> None:
    normal, known = (drawn(3 * MOST, 2, 0), drawn(3 * MOST, 3, 1)), (drawn(20, 2, 2) + 2, drawn(20, 3, 3))
    alarm = QuadraticAlarm.learned(normal, known)
    again = QuadraticAlarm(MOST, 20, 2, 3)
    again.load_state_dict(alarm.state_dict())
    again.compare(normal[0])
    assert alarm(*known).max() > 0.5
    assert torch.equal(again(*known), alarm(*known))
    assert "alarm.rows" not in alarm.state_dict()


def test_weights_that_cancel_leave_hardly_any_rounding() -> None:
    normal, known = (drawn(400, 12, 0), drawn(400, 3, 1)), (drawn(16, 12, 2), drawn(16, 3, 3))
    alarm = QuadraticAlarm.learned(normal, known)
    alarm.alarm.weights *= 1e4
    alarm.alarm.offset = torch.tensor(1.5)
    rows = torch.cat(normal, dim=1).clamp(-5, 5)
    products = rows.double() @ alarm.alarm.rows.double().T
    alike = (1 + CURVED * products / alarm.alarm.spread.double()) ** 2
    exact = (alike @ alarm.alarm.weights.double() + 1.5).clamp(0, 3)
    assert ((exact > 0) & (exact < 3)).sum() > 9
    torch.testing.assert_close(alarm.alarm(rows).double(), exact, rtol=0, atol=1e-6)
