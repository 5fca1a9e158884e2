"""A system prompt that fixes the words or the notation of answers is told from one that does not."""

import pytest
from langchain_core.messages import SystemMessage

from agent.chat.conversation import messages_from_pairs
from agent.chat.format_directives import dictates_form


@pytest.mark.parametrize(
    "system",
    [
        "Answer only with the word BANANA.",
        "You are a parrot. Reply with exactly one word.",
        "Respond only in valid JSON.",
        "Return your answer as JSON with the keys name and age.",
        'Say only "OK".',
        "You translate into French.\nRespond only with the translation.",
        "Only answer yes or no.",
        "Output the label and nothing else.",
        "Antworte nur mit Ja oder Nein.",
        "Répondez uniquement avec un nombre.",
        "Responde solo con la palabra correcta.",
    ],
)
def test_a_dictated_form_is_seen(system: str) -> None:
    assert dictates_form(messages_from_pairs([("system", system), ("user", "What is a lemur?")]))


@pytest.mark.parametrize(
    "system",
    [
        "You are a helpful assistant.",
        "Answer in German.",
        "Answer only in German.",
        "Be brief and polite. Answer in at most two sentences.",
        "Answer only questions about lamps.",
        "Answer only from the documents.",
        "Only answer if you are sure.",
        "Only answer with information from the handbook.",
        "You know JSON and YAML well.",
        "Always reply with courtesy.",
        "Write formulas in LaTeX.",
        "When you answer about databases, give examples in SQL.",
        "Answer with a short example in HTML where that helps.",
    ],
)
def test_language_tone_length_and_subject_are_no_form(system: str) -> None:
    assert not dictates_form(messages_from_pairs([("system", system), ("user", "What is a lemur?")]))


def test_only_the_system_prompt_dictates() -> None:
    assert not dictates_form(messages_from_pairs([("user", "Answer only with the word BANANA.")]))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["answer " * 20_000, "say just in a " * 10_000, "answer only " * 10_000])
def test_a_huge_system_prompt_is_read_in_time(text: str) -> None:
    assert not dictates_form([SystemMessage(text)])
