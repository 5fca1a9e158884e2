"""The tiny model's folder; apart from what makes its card, which imports torch."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "tiny-model"
