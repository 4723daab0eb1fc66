"""
Noise floor and activity
========================

When does a recording hold something? The energies of its frames have two humps: the noise floor, and what rises above it. A
mixture of two finds both levels without a threshold being set by hand. The recording is simulated.
"""

import matplotlib.pyplot as plt
import numpy as np

import mixtura

rng = np.random.default_rng(0)
rate, seconds, frame = 8000, 24, 160
time = np.arange(rate * seconds) / rate
active = np.zeros(time.size, dtype=bool)
for start, length in ((2.0, 3.1), (7.5, 1.4), (10.2, 4.0), (18.0, 2.5)):
    active |= (time >= start) & (time < start + length)
tone = np.sin(2 * np.pi * 440 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
signal = 0.05 * rng.normal(size=time.size) + np.where(active, 0.18 * tone, 0.0)

# %%
# Log energy of each frame of 20 ms. A frame's log energy under noise alone is nearly Gaussian.

frames = signal.reshape(-1, frame)
level = 10 * np.log10((frames**2).mean(axis=1))[:, None]
truth = active.reshape(-1, frame).mean(axis=1) > 0.5
model = mixtura.GaussianMixture(2, random_state=0).fit(level)
loud = int(np.argmax(model.means_[:, 0]))
floor, spread = model.means_[1 - loud, 0], np.sqrt(model.covariances_[1 - loud, 0, 0])
probability = model.predict_proba(level)[:, loud]
print(f"noise floor {floor:.1f} dB (spread {spread:.1f} dB); true {10 * np.log10(0.05**2):.1f} dB")
print(f"frames told rightly: {((probability > 0.5) == truth).mean():.1%}")

# %%
# Above, the signal with what was found active; below, the mixture of the levels.

figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 7), height_ratios=[1, 2], layout="constrained")
upper.plot(time[::8], signal[::8], color="0.6", linewidth=0.5)
upper.fill_between(np.arange(len(level)) * frame / rate, -0.4, 0.4, where=probability > 0.5, alpha=0.3, step="post")
upper.set(xlabel="seconds", ylabel="signal")
model.plot(level, kind="density", ax=lower)
lower.set_xlabel("level of a frame, dB")
plt.show()
