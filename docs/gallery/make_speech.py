"""Synthesises sentences in several languages by espeak-ng and stores what a frame sounds like; run by hand.

Each sentence is spoken by three of espeak-ng's voices. Features of a frame of 25 ms, each 10 ms: 12 cepstral coefficients of
mel-spaced band energies (Davis and Mermelstein 1980), less the utterance's mean so that the voice matters less, and their
differences over two frames. Frames much quieter than the loudest are left out, and of the rest every third is kept.
"""

from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy.fft import dct

SENTENCES = {
    "English": ["the weather is fine today and we go to the sea", "my brother has bought a new house in the town",
                "could you please tell me where the station is", "she reads a book every evening before she sleeps",
                "the children play in the garden behind the school", "we had bread and cheese and a glass of wine",
                "in winter the nights are long and very cold", "he works in a large office near the river",
                "I forgot my keys on the kitchen table again", "the train leaves at a quarter past seven"],
    "German": ["das wetter ist heute schön und wir fahren ans meer", "mein bruder hat ein neues haus in der stadt gekauft",
               "können sie mir bitte sagen wo der bahnhof ist", "sie liest jeden abend ein buch bevor sie schläft",
               "die kinder spielen im garten hinter der schule", "wir hatten brot und käse und ein glas wein",
               "im winter sind die nächte lang und sehr kalt", "er arbeitet in einem großen büro am fluss",
               "ich habe meine schlüssel wieder auf dem küchentisch vergessen", "der zug fährt um viertel nach sieben ab"],
    "Spanish": ["el tiempo es bueno hoy y vamos al mar", "mi hermano ha comprado una casa nueva en la ciudad",
                "puede decirme por favor dónde está la estación", "ella lee un libro cada noche antes de dormir",
                "los niños juegan en el jardín detrás de la escuela", "tomamos pan y queso y una copa de vino",
                "en invierno las noches son largas y muy frías", "él trabaja en una oficina grande cerca del río",
                "olvidé otra vez mis llaves en la mesa de la cocina", "el tren sale a las siete y cuarto"],
    "French": ["il fait beau aujourd'hui et nous allons à la mer", "mon frère a acheté une nouvelle maison en ville",
               "pouvez-vous me dire où est la gare s'il vous plaît", "elle lit un livre chaque soir avant de dormir",
               "les enfants jouent dans le jardin derrière l'école", "nous avons pris du pain du fromage et un verre de vin",
               "en hiver les nuits sont longues et très froides", "il travaille dans un grand bureau près de la rivière",
               "j'ai encore oublié mes clés sur la table de la cuisine", "le train part à sept heures et quart"],
    "Polish": ["pogoda jest dziś ładna i jedziemy nad morze", "mój brat kupił nowy dom w mieście",
               "czy może mi pan powiedzieć gdzie jest dworzec", "ona czyta książkę każdego wieczoru przed snem",
               "dzieci bawią się w ogrodzie za szkołą", "mieliśmy chleb i ser i kieliszek wina",
               "zimą noce są długie i bardzo zimne", "on pracuje w dużym biurze nad rzeką",
               "znowu zapomniałem kluczy na stole w kuchni", "pociąg odjeżdża kwadrans po siódmej"],
}  # fmt: skip
CODES = {"English": "en", "German": "de", "Spanish": "es", "French": "fr", "Polish": "pl"}
VOICES = ("m1", "m3", "f2")
BANDS, COEFFICIENTS = 24, 12


def spoken(text: str, code: str, voice: str) -> tuple[np.ndarray, int]:
    """Samples, and how many there are a second."""
    command = ["espeak-ng", "-v", f"{code}+{voice}", "--stdout", text]
    with wave.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
        return samples.astype(float), sound.getframerate()


def mel_bands(rate: int, size: int) -> np.ndarray:
    """Triangular windows (BANDS, size // 2 + 1) over frequencies, equal on the mel scale up to 7.6 kHz."""
    edges = 700.0 * (np.exp(np.linspace(0.0, np.log1p(7600 / 700), BANDS + 2)) - 1.0)
    frequency = np.fft.rfftfreq(size, 1 / rate)[None]
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((frequency - low) / (middle - low), (high - frequency) / (high - middle)), 0, None)


def features(samples: np.ndarray, rate: int) -> np.ndarray:
    """(frames, 2 COEFFICIENTS) of an utterance."""
    length, step, size = int(0.025 * rate), int(0.010 * rate), 1024
    starts = np.arange(0, samples.size - length, step)
    windows = samples[starts[:, None] + np.arange(length)] * np.hamming(length)
    energy = np.abs(np.fft.rfft(windows, size)) ** 2
    bands = np.log(energy @ mel_bands(rate, size).T + 1.0)
    cepstrum = dct(bands, type=2, norm="ortho")[:, 1 : COEFFICIENTS + 1]
    cepstrum -= cepstrum.mean(axis=0)
    change = np.zeros_like(cepstrum)
    change[2:-2] = cepstrum[4:] - cepstrum[:-4]
    loud = energy.sum(axis=1)
    return np.hstack([cepstrum, change])[loud > 1e-4 * loud.max()][::3]


def main() -> None:
    frames, utterance, language, sentence = [], [], [], []
    for index, (name, texts) in enumerate(SENTENCES.items()):
        for number, text in enumerate(texts):
            for voice in VOICES:
                rows = features(*spoken(text, CODES[name], voice))
                frames.append(rows.astype(np.float16))
                utterance.append(np.full(len(rows), len(language), dtype=np.int16))
                language.append(index)
                sentence.append(number)
    np.savez_compressed(
        Path(__file__).with_name("speech.npz"),
        frames=np.concatenate(frames),
        utterance=np.concatenate(utterance),
        language=np.array(language),
        sentence=np.array(sentence),
        languages=np.array(list(SENTENCES)),
    )


if __name__ == "__main__":
    main()
