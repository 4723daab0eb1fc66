"""
Music genres
============

Three invented genres, synthesised here: a drone (slow, few partials), a dance (a beat, bright noise) and chimes (decaying, high
partials). Tempo, key and loudness vary within each, so that a genre is a cloud of pieces and not a point. This shows the method,
not that machines know music.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import cross_val_predict

import mixtura

GENRES = ("drone", "dance", "chimes")
RATE = 11025
rng = np.random.default_rng(0)


def piece(genre):
    """Four seconds of a genre."""
    time = np.arange(4 * RATE) / RATE
    pitch = 110 * 2 ** (rng.integers(0, 24) / 12)
    noise = rng.normal(size=time.size)
    if genre == "drone":
        sound = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k**1.5 for k in (1, 2, 3, 5))
        sound *= 1 + rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * rng.uniform(0.2, 1.5) * time)
    elif genre == "dance":
        beat = np.exp(-((time * rng.uniform(1.5, 2.6)) % 1) * rng.uniform(4, 14))
        sound = beat * (np.sin(2 * np.pi * 60 * time) + 0.7 * noise) + 0.4 * np.sign(np.sin(2 * np.pi * pitch * time))
    else:
        sound = np.zeros_like(time)
        for start in rng.uniform(0, 3.8, rng.integers(4, 14)):
            note = pitch * 2 ** (rng.integers(12, 36) / 12)
            envelope = np.where(time > start, np.exp(-(time - start) * rng.uniform(2, 6)), 0)
            sound += envelope * (np.sin(2 * np.pi * note * time) + 0.5 * np.sin(2 * np.pi * 2.76 * note * time))
    return rng.uniform(0.3, 1.0) * sound / np.abs(sound).max() + rng.uniform(0.01, 0.08) * noise


def features(sound):
    """Where the spectrum lies, how wide, how noisy, how it changes, and how strong the beat is."""
    frames = sound[: sound.size // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-9
    frequency = np.fft.rfftfreq(512, 1 / RATE)
    share = power / power.sum(axis=1, keepdims=True)
    centre = share @ frequency
    width = np.sqrt((share * (frequency - centre[:, None]) ** 2).sum(axis=1))
    flatness = np.log(power).mean(axis=1) - np.log(power.mean(axis=1))
    loudness = np.log(power.sum(axis=1))
    beat = np.abs(np.fft.rfft(loudness - loudness.mean()))
    rates = np.fft.rfftfreq(loudness.size, 512 / RATE)
    return [np.log(centre.mean()), np.log(width.mean()), flatness.mean(), loudness.std(), centre.std() / centre.mean(),
            np.log(beat[(rates > 1) & (rates < 4)].max())]


genre = np.repeat(np.arange(3), 80)
rows = np.array([features(piece(GENRES[index])) for index in genre])

# %%
# Ten-fold cross-validation: each piece is judged by a model that has not heard it.

model = mixtura.GaussianMixtureClassifier(random_state=0)
said = cross_val_predict(model, rows, genre, cv=10)
print(f"held-out accuracy: {(said == genre).mean():.1%} of {genre.size} pieces")
figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
ConfusionMatrixDisplay.from_predictions(genre, said, display_labels=GENRES, ax=axes, colorbar=False, cmap="Blues")
plt.show()
