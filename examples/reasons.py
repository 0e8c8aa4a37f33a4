"""Why did a row score? In words, and as numbers for each column."""

import numpy as np
from sklearn.datasets import load_breast_cancer

from alarmnet import A3Detector

rows, benign = load_breast_cancer(return_X_y=True, as_frame=True)
labels = benign.map({0: 1.0, 1: 0.0})  # malignant tumours are the anomalies
labels[(labels == 1) & (labels.cumsum() > 20)] = np.nan  # twenty are known, the others were not looked at
detector = A3Detector(alarm_rate=0.05, random_state=0).fit(rows, labels)

highest = int(np.argmax(detector.decision_function(rows)))
explanation = detector.explain(rows, rows=[highest]).rows[0]
print(explanation.sentence)
for reason in explanation.reasons[:5]:
    print(f"{reason.contribution:+6.2f}  {reason.column}")
