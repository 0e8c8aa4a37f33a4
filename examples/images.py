"""Images: which pictures are odd, and which pixels raise the score."""

import numpy as np
from sklearn.datasets import load_digits

from alarmnet import ConvA3Detector, Schedule

digits = load_digits()
images, is_eight = digits.images, digits.target == 8
train, test = slice(0, 1200), slice(1200, None)
labels = is_eight[train].astype(float)
labels[labels.cumsum() > 20] = np.nan  # twenty eights are known

short = Schedule(steps=300, learning_rate=1e-3)  # the default trains longer
detector = ConvA3Detector(schedule=short, alarm_rate=0.05, random_state=0).fit(images[train], labels)
scores = detector.decision_function(images[test])
print(f"mean score of eights: {scores[is_eight[test]].mean():.2f}")
print(f"of other digits:      {scores[~is_eight[test]].mean():.2f}")

highest = int(np.argmax(scores))
explanation = detector.explain(images[test], rows=[highest]).rows[0]
print(explanation.sentence)
