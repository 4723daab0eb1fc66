"""
Churn, with probabilities that mean something
=============================================

Who will leave? A letter costs money and so does losing a customer, so that the *probability* matters, not the label. A mixture for
each class gives one by Bayes' rule. The customers are simulated: those who leave come in two kinds, the disappointed and the
idle, which no single ellipse describes.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import train_test_split

import mixtura

rng = np.random.default_rng(0)


def customers(count):
    """Hours of use, complaints and months as a customer (standardised), and whether they left."""
    kind = rng.choice(3, count, p=[0.75, 0.15, 0.10])
    means = np.array([[0.4, -0.3, 0.3], [0.9, 1.6, -0.2], [-1.7, -0.5, -0.8]])
    spreads = np.array([[0.8, 0.5, 1.0], [0.6, 0.8, 0.8], [0.4, 0.4, 0.7]])
    return rng.normal(means[kind], spreads[kind]), (kind > 0).astype(int)


rows, left = customers(6000)
train, test, y_train, y_test = train_test_split(rows, left, test_size=0.5, random_state=0, stratify=left)
mixture = mixtura.GaussianMixtureClassifier("auto", random_state=0).fit(train, y_train)
logistic = LogisticRegression().fit(train, y_train)

# %%
# Held-out customers: does "30 %" leave in 30 of 100 cases? On the diagonal it does.

figure, axes = plt.subplots(layout="constrained")
for name, model, style in (("mixture for each class", mixture, "o-"), ("logistic regression", logistic, "s--")):
    probability = model.predict_proba(test)[:, 1]
    observed, said = calibration_curve(y_test, probability, n_bins=10)
    axes.plot(said, observed, style, label=name)
    print(f"{name}: log loss {log_loss(y_test, probability):.3f}, Brier score {brier_score_loss(y_test, probability):.3f}")
axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
axes.set(xlabel="probability that was said", ylabel="share that left", aspect="equal")
axes.legend()
plt.show()

# %%
# With a letter at 2 and a lost customer at 20, one writes to whoever leaves with more than 10 %:

probability = mixture.predict_proba(test)[:, 1]
print("letters:", int((probability > 0.1).sum()), "of", len(test))
print("reached among those who left:", f"{(probability[y_test == 1] > 0.1).mean():.0%}")
