"""Draws the sentences that were labelled for `benchmarks.facts`: `python -m benchmarks.facts.sample DATA`.

Prints one JSON line a sentence, without labels. The seed is fixed, so that anyone can check that the
sentences were not picked by hand.
"""

import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from memory.ingest.folders import Failure, read_target
from memory.language.text import sentences

SETS = ("2wiki", "musique", "hotpot", "squad", "manuals")
PER_SET = 64
SHORTEST, LONGEST = 40, 165
"""Characters; the limit keeps the labelled file small and its sentences short quotations."""
SEED = 20
_PLAIN = re.compile(r"[A-Z\"'][^\n|<>{}\[\]`*_#]*[.]")
"""A sentence without Markdown, so that labels need no decisions about marks."""


def main(data: Path) -> None:
    """Prints the sample, set after set."""
    for name in SETS:
        rng = random.Random(f"{SEED} {name}")
        found = sorted(set(_sentences(data, name)))
        for title, text in rng.sample(found, PER_SET):
            print(json.dumps({"set": name, "title": title, "text": text}, ensure_ascii=False))


def _sentences(data: Path, name: str) -> Iterator[tuple[str, str]]:
    """Title and sentence of everything in the set that qualifies."""
    for title, text in _texts(data, name):
        for start, end in sentences(text):
            sentence = " ".join(text[start:end].split())
            if SHORTEST <= len(sentence) <= LONGEST and _PLAIN.fullmatch(sentence):
                yield title, sentence


def _texts(data: Path, name: str) -> Iterator[tuple[str, str]]:
    if name == "manuals":
        for folder in ("httpx", "pihole"):
            for item in read_target(str((data / name / folder).resolve())):
                if not isinstance(item, Failure):
                    yield Path(item.source).stem, item.data.decode()
        return
    file, key = ("passages", "context") if name == "squad" else ("corpus", "text")
    for line in (data / name / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
        passage = json.loads(line)
        yield passage["title"], passage[key]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
