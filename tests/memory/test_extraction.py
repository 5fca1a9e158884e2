"""Facts are read from plain statements, and from nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.documents import unwrapped
from memory.extraction import LONGEST_OBJECT, facts, statements
from memory.language import words
from memory.passages import passages
from memory.records import Fact

LIBRARY = Path(__file__).parents[2] / "examples" / "library"

STATED = [
    ("A move is a transfer of a value.", "move", "definition", "a transfer of a value"),
    ("An autolyse is a rest of flour and water.", "autolyse", "definition", "a rest of flour and water"),
    ("The reflog is a journal of changes.", "reflog", "definition", "a journal of changes"),
    ("`Box<T>` is a smart pointer.", "Box<T>", "definition", "a smart pointer"),
    ("The `Copy` trait is a marker for types.", "Copy trait", "definition", "a marker for types"),
    (
        "Drop order is the reverse of another order.",
        "Drop order",
        "definition",
        "the reverse of another order",
    ),
    ("Baker's percentage is a notation.", "Baker's percentage", "definition", "a notation"),
    ("Slices are references to a part of a list.", "Slices", "definition", "references to a part of a list"),
    ("A levain means a portion of starter.", "levain", "definition", "a portion of starter"),
    ("SHA refers to a family of hashes.", "SHA", "definition", "a family of hashes"),
    ("**Crumb**: the inside of a loaf.", "Crumb", "definition", "the inside of a loaf"),
    (
        "A coil fold is a gentle way to stretch dough.",
        "coil fold",
        "definition",
        "a gentle way to stretch dough",
    ),
    ("An *ear* is a ridge on the crust.", "ear", "definition", "a ridge on the crust"),
    ("However, a borrow is a loan of a value.", "borrow", "definition", "a loan of a value"),
    ("In Rust, a borrow is a loan of a value.", "borrow", "definition", "a loan of a value"),
    (
        "A shared reference is a pointer that can read a value but not change it.",
        "shared reference",
        "definition",
        "a pointer that can read a value but not change it",
    ),
    ("A lame is a blade, and bakers like it.", "lame", "definition", "a blade"),
    ("A lame is a blade (a thin one).", "lame", "definition", "a blade"),
    ("A tag is a name; it never moves.", "tag", "definition", "a name"),
    ("A levain is a kind of preferment.", "levain", "kind_of", "preferment"),
    ("Rc and counters aside, `Rc<T>` is a type.", None, None, None),
    ("`Rc<T>` is a type of smart pointer.", "Rc<T>", "kind_of", "smart pointer"),
    ("Lifetimes are part of the signature.", "Lifetimes", "part_of", "the signature"),
    ("The delta chain is a part of a packfile.", "delta chain", "part_of", "a packfile"),
    ("A banneton is made of rattan.", "banneton", "made_of", "rattan"),
    ("A commit consists of a tree and a message.", "commit", "made_of", "a tree and a message"),
    ("The staging area is located in the index file.", "staging area", "located_in", "the index file"),
    ("Loose objects are stored in the objects folder.", "Loose objects", "located_in", "the objects folder"),
    ("The `git gc` command is used to pack objects.", "git gc command", "used_for", "to pack objects"),
    ("`Box<T>` is used for recursive types.", "Box<T>", "used_for", "recursive types"),
    ("The borrow checker prevents data races.", "borrow checker", "prevents", "data races"),
    ("Oven spring requires steam.", "Oven spring", "requires", "steam"),
    ("`Mutex<T>` returns a guard.", "Mutex<T>", "returns", "a guard"),
    ("A reference cycle causes a memory leak.", "reference cycle", "causes", "a memory leak"),
    ("A long rest leads to a sour taste.", "long rest", "causes", "a sour taste"),
    (
        "A commit object contains a tree, a date and a name.",
        "commit object",
        "contains",
        "a tree, a date and a name",
    ),
    ("A mutex requires memory and slows a program.", "mutex", "requires", "memory"),
    ("A mutex contains a value, which is locked.", "mutex", "contains", "a value"),
]

SILENT = [
    "Is a move a transfer of a value?",
    "A move is not a copy.",
    "A move isn't a copy.",
    "A move may be a copy.",
    "A move is often a copy.",
    "A move is perhaps a copy.",
    "It is a transfer of a value.",
    "This is a transfer of a value.",
    "They are references to a value.",
    "There is a rule for this.",
    "That is the reason for the rule.",
    "What it takes instead is a warm place.",
    "Underneath it is a small store of objects.",
    "If a value moves, the old name is a mistake.",
    "When the count reaches zero, the value is dropped.",
    "A wet dough is harder to shape.",
    "Slices are fast.",
    "Values are moved by default.",
    "Rust is a must.",
    "The result is a value.",
    "The problem is a missing brace.",
    "A move is the same as a copy.",
    "A cache is a good idea.",
    "A borrow does not require a lock.",
    "A borrow requires no lock.",
    "A borrow never causes a leak.",
    "A lock might cause a deadlock.",
    "The compiler said that a move is a copy.",
    "Rumour has it that yeast is a plant.",
    "Some say yeast is a plant.",
    "John thinks yeast is a plant.",
    "Rust and Go are languages that compile.",
    "A process that needs memory is a burden.",
    "Every value has one variable that is responsible for it.",
    "A mutex requires that callers wait.",
    "A starter needs to be fed.",
    "The function returns when the lock is free.",
    "A lock is required unless the value is copied.",
    "A lock requires memory if it is poisoned.",
    '"Yeast is a plant."',
    "`a is a b`",
    "",
    ".",
]


@pytest.mark.parametrize(("sentence", "subject", "relation", "object_"), STATED)
def test_a_plain_statement_gives_its_fact(
    sentence: str, subject: str | None, relation: str | None, object_: str | None
) -> None:
    expected = [] if subject is None else [(subject, relation, object_)]
    assert [(s.subject, s.relation, s.object) for s in statements(sentence)] == expected


@pytest.mark.parametrize("sentence", SILENT)
def test_what_is_doubtful_gives_no_fact(sentence: str) -> None:
    assert statements(sentence) == ()


def test_an_alias_is_defined_like_the_name_itself() -> None:
    said = statements("A starter, also called a mother, is a culture of yeast.")
    assert [(s.subject, s.object, s.rule) for s in said] == [
        ("starter", "a culture of yeast", "definition.copula"),
        ("mother", "a culture of yeast", "definition.copula.alias"),
    ]


def test_an_abbreviation_in_brackets_is_an_alias() -> None:
    said = statements("The garbage collector (GC) is a part of a runtime that frees memory.")
    assert {(s.subject, s.relation) for s in said} == {
        (name, relation) for name in ("garbage collector", "GC") for relation in ("part_of", "definition")
    }


def test_a_part_with_a_purpose_is_also_a_definition() -> None:
    said = statements("The borrow checker is a part of the compiler that rejects invalid references.")
    assert [(s.relation, s.object) for s in said] == [
        ("part_of", "the compiler"),
        ("definition", "a part of the compiler that rejects invalid references"),
    ]


def test_a_long_definition_is_cut_before_its_relative_clause() -> None:
    (said,) = statements(
        "A tag is a name that points to one commit for ever and that nobody can move away from it again."
    )
    assert said.object == "a name"


def test_it_is_read_with_the_definition_right_before_it_only() -> None:
    text = "A banneton is a basket. It requires flour. It prevents sticking."
    assert [(f.subject, f.relation, f.rule) for f in read(text)] == [
        ("banneton", "definition", "definition.copula"),
        ("banneton", "requires", "requires.verb.it"),
    ]
    assert read(text)[1].sentence == "A banneton is a basket. It requires flour."


def test_code_blocks_headings_and_tables_state_nothing() -> None:
    text = (
        "# A heading is a line\n\nA move is a transfer.\n\n```\nA fence is a block.\n```\n\n"
        "    A margin is a space.\n\n| A cell is a box |\n\n~~~\nA tilde is a mark.\n"
    )
    assert [f.subject for f in read(text)] == ["move"]


def test_list_items_are_sentences_of_their_own() -> None:
    text = "Two terms:\n\n- A move is a transfer\n- A borrow is a loan\n1. A slice is a view\n"
    assert [f.subject for f in read(text)] == ["move", "borrow", "slice"]


def test_a_capital_that_opens_the_sentence_is_no_part_of_the_name() -> None:
    assert read("Drop order is the reverse of another.")[0].subject == "drop order"
    assert read("Deref coercion is a conversion. Ask for `Deref` by name.")[0].subject == "Deref coercion"


def test_a_fact_points_at_exactly_its_sentence() -> None:
    text = "# Bread\n\nFirst words. A levain is a portion of starter. Last words.\n"
    (fact,) = read(text)
    assert text[fact.start : fact.end] == fact.sentence == "A levain is a portion of starter."


def test_the_example_library_gives_a_fact_for_every_sentence_that_states_one() -> None:
    """All `X is a ...` sentences of the library count as definitions; 95% of them must be found."""
    plain = re.compile(
        r"(?:^|(?<=[.] ))(?!It |Underneath )(?:`[^`]+`|[A-Z])[^.\n]{0,40}? (?:is an?|is the) [^.\n]+\.",
        re.MULTILINE,
    )
    found = missed = 0
    for path in sorted(LIBRARY.rglob("*.md")):
        text = unwrapped(path.read_text(encoding="utf-8"))
        read_here = {f.sentence for f in read(text) if f.relation == "definition"}
        stated = plain.findall(text)
        found += sum(sentence in read_here for sentence in stated)
        missed += sum(sentence not in read_here for sentence in stated)
    assert found >= 40
    assert missed <= 0.05 * (found + missed)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("AaTheisprevents of`*.,?!()\n -#|xy"), max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    for fact in read(text):
        assert 0 < len(words(fact.object)) <= LONGEST_OBJECT
        assert text[fact.start : fact.end] == fact.sentence
        assert fact.subject.strip() == fact.subject != ""


def read(text: str) -> tuple[Fact, ...]:
    """The facts of a text, as ingest would read them."""
    return facts(passages(text, source="s", title="t", domain="general"))
