"""Taking withdrawn sentences out of what was read of a document."""

from collections.abc import Collection

from memory.ingest.passages import with_text
from memory.ingest.writer import Contents
from memory.language.text import sentences
from memory.records.base import digest_of
from memory.records.knowledge import Fact, Passage


def whole_sentences(contents: Contents) -> frozenset[str]:
    """What can be withdrawn from a document: its sentences, and what its facts quote. Never a mere word, of
    which every place would be emptied."""
    stated = {fact.sentence for fact in contents.facts if any(map(str.isalnum, fact.sentence))}
    spans = {each.text[start:end] for each in contents.passages for start, end in sentences(each.text)}
    return frozenset(stated | {text for text in spans if any(map(str.isalnum, text))})


def without(contents: Contents, wrong: Collection[str]) -> Contents:
    """The document without these sentences: spaces in their place keep all offsets.

    A passage that holds nothing else is left out, and so are facts that one of them states.
    """
    if not wrong:
        return contents
    blanked = {each.id: _blanked(each, wrong) for each in contents.passages}
    kept = {old: new for old, new in blanked.items() if new.text.strip()}
    facts = [
        _moved(fact, kept[fact.passage_id])
        for fact in contents.facts
        if fact.passage_id in kept and not any(sentence in fact.sentence for sentence in wrong)
    ]
    return Contents(tuple(kept.values()), tuple(facts), contents.notes)


def _moved(fact: Fact, passage: Passage) -> Fact:
    """The fact as one of a passage that was blanked."""
    if fact.passage_id == passage.id:
        return fact
    return fact.model_copy(update={"id": digest_of([fact.id, passage.id])[:32], "passage_id": passage.id})


def _blanked(passage: Passage, wrong: Collection[str]) -> Passage:
    text = passage.text
    for sentence in sorted(wrong, key=len, reverse=True):
        text = text.replace(sentence, " " * len(sentence))
    return passage if text == passage.text else with_text(passage, text)
