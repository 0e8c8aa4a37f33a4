"""Choose the share of normal rows that may raise an alarm, and change it without training."""

import numpy as np
from sklearn.datasets import load_digits

from alarmnet import A3Detector

pixels, digit = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(pixels))
normal = order[digit[order] != 8]
train, fresh = normal[:1000], normal[1000:]
eights = np.flatnonzero(digit == 8)

rows = np.concatenate([pixels[train], pixels[eights[:10]]])
labels = np.repeat([0, 1], [len(train), 10])  # 0 is normal, 1 is a known anomaly
detector = A3Detector(alarm_rate=0.05, random_state=0).fit(rows, labels)

# Only 200 rows set the threshold, so the rate on fresh rows varies by some points with the draw of these rows.
for rate in (0.05, 0.02, 0.10):
    detector.set_alarm_rate(rate)
    raised = detector.predict(pixels[fresh]).mean()
    found = detector.predict(pixels[eights[10:]]).mean()
    print(
        f"{rate:.0%} requested: alarms on {raised:.1%} of {len(fresh)} new normal rows, {found:.0%} of the eights"
    )
