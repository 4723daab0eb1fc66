"""
Anomalies: payments, networks, laboratories
===========================================

Rows of low density are unusual. The detector promises how often it cries wolf: the threshold is that below which the fitted
mixture itself would draw one row of a hundred. All three data sets are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

import mixtura

rng = np.random.default_rng(0)


def report(name, detector, ordinary, strange):
    """False alarms on ordinary rows, detections of strange ones, and the area under the ROC curve."""
    alarms, found = (detector.predict(ordinary) == -1).mean(), (detector.predict(strange) == -1).mean()
    scores = -np.concatenate([detector.score_samples(ordinary), detector.score_samples(strange)])
    area = roc_auc_score(np.r_[np.zeros(len(ordinary)), np.ones(len(strange))], scores)
    print(f"{name}: false alarms {alarms:.1%} (promised 1 %), found {found:.0%}, ROC AUC {area:.3f}")


# %%
# **Payments.** Card use has habits: groceries in the afternoon, restaurants in the evening. A fraudulent payment is not large
# for a restaurant; it is large *for the hour*.

def payments(count):
    evening = rng.random(count) < 0.4
    hour = np.where(evening, rng.normal(20, 1.2, count), rng.normal(14, 2.5, count))
    return np.column_stack([hour, np.where(evening, rng.normal(4.2, 0.4, count), rng.normal(3.2, 0.6, count))])


fraud = np.column_stack([rng.normal(9, 2, 60), rng.normal(5.0, 0.5, 60)])
detector = mixtura.GaussianMixtureOutlierDetector(false_alarm_rate=0.01, random_state=0).fit(payments(3000))
ordinary = payments(3000)
report("payments", detector, ordinary, fraud)
detector.plot(np.concatenate([ordinary[:600], fraud]), kind="outliers")
plt.show()

# %%
# **A network.** Log packets, log bytes and log duration of connections of three services. A scan sends many packets of next to
# no bytes; each number by itself is ordinary.

def connections(count):
    service = rng.choice(3, count, p=[0.6, 0.3, 0.1])
    packets = rng.normal(np.array([2.0, 4.0, 6.0])[service], 0.7)
    size = packets + rng.normal(np.array([5.5, 6.5, 6.0])[service], 0.4)
    return np.column_stack([packets, size, rng.normal(np.array([0.5, 2.0, 4.0])[service], 0.6)])


packets = rng.normal(4.5, 0.5, 50)
scans = np.column_stack([packets, packets + rng.normal(4.0, 0.2, 50), rng.normal(0.5, 0.4, 50)])
detector = mixtura.GaussianMixtureOutlierDetector(random_state=0).fit(connections(4000))
report("connections", detector, connections(4000), scans)

# %%
# **A laboratory.** Three blood values that go together. Two tubes are swapped, or a decimal point slips; which value is wrong?
# The contributions say how much each feature adds to a row's strangeness, given the others.

def tests(count):
    level = rng.normal(0, 1, count)
    return np.column_stack([140 + 3 * level, 4.2 + 0.3 * level, 80 + 9 * level]) + rng.normal(0, [1.0, 0.1, 3.0], (count, 3))


slips = tests(40)
slips[np.arange(40), rng.integers(0, 3, 40)] *= 1.2
detector = mixtura.GaussianMixtureOutlierDetector(random_state=0).fit(tests(2000))
report("blood values", detector, tests(2000), slips)
one = slips[[0]]
print("values", one.round(1)[0], "contributions", np.round(detector.contributions(one)[0], 1))
