"""
Which language is spoken?
=========================

Speech is short sounds in some order; a language has its own sounds. One mixture for each language describes its frames, and an
utterance belongs to the language under which its frames are most probable. The speech is synthesised by espeak-ng, so this
tells synthetic voices' languages apart, not people's; ``docs/gallery/make_speech.py`` makes the features, which are stored beside it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

import mixtura

try:
    here = Path(__file__).parent
except NameError:  # in the built documentation
    here = Path.cwd()
stored = np.load(here / "speech.npz")
languages = [str(name) for name in stored["languages"]]
frames, utterance, language = stored["frames"].astype(float), stored["utterance"], stored["language"]
print(len(languages), "languages,", len(language), "utterances,", len(frames), "frames of", frames.shape[1], "features")

# %%
# Half of the sentences train, the others test. No sentence is in both, nor its translation.

held_out = stored["sentence"] % 2 == 1
models = []
for index in range(len(languages)):
    chosen = np.isin(utterance, np.flatnonzero((language == index) & ~held_out))
    models.append(mixtura.GaussianMixture(12, covariance_type="diag", prior="default", random_state=0).fit(frames[chosen]))

# %%
# The frames of an utterance add up their log densities.

scores = np.column_stack([np.bincount(utterance, model.score_samples(frames)) for model in models])
said, truth = scores.argmax(axis=1)[held_out], language[held_out]
print(f"held-out accuracy: {(said == truth).mean():.0%} of {held_out.sum()} utterances (by chance {1 / len(languages):.0%})")
figure, axes = plt.subplots(figsize=(5, 4.4), layout="constrained")
ConfusionMatrixDisplay.from_predictions(truth, said, display_labels=languages, ax=axes, colorbar=False, cmap="Blues")
plt.show()
