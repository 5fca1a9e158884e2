"""Facts become questions and answers that are unambiguous, varied, and asked in both directions."""

import subprocess
import sys

import pytest

from agent.curriculum import compose, head, items, kinds, write
from agent.verify import verify
from tests.facts import fact, passage, rust

HOME, FACTS = rust()


def test_a_definition_is_asked_both_ways_and_by_its_kind() -> None:
    forms = {item.form: item for item in items(FACTS[:1])}
    assert set(forms) == {"definition", "term_for", "kind_of", "yes_no"}
    assert forms["definition"].answer == "a transfer of a value to a new owner"
    assert forms["term_for"].answer == "move"
    assert forms["kind_of"].answer == "a transfer"


def test_a_no_is_asked_about_another_subjects_kind() -> None:
    choices = {i.answer: i for i in items(FACTS) if i.form == "yes_no" and i.subject == "move"}
    assert choices["Yes"].object == "transfer"
    assert choices["No"].object != "transfer"


def test_two_terms_with_one_definition_are_not_asked_for_by_it() -> None:
    twins = [
        fact("shift", "definition", "a transfer of a value", "A shift is a transfer of a value."),
        fact("move", "definition", "a transfer of a value", "A move is a transfer of a value."),
    ]
    assert [i for i in items(twins) if i.form == "term_for"] == []


def test_one_question_with_two_answers_is_dropped_and_counted() -> None:
    both = [
        fact("slice", "contains", "a pointer", "A slice contains a pointer."),
        fact("slice", "contains", "a length", "A slice contains a length."),
    ]
    draft = write([*both, *FACTS], per_form=4)
    assert draft.dropped == {"one question would have several answers": 2}
    assert not {f.subject for f in draft.facts} & {"slice"}


def test_a_fact_stated_twice_is_taught_once() -> None:
    again = fact("Moves", "definition", "A transfer of a value to a new owner.", "Moves are, well, that.")
    draft = write([*FACTS, again], per_form=4)
    assert draft.dropped == {"stated twice": 1}


def test_an_answer_of_a_whole_paragraph_is_not_taught() -> None:
    long = " ".join(["word"] * 20)
    draft = write([fact("x-ray", "definition", long, f"An x-ray is {long}.")], per_form=4)
    assert draft.pairs == ()
    assert draft.dropped == {"the answer is too long": 1}


def test_a_withheld_form_is_never_taught_and_the_fact_still_is() -> None:
    draft = write(FACTS, per_form=6)
    taught = {(p.fact_id, p.form) for p in draft.pairs}
    assert draft.withheld
    assert not taught & {(w.fact_id, w.form) for w in draft.withheld}
    assert {w.fact_id for w in draft.withheld} <= {f for f, _ in taught}


def test_the_reverse_direction_is_never_withheld() -> None:
    assert "term_for" not in {w.form for w in write(FACTS, per_form=2).withheld}


def test_each_form_has_as_many_different_wordings_as_asked_for() -> None:
    draft = write(FACTS, per_form=10)
    plain = [p.question for p in draft.pairs if p.fact_id == FACTS[0].id and p.form == "definition"]
    assert len(set(plain)) == 10


def test_every_pair_quotes_its_source_verbatim() -> None:
    assert all(p.quote in HOME.text and p.source == HOME.source for p in write(FACTS, per_form=3).pairs)


def test_the_same_facts_give_the_same_curriculum_in_any_order_and_any_process() -> None:
    def digest() -> str:
        draft = write(tuple(reversed(FACTS)), per_form=5)
        curriculum = compose("Rust", "rust", draft, draft.pairs, teacher="rules")
        assert curriculum is not None
        return curriculum.digest

    code = (
        "from tests.facts import rust\nfrom agent.curriculum import *\n"
        "d = write(rust()[1], per_form=5)\nprint(compose('Rust', 'rust', d, d.pairs, teacher='rules').digest)"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == digest()


def test_without_a_kept_pair_there_is_no_curriculum() -> None:
    assert compose("Rust", "rust", write(FACTS, per_form=1), (), teacher="rules") is None


def test_a_curriculum_holds_only_facts_that_it_still_teaches() -> None:
    draft = write(FACTS, per_form=2)
    kept = verify(draft.pairs, FACTS[:3], {HOME.id: HOME}).kept
    curriculum = compose("Rust", "rust", draft, kept, teacher="rules")
    assert curriculum is not None
    assert {f.id for f in curriculum.facts} == {f.id for f in FACTS[:3]}
    assert {w.fact_id for w in curriculum.withheld} <= {f.id for f in curriculum.facts}


def test_the_head_of_a_definition_is_its_kind() -> None:
    assert head("a smart pointer that stores a value on the heap") == "smart pointer"
    assert head("a set of rules that decides when memory is freed") == "set of rules"
    assert head("the pointer") == "pointer"
    assert head("the first point located in a plane") == "first point"
    assert head("a doctor specializing in old bones") == "doctor"
    assert head("an imaginary creature usually having many parts") == "imaginary creature"
    assert head("a small living organism") == "small living organism"
    assert head("a car suitable for traveling over rough terrain") == "car"
    assert head("a position particularly well suited to the person who occupies it") == "position"
    assert head("a similar object of another color") == "similar object"


def test_a_kind_is_right_with_and_without_what_completes_it() -> None:
    assert kinds("a transfer of a value to a new owner") == ("a transfer", "a transfer of a value")
    assert kinds("a set of rules that decides when memory is freed") == ("a set of rules", "a set")
    assert kinds("a kind of bird that sings") == ("a kind of bird",)
    assert kinds("a lock that gives one thread access at a time") == ("a lock",)


def test_a_kind_is_told_in_the_words_that_the_definition_opens_with() -> None:
    told = {f.id: f.object for f in FACTS if f.relation == "definition"}
    kinds = {i.fact_id: i.answer for i in items(FACTS) if i.form == "kind_of" and i.fact_id in told}
    assert kinds
    assert all(told[fact_id].startswith(kind) for fact_id, kind in kinds.items())


@pytest.mark.parametrize(
    "definition",
    [
        "the whole duration of the program",
        "a thread safe version of the counter",
        "a list of names and old numbers and the objects they point to",
    ],
)
def test_a_definition_that_tells_no_kind_is_not_asked_for_one(definition: str) -> None:
    told = fact("zorble", "definition", definition, f"A zorble is {definition}.")
    assert {i.form for i in items([told])} <= {"definition", "term_for"}


def test_spans_do_not_matter_to_what_is_asked() -> None:
    moved = fact("move", "definition", FACTS[0].object, FACTS[0].sentence, within=passage("Hm. " + HOME.text))
    assert {i.answer for i in items([moved])} == {i.answer for i in items([FACTS[0]])}
