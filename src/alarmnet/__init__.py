"""alarmnet finds anomalies from a handful of labels by reading a neural network's hidden activations."""
