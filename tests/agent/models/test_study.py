"""A study of a scripted model: what it knows, how it declines, its gate, its verdict and its card."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.engines.base import Reply, Token
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable
from agent.models.bank.records import BankMessage, BankQuestion, GeneralPrompt, InventedQuestion
from agent.models.card import (
    ChatTemplate,
    ReplayDistributions,
    Speed,
    read_card,
    read_distributions,
    read_questions,
    read_replay,
    read_unknown,
    write_card,
)
from agent.models.study.answer_log import AnswerLog, LoggedAnswer, ask_all, question_prompt
from agent.models.study.decline_phrases import decline_phrases
from agent.models.study.model_files import ModelInfo
from agent.models.study.reading_comprehension import reading_questions
from agent.models.study.replay_answers import replay_answers, turns_of
from agent.models.study.report import result_of
from agent.models.study.run import (
    Study,
    StudySubject,
    answer_tokens,
    collect_answers,
    learning_rate,
    make_study,
)
from agent.models.study.study_questions import StudyMaterial, evenly_by_domain
from agent.models.study.tool_use import ToolCase, score_tool_use
from agent.models.study.verdict import StudyFigures, decide_verdict
from memory.records.base import Interval
from memory.results import page

INSPECTED = ModelInfo(
    parameters=1_000_000,
    vocabulary=1000,
    context=2048,
    dtype="float32",
    modules=("q_proj",),
    template=ChatTemplate(),
)
TOKEN = Token(text="x", logprob=-0.1, entropy=Interval(lower=0.1, upper=0.1))
SPEED = Speed(machine="none", threads=1, tokens_per_second=1.0, tokens_per_second_batched=1.0, memory_mb=1.0)


def bank_of(count: int) -> tuple[BankQuestion, ...]:
    return tuple(
        BankQuestion(
            id=f"q{number}",
            domain="factual",
            wordings=(f"Which number is item {number}?", f"Item {number} is which number?"),
            answers=(str(1000 + number),),
            popularity=number / count,
            source="test",
        )
        for number in range(count)
    )


def names_of(count: int) -> tuple[InventedQuestion, ...]:
    return tuple(
        InventedQuestion(
            id=f"n{number}",
            domain="factual",
            name=f"Zorb{number}",
            wordings=(f"Where is Zorb{number}?", f"In which place is Zorb{number}?"),
        )
        for number in range(count)
    )


def half_knowing(bank: tuple[BankQuestion, ...]) -> ScriptedEngine:
    """Answers even questions rightly and surely, odd ones wrongly and unsurely, and declines names."""
    lines = {}
    for number, asked in enumerate(bank):
        for wording in asked.wordings:
            right = number % 2 == 0
            lines[wording] = Line(
                text=f"It is {asked.answers[0]}." if right else "It is some other one.",
                entropy=0.1 + 0.001 * number if right else 2.0 + 0.001 * number,
                logprob=-0.05 if right else -2.0,
            )
    for asked in names_of(40):
        lines[asked.wordings[0]] = Line(text=f"I have no record of {asked.name}.", entropy=3.0)
    return ScriptedEngine(lines, default=Line(text="Fine."))


async def studied(engine: ScriptedEngine, bank: tuple[BankQuestion, ...]) -> Study:
    material = StudyMaterial(
        bank=bank,
        invented=names_of(40),
        prompts=(
            GeneralPrompt(id="p", kind="small_talk", messages=(BankMessage(role="user", content="Hello!"),)),
        ),
        reading=reading_questions(["Zorb"], count=4),
    )
    replies = await collect_answers(
        engine, material, AnswerLog(), INSPECTED, lambda what, total: lambda: None
    )
    replay = replay_answers(material.prompts, replies.prompts)
    read = ReplayDistributions(
        lengths=np.asarray([1], np.int32),
        tokens=np.asarray([5], np.int32),
        ids=np.zeros((1, 32), np.int32),
        logprobs=np.zeros((1, 32), np.float16),
    )
    subject = StudySubject(name="scripted", folder=Path(), source="test", licence="none", digest="0" * 64)
    return make_study(subject, INSPECTED, material, replies, SPEED, replay, read, seconds=1.0)


async def test_it_knows_what_it_answers_rightly_in_every_wording() -> None:
    bank = bank_of(40)
    engine = half_knowing(bank)
    found = await studied(engine, bank)
    assert [asked.id for asked in found.questions if asked.known] == [
        f"q{number}" for number in range(0, 40, 2)
    ]


async def test_a_question_that_was_asked_in_one_wording_only_is_not_known() -> None:
    bank = tuple(each.model_copy(update={"wordings": each.wordings[:1]}) for each in bank_of(40))
    found = await studied(half_knowing(bank), bank)
    assert len(found.questions) == 40
    assert not any(asked.known for asked in found.questions)


async def test_one_wrong_wording_makes_a_question_unknown() -> None:
    bank = bank_of(40)
    script = {bank[0].wordings[0]: Line(text="1000"), bank[0].wordings[1]: Line(text="7")}
    found = await studied(ScriptedEngine(script, default=Line(text="none")), bank)
    assert not any(asked.known for asked in found.questions)


async def test_its_own_way_of_declining_is_found_and_counts_as_one() -> None:
    bank = bank_of(40)
    found = await studied(half_knowing(bank), bank)
    assert any(phrase in "i have no record of zorb1." for phrase in found.card.declines)
    assert all(not label.group.startswith("n") for label in found.labels)


async def test_a_model_that_always_declines_gets_no_gate_and_says_why() -> None:
    bank = bank_of(40)
    found = await studied(ScriptedEngine(default=Line(text="I do not know.")), bank)
    assert found.card.gate.forms == {}
    assert not any(asked.known for asked in found.questions)
    assert found.card.verdict == "no-go"
    assert any("are needed" in reason for reason in found.card.reasons)


async def test_what_it_is_sure_of_is_told_from_what_it_is_not() -> None:
    bank = bank_of(200)
    found = await studied(half_knowing(bank), bank)
    gate = found.card.gate.forms["short"]
    assert gate.threshold is not None
    assert 0.4 < gate.coverage < 0.5 / (1 - found.card.gate.risk)  # half of the answers are right


async def test_a_card_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = await studied(half_knowing(bank_of(40)), bank_of(40))
    write_card(tmp_path, found.card, found.questions, found.unknown, found.replay, found.distributions)
    assert read_card(tmp_path) == found.card
    assert read_questions(tmp_path) == found.questions
    assert read_unknown(tmp_path) == found.unknown
    assert read_replay(tmp_path) == found.replay
    assert np.array_equal(read_distributions(tmp_path).tokens, found.distributions.tokens)


async def test_the_page_says_of_an_interrupted_study_how_much_was_there_already() -> None:
    found = await studied(half_knowing(bank_of(40)), bank_of(40))
    whole, resumed = [
        page(result_of(replace(found, logged=logged), "study"), "a1b2c3", "none") for logged in (0, 70)
    ]
    assert "interrupted" not in whole
    assert "70 answers were logged already when its last sitting began" in resumed
    assert "training tokens/s" not in whole


async def test_an_interrupted_study_asks_nothing_twice(tmp_path: Path) -> None:
    prompts = [question_prompt(f"Question {number}?", 16) for number in range(20)]
    engine = ScriptedEngine(default=Line(text="An answer."))
    await ask_all(engine, prompts[:12], AnswerLog(tmp_path / "answers.jsonl"))
    with (tmp_path / "answers.jsonl").open("a") as lines:
        lines.write('{"prompt": "cut off')
    engine.available = False
    log = AnswerLog(tmp_path / "answers.jsonl")
    assert len(log) == 12
    found = await ask_all(engine, prompts[:12], log)
    assert [answer.prompt for answer in found] == [prompt.digest for prompt in prompts[:12]]


async def test_what_a_model_says_to_itself_is_not_in_its_answer(tmp_path: Path) -> None:
    engine = ScriptedEngine(default=Line(text="<think> Paris? </think> Rome."))
    marks = ("<think>", "</think>")
    (answer,) = await ask_all(engine, [question_prompt("Which city?", 16)], AnswerLog(), thinking=marks)
    assert answer.text == "Rome."


async def test_a_lost_connection_is_tried_again_and_a_lost_engine_is_said_plainly() -> None:
    class Flaky(ScriptedEngine):
        failures = 2

        async def chat(self, *args: Any, **options: Any) -> Reply:
            if self.failures:
                self.failures -= 1
                raise EngineUnavailable("the connection was lost")
            return await super().chat(*args, **options)

    engine = Flaky(default=Line(text="An answer."))
    (answer,) = await ask_all(engine, [question_prompt("Question?", 16)], AnswerLog())
    assert answer.text == "An answer."
    engine.failures = 1000
    with pytest.raises(EngineUnavailable):
        await ask_all(
            engine, [question_prompt(f"Question {number}?", 16) for number in range(3)], AnswerLog()
        )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (StudyFigures(reads=0.9, known=300, auroc=0.8, context=2048), "go"),
        (StudyFigures(reads=0.2, known=300, auroc=0.8, context=2048), "no-go"),
        (StudyFigures(reads=0.9, known=10, auroc=0.8, context=2048), "retrieval only"),
        (StudyFigures(reads=0.9, known=300, auroc=0.5, context=2048), "retrieval only"),
        (StudyFigures(reads=0.9, known=300, auroc=None, context=2048), "retrieval only"),
        (StudyFigures(reads=0.9, known=300, auroc=0.8, context=512), "retrieval only"),
    ],
)
def test_the_verdict_follows_the_rule_and_gives_its_reason(found: StudyFigures, verdict: str) -> None:
    said, reasons = decide_verdict(found)
    assert said == verdict
    assert reasons


def test_phrases_that_right_answers_use_too_are_no_way_of_declining() -> None:
    said = ["It is not known for certain, but it is big."] * 20
    assert decline_phrases(said, said) == ()


def test_questions_are_taken_evenly_from_the_domains() -> None:
    few = tuple(q.model_copy(update={"id": f"c{q.id}", "domain": "code"}) for q in bank_of(5))
    chosen = evenly_by_domain(bank_of(100) + few, 10, seed=0)
    assert sum(q.domain == "code" for q in chosen) == 5
    assert chosen == evenly_by_domain(bank_of(100) + few, 10, seed=0)


def test_every_passage_states_the_answer_to_its_question() -> None:
    for asked in reading_questions(["Zorb", "Quim"]):
        passage = asked.prompt.split("\n\nQuestion:")[0]
        assert asked.answer in passage


def test_a_system_message_opens_the_first_question_where_the_template_takes_none() -> None:
    prompt = GeneralPrompt(
        id="s",
        kind="system_prompt",
        messages=(
            BankMessage(role="system", content="Be brief."),
            BankMessage(role="user", content="Hello!"),
        ),
    )
    (turn,) = turns_of(prompt, system=False)
    assert turn.role == "user"
    assert turn.content.startswith("Be brief.")
    assert turn.content.endswith("Hello!")


def test_the_answer_length_covers_most_answers_and_stays_in_the_context() -> None:
    def said(tokens: int, *, finished: bool = True) -> LoggedAnswer:
        return LoggedAnswer(prompt="0" * 64, text="x", tokens=(TOKEN,) * tokens, finished=finished)

    assert answer_tokens([said(20)] * 19 + [said(250)], 8192) == 32
    assert answer_tokens([said(250, finished=False)] * 20, 8192) == 512
    assert answer_tokens([said(250, finished=False)] * 20, 1024) == 256


def test_larger_models_learn_at_lower_rates() -> None:
    rates = [learning_rate(size) for size in (135_000_000, 500_000_000, 1_500_000_000, 8_000_000_000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[2] == pytest.approx(2e-4)


def test_a_tool_call_counts_only_with_what_it_has_to_contain() -> None:
    case = ToolCase(
        id="t",
        messages=({"role": "user", "content": "Weather in Lisbon?"},),  # type: ignore[arg-type]
        tools=({"type": "function", "function": {"name": "search"}},),
        needs_tool=True,
        must_contain=("Lisbon",),
    )

    def called(text: str) -> int:
        answer = LoggedAnswer(prompt="0" * 64, text=text, tokens=(), finished=True)
        return score_tool_use([case], [answer]).called

    assert called('Sure: {"tool": "search", "arguments": {"query": "weather lisbon"}}') == 1
    assert called('{"tool": "search", "arguments": {"query": "weather"}}') == 0
    assert called('{"tool": "browse", "arguments": {"query": "Lisbon"}}') == 0
    assert called("It is sunny in Lisbon.") == 0
