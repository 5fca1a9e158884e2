"""Added models that differ in little more than their digests: the tiny model, and others beside it."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from agent.models.card import CARD
from agent.models.store import AddedModel, ModelOrigin, ModelStore, digest_of_model
from tests.support.tiny_model import FOLDER

WEIGHTS = "model.safetensors"


def add_tiny_models(folder: Path, *names: str) -> tuple[AddedModel, ...]:
    """Adds the tiny model under each name; one tensor is scaled a little, so that each is another model."""
    store, added = ModelStore(folder), []
    for number, name in enumerate(names):

        def fill(place: Path, name: str = name, scale: float = 1 + number / 64) -> ModelOrigin:
            shutil.copytree(FOLDER, place, dirs_exist_ok=True)
            weights = load_file(place / WEIGHTS)
            weights[min(weights)] *= scale  # visible in bfloat16
            save_file(weights, place / WEIGHTS, metadata={"format": "pt"})
            digest = digest_of_model(place)
            card = json.loads((place / CARD).read_text()) | {"name": name, "digest": digest}
            (place / CARD).write_text(json.dumps(card))
            return ModelOrigin(name=name, title=name, source=str(FOLDER), licence="Apache-2.0", digest=digest)

        store.place(name, fill)
        added.append(AddedModel(name=name, folder=store.path(name), card=store.card(name)))
    return tuple(added)
