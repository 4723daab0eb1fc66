"""
Customer segments
=================

Segments of customers overlap: someone can be mostly a bargain hunter and a little a regular. The responsibilities say how
much. The customers here are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mixtura

rng = np.random.default_rng(0)
kinds = {  # share, then mean and spread of log orders a year, log basket, share bought on offer
    "regulars": (0.45, (2.6, 3.4, 0.25), (0.35, 0.30, 0.08)),
    "bargain hunters": (0.30, (1.9, 2.9, 0.70), (0.40, 0.35, 0.10)),
    "big baskets": (0.15, (1.2, 5.0, 0.20), (0.30, 0.40, 0.08)),
    "one-timers": (0.10, (0.2, 3.3, 0.45), (0.15, 0.50, 0.20)),
}
truth = rng.choice(len(kinds), 2000, p=[share for share, _, _ in kinds.values()])
means = np.array([mean for _, mean, _ in kinds.values()])
spreads = np.array([spread for _, _, spread in kinds.values()])
customers = pd.DataFrame(
    rng.normal(means[truth], 1.7 * spreads[truth]), columns=["log orders", "log basket", "share on offer"]
)

# %%
# BIC chooses both how many segments there are and how their covariances are alike.

choice = mixtura.GaussianMixtureIC(range(1, 8), random_state=0).fit(customers)
model = choice.best_estimator_
print(choice.best_params_)
print(model.summary())

# %%
# What makes each segment different, feature by feature:

model.plot(customers, kind="profile")
plt.show()

# %%
# And how surely customers belong. Pale, large points are those between segments, to whom one would not send a letter that
# only suits one of them.

model.plot(customers, kind="uncertainty")
plt.show()
unsure = model.predict_proba(customers).max(axis=1) < 0.8
print(f"{unsure.mean():.0%} of the customers belong to no segment with a probability of 0.8")
