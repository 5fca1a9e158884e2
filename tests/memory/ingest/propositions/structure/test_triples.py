"""A table of triples states each of them, also several of one subject and relation."""

from agent.chat.sentence_candidates import readable_text
from agent.learning.questions.structured_questions import structured_questions
from memory.ingest.documents import RawDocument
from memory.ingest.loaders.formats import TRIPLES
from memory.ingest.pipeline import read
from memory.ingest.propositions.structure import structured
from memory.ingest.writer import Contents

ROWS = """dog,is a kind of,mammal
dog,is a kind of,pet
dog,eats,meat
Mount Zorble,height,"2,710 metres"
"""


def contents(rows: str = ROWS) -> Contents:
    return read(RawDocument(source="animals.csv", data=rows.encode(), media_type=TRIPLES), "animals")


def test_every_row_is_a_fact_with_its_row_as_source() -> None:
    found = contents()
    stated = [(fact.subject, fact.relation, fact.object) for fact in found.facts]
    assert stated == [
        ("dog", "is a kind of", "mammal"),
        ("dog", "is a kind of", "pet"),
        ("dog", "eats", "meat"),
        ("Mount Zorble", "height", "2,710 metres"),
    ]
    assert {fact.rule for fact in found.facts} == {"triple"}
    assert found.facts[2].sentence == "| dog | eats | meat |"


def test_questions_about_verbs_ask_for_either_side_and_others_for_a_value() -> None:
    (passage,) = contents().passages
    asked = {
        statement.object: [question for _, question, _ in structured_questions(statement, passage)]
        for statement in structured(passage)
    }
    assert "What eats meat?" in asked["meat"]
    assert "Tell me what dog is a kind of." in asked["mammal"]
    assert "What is the height of Mount Zorble?" in asked["2,710 metres"]


def test_a_triple_is_quoted_as_a_sentence() -> None:
    (passage,) = contents().passages
    start = passage.text.index("| dog | eats")
    assert readable_text(passage, start, start + len("| dog | eats | meat |")) == "dog eats meat"
