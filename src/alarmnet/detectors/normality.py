"""Trains the parts of the default score for tables."""

import torch
from torch import Tensor

from alarmnet._shared.random_streams import SEED_LIMIT, numpy_generator
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.likeness_scorer import ALARM, LikenessScorer, raised_by
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.errors import TrainingDivergedError
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.category_order import CategoryOrder
from alarmnet.networks.contrast import FEWEST, Contrast
from alarmnet.networks.forests import around, boosted, bootstrapped, grown
from alarmnet.networks.kernel_alarm import KernelAlarm
from alarmnet.networks.nearness import MOST_STORED, Nearness, Neighbours, StoredRows
from alarmnet.networks.quadratic_alarm import QuadraticAlarm
from alarmnet.networks.spread import Spread, Whitening, show_directions
from alarmnet.networks.surprise import Surprise
from alarmnet.networks.symmetric_trees import boosted_symmetric
from alarmnet.networks.tails import Tails
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.trees import Trees

POOL = 10_000
"""The most normal rows, and the most known anomalies, that trees are grown on."""

MANY = 100_000
"""The most normal rows that symmetric trees on columns learn from."""

NUMBERS = 10_000_000
"""The most numbers of these rows, unless `POOL` rows have more."""

NORMAL_ROWS, DOUBTED_ROWS = 256, 64
"""Normal rows that a tree sees; fewer if some rows are unlabelled, so that few trees see a hidden anomaly."""

CONSIDERED = ("sqrt", 0.7)
"""The inputs that alternate trees consider for a cut: a few inputs find patterns over many columns, most inputs
find patterns in a few columns."""

DEEP, SHALLOW = (6,), (1, 4)
"""The questions that symmetric trees ask by turns: those on columns, and those of the joint forest. Trees that ask
one question add up what single numbers say; the others find conditions that meet."""

EVEN = 20
"""With so many known anomalies, the symmetric trees on columns count as much as the other forests there; with more,
up to twice as much. Conditions that meet take labels to find."""

WIDEST_ROTATED = 1_000
"""The most inputs that are rotated: the time to rotate a row grows with the square of their number."""

SMALLEST_LEAF = 8
"""The fewest rows of a leaf in the forest that separates normal rows from a box around them."""

MARGIN = 0.1
"""The margin of that box around the rows, as a share of its sides."""

EXTREME = 0.999
"""The share of normal rows whose strangeness is at most `StoredRows.extreme`."""


class NormalityTraining:
    """Stores normal rows, learns the measures of distance, grows or boosts the forests and trains the alarms.

    Parameters
    ----------
    target
        The trained target.
    training
        The data and settings of the alarms' training.
    order
        Of the categories; None if no column's categories have one.
    """

    def __init__(self, target: PiecewiseTarget, training: AlarmTraining, order: CategoryOrder | None) -> None:
        self._target, self._training, self._data = target, training, training.data
        self._order = None if order is None else order.to(training.data.rows.device)
        self._normal = self._data.all_normal(POOL)
        self._known = self._data.all_known(POOL)
        self._stored = self._data.all_normal(MOST_STORED)
        self._doubted = self._data.doubted
        self._seed = int(numpy_generator(training.seed, "forest").integers(SEED_LIMIT))

    @torch.no_grad()
    def without_known(self) -> NormalityScorer:
        """Learn the spread and the tails of normal rows; grow a forest that separates them from points around."""
        rows = self._data.rows.take(self._stored)
        matrix = rows.numpy(force=True)
        forest = grown(
            matrix,
            around(matrix, min(NORMAL_ROWS, len(matrix)), margin=MARGIN),
            considered=["sqrt"],
            normal_rows=NORMAL_ROWS,
            smallest_leaf=SMALLEST_LEAF,
            seed=self._seed,
        )
        nearness = Nearness(*rows.shape, few=not self._doubted).to(rows.device)
        nearness.learn(rows, self._data.errors_of(self._target, self._stored))
        spread = Spread(*rows.shape, few=not self._doubted).to(rows.device)
        spread.learn(nearness.stored, self._data.trusted)
        tails = _tails(nearness)
        scorer = NormalityScorer(self._target, nearness, [forest.to(rows.device)], [], spread, tails=tails)
        votes = scorer.votes(rows)
        scorer.vote_mean, scorer.vote_deviation = votes.mean(), votes.std(correction=0).clamp(min=1e-3)
        return scorer

    def with_known(self, history: dict[str, list[dict[str, float]]]) -> LikenessScorer:
        """Grow forests, and train a linear and two kernel alarms; the former's losses go into `history`."""
        linear, _ = DEFAULT_ALARMS["inputs"]
        alarm, history[linear.name] = self._training.train(linear, self._target.inputs)
        rows, known = (self._data.rows.take(of) for of in (self._stored, self._known))
        nearness = Neighbours(*rows.shape).to(rows.device)
        unlabelled = self._data.unlabelled[self._stored] if self._doubted else None
        surprise = Surprise()
        with torch.no_grad():
            nearness.learn(rows)
            scorer = LikenessScorer(
                self._target,
                nearness,
                self._whitening(nearness),
                Contrast(known, nearness.as_they_were) if len(known) >= FEWEST else None,
                _tails(nearness),
                KernelAlarm.learned(nearness.stored, nearness.scaled(known), unlabelled=unlabelled),
                surprise,
                [alarm],
                self._forests(),
            )
            scorer.to(rows.device)
            scorer.compare_activations(surprise)
            surprise.learn(scorer.said_by_target(self._target.inputs(nearness.as_they_were)))
            scorer.least = ALARM * alarm(self._target.inputs(rows)).min()
            scorer.raised = scorer.raised + raised_by(len(known))
            near, near_known = map(nearness.measured, (nearness.own_distances(), nearness.distances(known)))
            read = scorer.read_of_learned(rows, known=False)
            if not read.isfinite().all():
                raise TrainingDivergedError(
                    "the last training step left activations that are not finite; lower the learning rate"
                )
            nearness.extreme = scorer.strangeness(near, read).quantile(EXTREME)
            joined = scorer.joined(near, read)
            joined_known = scorer.joined(near_known, scorer.read_of_learned(known, known=True))
            measured = map(scorer.measured, (joined, joined_known))
            scorer.quadratic = QuadraticAlarm.learned(*measured, unlabelled=unlabelled)
            joint = boosted_symmetric(joined, joined_known, depths=SHALLOW, seed=self._seed)
            scorer.joint = joint.to(rows.device)
        return scorer

    def _forests(self) -> list[Trees]:
        """Forests that separate known anomalies from normal rows: randomised, boosted, and symmetric trees."""
        rows, anomalies = (self._data.rows.take(of) for of in (self._normal, self._known))
        settings = {"normal_rows": DOUBTED_ROWS if self._doubted else NORMAL_ROWS, "seed": self._seed}
        many = self._data.all_normal(max(POOL, min(MANY, NUMBERS // rows.shape[1])))
        known = self._in_order(anomalies)
        deep = boosted_symmetric(
            self._in_order(self._data.rows.take(many)), known, depths=DEEP, seed=self._seed
        )
        randomised = grown(
            self._in_order(rows).numpy(force=True),
            bootstrapped(known.numpy(force=True)),
            considered=CONSIDERED,
            **settings,
        )
        return [
            randomised.after(self._order),
            boosted(rows.numpy(force=True), bootstrapped(anomalies.numpy(force=True)), **settings),
            deep.after(self._order).weighted(2 * len(known) / (len(known) + EVEN)),
        ]

    def _in_order(self, rows: Tensor) -> Tensor:
        """Rows as the first and the third forest read them."""
        return rows if self._order is None else self._order(rows)

    def _whitening(self, nearness: Neighbours) -> Whitening | None:
        """The principal directions of normal rows; None if the table is too wide, or rows too few to show them."""
        rows, width = nearness.stored.shape
        if width > WIDEST_ROTATED or not show_directions(rows, width, self._data.trusted):
            return None
        whitening = Whitening(width).to(nearness.stored.device)
        whitening.learn(nearness.stored, self._data.trusted)
        return whitening


def _tails(nearness: StoredRows) -> Tails:
    """The tails of the stored rows' columns."""
    tails = Tails(nearness.stored.shape[1]).to(nearness.stored.device)
    tails.learn(nearness.stored, nearness.scale)
    return tails
