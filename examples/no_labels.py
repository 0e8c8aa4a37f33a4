"""Without labels: review rows in the queue's order, answer, and let the queue learn."""

from sklearn.datasets import load_digits

from alarmnet.loop import Queue

pixels, digit = load_digits(return_X_y=True)
keep = (digit != 8) | ((digit == 8).cumsum() <= 30)  # thirty eights hide among the other digits
pixels, is_eight = pixels[keep], digit[keep] == 8

queue = Queue(pixels, random_state=0)
for _ in range(5):
    for row in queue.next(10):
        queue.answer(row, "anomaly" if is_eight[row] else "normal")  # here you would look at the row
    queue.refit()
print(f"{queue.curve().found[-1]} of {is_eight.sum()} anomalies found in 50 looks at {len(pixels)} rows")

queue.refit_detector()  # the detector learns the answers, in seconds
alarms = queue.detector_.predict(pixels)
print(f"it now raises {alarms.sum()} alarms, {is_eight[alarms == 1].sum()} of them on anomalies")
