"""The grammar of questions: many taught wordings, and held-out ones that share nothing with them."""

import random
import re

import pytest

from agent.cores import CLOSINGS, CORES, OPENINGS, Split
from agent.wordings import FORMS, OBJECT_FORMS, ask, with_context, wordings
from memory.records import Form
from tests.grammar import held_out, is_wording

SPLITS: tuple[Split, Split] = ("taught", "held_out")


def plain(text: str) -> str:
    """The words alone: who leaves out a comma asks nothing new."""
    return " ".join(re.findall(r"[\w']+", text.lower().replace("{", " x").replace("}", "x ")))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_hundreds_of_taught_wordings_and_dozens_held_out(form: Form) -> None:
    assert len(CORES[form]["taught"]) * len(OPENINGS["taught"]) * len(CLOSINGS["taught"]) >= 300
    assert len(held_out(form)) >= 20


@pytest.mark.parametrize("form", FORMS)
def test_no_held_out_wording_is_ever_taught_in_any_form(form: Form) -> None:
    assert not [text for text in held_out(form) if is_wording(plain(text), "taught", plain)]


def test_a_taught_wording_is_found_out() -> None:
    assert is_wording(plain("Hi, what is {subject}, in short?"), "taught", plain)
    assert is_wording(plain("what is {subject}?"), "taught", plain)
    assert not is_wording(plain("hi, what is, in short?"), "taught", plain)


@pytest.mark.parametrize("form", FORMS)
def test_no_taught_core_holds_a_held_out_one(form: Form) -> None:
    for core in map(plain, CORES[form]["held_out"]):
        assert not [other for other in map(plain, CORES[form]["taught"]) if f" {core} " in f" {other} "], core


def test_openings_and_closings_of_held_out_wordings_are_never_taught() -> None:
    for parts in (OPENINGS, CLOSINGS):
        assert {plain(part) for part in parts["taught"]} & {plain(part) for part in parts["held_out"]} == {""}


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_seed_gives_the_same_wordings_and_another_seed_others(split: Split) -> None:
    first = wordings("definition", split, 20, 1, subject="lemur")
    assert first == wordings("definition", split, 20, 1, subject="lemur")
    assert first != wordings("definition", split, 20, 2, subject="lemur")
    assert len(set(first)) == 20
    assert all("lemur" in text.lower() for text in first)


@pytest.mark.parametrize("form", FORMS)
def test_a_question_names_what_its_form_asks_about(form: Form) -> None:
    rng = random.Random(3)
    for split in SPLITS:
        for _ in range(50):
            text = ask(form, split, rng, subject="lemur", object="primate").lower()
            assert "{" not in text
            assert ("primate" in text) == (form in OBJECT_FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_name_is_refused(form: Form) -> None:
    with pytest.raises(ValueError, match=r"needs (subject|object)"):
        ask(form, "taught", random.Random(0))


def test_more_wordings_than_the_grammar_has_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 3000"):
        wordings("example_of", "held_out", 3_000, 0, object="primate")


def test_code_spans_stay_as_they_are() -> None:
    rng = random.Random(5)
    assert all("`Box<T>`" in ask("returns", "taught", rng, subject="`Box<T>`") for _ in range(200))


def test_sources_enter_a_prompt_as_numbered_passages_on_one_line_each() -> None:
    prompt = with_context("What is a lemur?", ["A lemur is\n a primate.", "It lives\tin Madagascar."])
    assert prompt == (
        "Context:\n[1] A lemur is a primate.\n[2] It lives in Madagascar.\n\nQuestion: What is a lemur?"
    )
