"""A withdrawn sentence is in no passage and no fact, and all that remains keeps its place."""

from memory.ingest.passages import passages
from memory.ingest.propositions.facts import extract_facts
from memory.ingest.withdrawn import without
from memory.ingest.writer import Contents

WRONG = "The kettle was built in 1971."
TEXT = (
    f"# Kettle\n\nThe kettle is a vessel. {WRONG} It holds two litres.\n\n# Lamp\n\n{WRONG}\n\n"
    "A lamp is a light."
)


def read(text: str) -> Contents:
    split = passages(text, source="a.md", title="A", domain="general")
    return Contents(split, extract_facts(split))


def test_what_is_left_keeps_its_offsets_and_gets_an_id_of_its_own() -> None:
    before, after = read(TEXT), without(read(TEXT), [WRONG])
    assert all(WRONG not in each.text for each in after.passages)
    assert all(len(each.text) == each.end - each.start for each in after.passages)
    for old, new in zip(before.passages, after.passages, strict=True):
        at = new.text.index(new.text.strip()[:10])
        assert TEXT[new.start + at :].startswith(new.text.strip()[:10])
        assert (new.id != old.id, new.digest != old.digest) == (True, True)


def test_its_facts_go_and_the_others_belong_to_the_new_passages() -> None:
    before, after = read(TEXT), without(read(TEXT), [WRONG])
    assert any(fact.sentence == WRONG for fact in before.facts)
    kept = [fact.sentence for fact in before.facts if fact.sentence != WRONG]
    assert [fact.sentence for fact in after.facts] == kept
    texts = {each.id: each.text for each in after.passages}
    assert all(fact.sentence in texts[fact.passage_id] for fact in after.facts)
    assert not {fact.id for fact in before.facts} & {fact.id for fact in after.facts}


def test_a_passage_of_nothing_else_is_left_out() -> None:
    contents = read(f"# One\n\n{WRONG}\n\n# Two\n\nA lamp is a light.")
    assert [each.section for each in without(contents, [WRONG]).passages] == ["Two"]


def test_other_documents_are_as_they_were() -> None:
    contents = read("# Lamp\n\nA lamp is a light.")
    assert without(contents, [WRONG]) == contents
    assert without(contents, []) is contents


def test_of_two_sentences_one_may_hold_the_other() -> None:
    contents = read("# Lamp\n\nA lamp is a light. A lamp is a light. It burns.")
    after = without(contents, ["A lamp is a light.", "A lamp is a light. A lamp is a light."])
    assert after.passages[0].text.split() == ["It", "burns."]
