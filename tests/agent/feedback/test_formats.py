"""What is exported comes back, and a wrong line is named; nothing of its file is taken."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.annotation_files import IMPORTER, FileFormat, export_file, import_file
from agent.feedback.formats import argilla, dpo, sharegpt
from agent.feedback.formats.rows import MAX_CHARACTERS, MAX_ROWS, ImportedPair
from agent.privacy.scrubbing import Scrubber
from memory.records.feedback import AnnotationItem, Judgement, PreferencePair
from memory.records.interactions import LoggedMessage

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
).filter(lambda text: text.strip() != "")
ROLES = st.sampled_from(["system", "user", "assistant"])
MESSAGES = st.builds(
    lambda before, last: (*before, last),
    st.lists(st.builds(LoggedMessage, role=ROLES, content=TEXTS), max_size=3),
    st.builds(LoggedMessage, role=st.just("user"), content=TEXTS),
)


@st.composite
def pairs(draw: st.DrawFn, *, single: bool = False) -> PreferencePair:
    chosen = draw(TEXTS)
    rejected = draw(TEXTS.filter(lambda text: text != chosen))
    return PreferencePair(
        messages=draw(MESSAGES),
        chosen=chosen,
        rejected=None if single and draw(st.booleans()) else rejected,
        origin="import",
        source="file",
    )


@st.composite
def judged_items(draw: st.DrawFn) -> tuple[list[AnnotationItem], list[Judgement]]:
    ids = draw(st.lists(st.from_regex(r"\A[a-z0-9.:-]{1,12}\Z"), unique=True, min_size=1, max_size=4))
    items = [
        AnnotationItem(
            id=id,
            batch="monday",
            interaction_id=draw(st.none() | TEXTS),
            domain="rust",
            messages=draw(MESSAGES),
            a=draw(TEXTS),
            b=draw(TEXTS),
            a_source="served",
            b_source=draw(st.sampled_from(["sampled", "teacher", "rust-v1-0123abcd"])),
            annotators=draw(st.integers(1, 9)),
            gold=draw(st.sampled_from([None, "a", "both_bad"])),
            created_at=NOW,
        )
        for id in ids
    ]
    names = st.lists(TEXTS | st.uuids().map(str), unique=True, max_size=3)
    judgements = [
        Judgement(
            item_id=id,
            annotator=name,
            choice=draw(st.sampled_from(["a", "b", "both_good", "both_bad", "skip"])),
            comment=draw(st.just("") | TEXTS),
            rewrite=draw(st.none() | TEXTS),
            created_at=NOW,
        )
        for id in ids
        for name in draw(names)
    ]
    return items, judgements


def read(pairs: tuple[ImportedPair, ...]) -> list[PreferencePair]:
    return [each.pair.model_copy(update={"source": "file"}) for each in pairs]


@given(st.lists(pairs(), min_size=1, max_size=4))
def test_dpo_comes_back_as_it_was(written: list[PreferencePair]) -> None:
    assert read(dpo.loads(dpo.dumps(written), source="file")) == written


@given(st.lists(pairs(single=True), min_size=1, max_size=4))
def test_sharegpt_comes_back_as_it_was(written: list[PreferencePair]) -> None:
    assert read(sharegpt.loads(sharegpt.dumps(written), source="file")) == written


@given(judged_items())
def test_argilla_comes_back_as_it_was(written: tuple[list[AnnotationItem], list[Judgement]]) -> None:
    items, judgements = written
    text = argilla.dumps(items, judgements, reveal=True)
    found = argilla.loads(text, batch="monday", domain="other", now=NOW, new_id=str)
    assert [each.item for each in found] == items
    assert [judgement for each in found for judgement in each.judgements] == judgements


@given(judged_items())
def test_a_file_for_annotators_tells_neither_sources_nor_gold(
    written: tuple[list[AnnotationItem], list[Judgement]],
) -> None:
    records = json.loads(argilla.dumps(*written))
    assert all(
        record["metadata"].keys() == {"batch", "domain", "annotators_wanted", "annotators"}
        for record in records
    )


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_trl_reads_prompt_chosen_and_rejected_as_messages() -> None:
    pair = PreferencePair(
        messages=(
            LoggedMessage(role="system", content="Be brief."),
            LoggedMessage(role="user", content="Hi"),
        ),
        chosen="Hello",
        rejected="What?",
        origin="annotation",
        source="i1",
    )
    assert json.loads(dpo.dumps([pair])) == {
        "prompt": [message("system", "Be brief."), message("user", "Hi")],
        "chosen": [message("assistant", "Hello")],
        "rejected": [message("assistant", "What?")],
    }
    assert json.loads(sharegpt.dumps([pair])) == {
        "conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hi"}],
        "chosen": {"from": "gpt", "value": "Hello"},
        "rejected": {"from": "gpt", "value": "What?"},
    }
    with pytest.raises(ValueError, match="i1"):
        dpo.dumps([pair.model_copy(update={"rejected": None})])


def test_dpo_may_have_plain_texts_or_repeat_the_prompt_in_both_answers() -> None:
    asked = [message("user", "Hi")]
    rows: list[dict[str, Any]] = [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "What?", "score": 3},
        {
            "chosen": [*asked, message("assistant", "Hello")],
            "rejected": [*asked, message("assistant", "What?")],
        },
        {
            "prompt": asked,
            "chosen": [*asked, message("assistant", "Hello")],
            "rejected": [message("assistant", "What?")],
        },
    ]
    found = dpo.loads("\n\n".join(json.dumps(row) for row in rows), source="file")
    assert [(each.line, each.pair.chosen, each.pair.rejected) for each in found] == [
        (1, "Hello", "What?"),
        (3, "Hello", "What?"),
        (5, "Hello", "What?"),
    ]
    assert {each.pair.messages for each in found} == {(LoggedMessage(role="user", content="Hi"),)}


GOOD_PAIR = json.dumps({"prompt": "Hi", "chosen": "Hello", "rejected": "What?"})
GOOD_TALK = json.dumps(
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
)


def talk(*messages: tuple[str, str], **fields: object) -> str:
    return json.dumps({"conversations": [{"from": who, "value": text} for who, text in messages], **fields})


def answers(chosen: object, rejected: object, prompt: object = "Hi") -> str:
    return json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected})


@pytest.mark.parametrize(
    ("format", "good", "bad", "reason"),
    [
        ("dpo", GOOD_PAIR, "{", "not JSON"),
        ("dpo", GOOD_PAIR, "[1]", "object"),
        ("dpo", GOOD_PAIR, "{}", "chosen"),
        ("dpo", GOOD_PAIR, answers("same", "same"), "same"),
        ("dpo", GOOD_PAIR, answers(" ", "no"), "empty"),
        ("dpo", GOOD_PAIR, answers("yes", 3), "rejected"),
        ("dpo", GOOD_PAIR, answers("yes\0", "no"), "NUL"),
        ("dpo", GOOD_PAIR, answers("yes", "no", [message("tool", "x")]), "prompt.0.role"),
        ("dpo", GOOD_PAIR, answers("yes", "no", [message("assistant", "x")]), "user"),
        ("dpo", GOOD_PAIR, answers([message("user", "yes")], "no"), "assistant message"),
        ("dpo", GOOD_PAIR, answers("x" * (MAX_CHARACTERS + 1), "no"), "chosen"),
        ("dpo", GOOD_PAIR, '{"prompt": "\\ud800", "chosen": "a", "rejected": "b"}', "prompt"),
        ("dpo", GOOD_PAIR, answers("yes", "no", " \n"), "the last message is empty"),
        ("dpo", GOOD_PAIR, "[" * 100_000, "JSON"),
        ("sharegpt", GOOD_TALK, talk(), "conversations"),
        ("sharegpt", GOOD_TALK, talk(("human", "Hi")), "the last message"),
        ("sharegpt", GOOD_TALK, talk(("human", ""), ("gpt", "x")), "the last message is empty"),
        ("sharegpt", GOOD_TALK, talk(("robot", "Hi"), ("gpt", "x")), "robot"),
        ("sharegpt", GOOD_TALK, talk(("human", "Hi"), chosen={"from": "gpt", "value": "x"}), "together"),
        (
            "sharegpt",
            GOOD_TALK,
            talk(
                ("human", "Hi"),
                chosen={"from": "human", "value": "x"},
                rejected={"from": "gpt", "value": "y"},
            ),
            "chosen",
        ),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(
    format: FileFormat, good: str, bad: str, reason: str
) -> None:
    text = f"{good}\n\n{bad}\n{good}\n"
    with pytest.raises(ValueError, match=f"^line 3: .*{reason}"):
        imported(format, text)


def imported(format: FileFormat, text: str, **fields: Any) -> tuple[argilla.ImportedItem, ...]:
    terms = {"batch": "file", "domain": "rust", "gold": False, "now": NOW, "scrubber": Scrubber()}
    return import_file(format, text.encode(), **(terms | fields))


RECORD: dict[str, Any] = {"id": "one", "fields": {"prompt": "Hi", "a": "Hello", "b": "What?"}}


def given_by(*users: str, value: str = "a") -> list[dict[str, str]]:
    return [{"value": value, "user_id": user} for user in users]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "one"}, "line 2"),
        ({"id": "two words"}, "id"),
        ({"fields": {"prompt": "Hi", "a": "Hello"}}, "fields.b"),
        ({"fields": {"prompt": [message("assistant", "Hi")], "a": "x", "b": "y"}}, "the user's"),
        ({"responses": {"preference": given_by("u", value="c")}}, "responses.preference.0.value"),
        ({"responses": {"preference": given_by("u", "u")}}, "more than once"),
        ({"responses": {"comment": given_by("u")}}, "no preference"),
        ({"fields": {"prompt": " ", "a": "x", "b": "y"}}, "not empty"),
        ({"fields": {"prompt": "Hi", "a": " \n", "b": "y"}}, "fields.a: it is empty"),
        ({"responses": {"preference": given_by("\0")}}, "user_id: it contains a NUL"),
        ({"responses": {"preference": given_by(" ")}}, "user_id: it is empty"),
        ({"metadata": {"annotators": ["\0"]}}, "annotators.0: it contains a NUL"),
        ({"metadata": {"gold": "skip"}}, "gold"),
        ({"metadata": {"annotators_wanted": 10}}, "annotators_wanted"),
    ],
)
def test_a_wrong_argilla_record_is_named_by_its_line(change: dict[str, Any], reason: str) -> None:
    text = "[\n" + json.dumps(RECORD) + ",\n\n" + json.dumps(RECORD | {"id": "other"} | change) + "\n]"
    with pytest.raises(ValueError, match=f"^line 4: .*{reason}"):
        imported("argilla", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no records"),
        ("[]", "no records"),
        ("[\n{}\n", "line 2"),
        ("[\n" + json.dumps(RECORD) + "\n", "line 3: the JSON array does not end"),
        ("[" + json.dumps(RECORD) + "] x", "line 1: something follows"),
        ("[\n{]", "line 2"),
    ],
)
def test_an_array_that_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        imported("argilla", text)


def test_a_file_that_is_too_long_or_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match=f"line {MAX_ROWS + 1}: .*split"):
        imported("dpo", (GOOD_PAIR + "\n") * (MAX_ROWS + 1))
    with pytest.raises(ValueError, match="line 2: this is not UTF-8"):
        import_file("dpo", b"\n\xff", batch="file", domain="rust", gold=False, now=NOW, scrubber=Scrubber())
    assert imported("dpo", "\ufeff" + GOOD_PAIR), "a byte order mark does no harm"


def test_an_imported_pair_is_a_judged_item_and_the_same_one_when_imported_again() -> None:
    first, again = imported("dpo", GOOD_PAIR), imported("dpo", GOOD_PAIR + "\n" + GOOD_PAIR)
    assert first == again
    ((item, judgement),) = [(each.item, each.judgements[0]) for each in first]
    assert judgement.annotator == IMPORTER
    assert {"a": item.a, "b": item.b}[judgement.choice] == "Hello"
    text, _ = export_file("dpo", [item], [judgement])
    assert [each.pair.chosen for each in dpo.loads(text, source="file")] == ["Hello"]


def test_an_imported_pair_may_be_gold_and_a_liked_answer_alone_may_not() -> None:
    (each,) = imported("dpo", GOOD_PAIR, gold=True)
    assert each.judgements == ()
    assert {"a": each.item.a, "b": each.item.b}[str(each.item.gold)] == "Hello"
    with pytest.raises(ValueError, match="line 1"):
        imported("sharegpt", GOOD_TALK, gold=True)
    with pytest.raises(ValueError, match="gold"):
        imported("argilla", json.dumps(RECORD), gold=True)


def test_blank_comments_and_rewrites_are_none() -> None:
    responses = {
        "preference": given_by("u"),
        "comment": given_by("u", value=""),
        "rewrite": given_by("u", value=" \n"),
    }
    [item] = imported("argilla", json.dumps([RECORD | {"responses": responses}]))
    assert [(each.comment, each.rewrite) for each in item.judgements] == [("", None)]


def test_personal_data_is_not_imported() -> None:
    mail = "ada@example.com"
    [pair] = imported("dpo", answers(f"Ask {mail}.", "No.", f"I am {mail}: hi"))
    responses = {kind: given_by("u", value=mail) for kind in ("comment", "rewrite")}
    record = RECORD | {"responses": responses | {"preference": given_by("u")}}
    [judged] = imported("argilla", json.dumps([record]))
    stored = f"{pair.model_dump_json()} {judged.model_dump_json()}"
    assert (mail in stored, stored.count("<EMAIL_ADDRESS>")) == (False, 4)


def test_a_liked_answer_alone_comes_back_as_one() -> None:
    (each,) = imported("sharegpt", GOOD_TALK)
    text, _ = export_file("sharegpt", [each.item], each.judgements)
    assert json.loads(text) == json.loads(GOOD_TALK)
    assert export_file("dpo", [each.item], each.judgements)[0] == ""


def test_imported_sides_are_shuffled() -> None:
    lines = "\n".join(answers(f"good {n}", f"bad {n}") for n in range(40))
    on_a = sum(each.item.a.startswith("good") for each in imported("dpo", lines))
    assert 8 < on_a < 32


@pytest.fixture
def numbers() -> Callable[[], str]:
    iterator = iter(range(100))
    return lambda: f"n{next(iterator)}"


def test_argilla_records_without_id_and_metadata_become_open_items(numbers: Callable[[], str]) -> None:
    record = {"fields": RECORD["fields"], "suggestions": {"preference": {"value": "b"}}, "vectors": {}}
    found = argilla.loads(json.dumps(record), batch="tuesday", domain="rust", now=NOW, new_id=numbers)
    assert [(each.item.id, each.item.domain, each.judgements) for each in found] == [("n0", "rust", ())]
