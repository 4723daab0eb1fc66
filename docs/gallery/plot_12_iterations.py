"""
The iterations of EM
====================

What textbooks draw: each E step colours the points anew, each M step moves the ellipses. Old Faithful's eruptions, from a poor
random start.
"""

import matplotlib.pyplot as plt

import mixtura
from mixtura.datasets import load_old_faithful

data = load_old_faithful().data
model = mixtura.GaussianMixture(2, init_params="random_from_data", n_init=1, algorithm="em", trace=True, random_state=3).fit(data)
print(model.trace_.n_iterations, "iterations; log likelihood per row from", model.trace_.log_likelihoods[0].round(3), "to",
      model.trace_.log_likelihoods[-1].round(3))
model.trace_.strip()
plt.show()

# %%
# ``model.trace_.animate("em.gif")`` writes the moving picture. From the same start with acceleration, which is the default, beside
# plain EM: neither ever falls. Two groups as far apart as these need no acceleration.

accelerated = mixtura.GaussianMixture(2, init_params="random_from_data", n_init=1, trace=True, random_state=3).fit(data)
accelerated.plot(data, kind="convergence")
plt.show()
