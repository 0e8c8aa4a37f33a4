"""Ten known anomalies are enough to learn from: malignant tumours among benign ones."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score

from alarmnet import A3Detector

rows, benign = load_breast_cancer(return_X_y=True, as_frame=True)
malignant = (benign == 0).to_numpy()

# Half of the benign rows and ten malignant ones are known; the other rows are for testing.
random = np.random.default_rng(0)
known = random.choice(np.flatnonzero(malignant), 10, replace=False)
normal = random.choice(np.flatnonzero(~malignant), 180, replace=False)
train = np.concatenate([normal, known])
test = np.setdiff1d(np.arange(len(rows)), train)

detector = A3Detector(alarm_rate=0.05, random_state=0).fit(rows.iloc[train], malignant[train])
forest = IsolationForest(random_state=0).fit(rows.iloc[normal])

scores = detector.decision_function(rows.iloc[test])  # higher is more anomalous, above 0 is an alarm
print(f"average precision with 10 labels: {average_precision_score(malignant[test], scores):.3f}")
scores = -forest.score_samples(rows.iloc[test])
print(f"isolation forest, no labels:      {average_precision_score(malignant[test], scores):.3f}")
