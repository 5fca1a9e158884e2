"""The service says that it does not know in the language that the conversation asks for."""

import itertools

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.chat.abstention import (
    AbstentionReason,
    abstention_text,
    caution_text,
    closest_text,
    detect_language,
    disagreement_text,
    instructed_language,
    is_abstention,
    quotation_text,
    reply_language,
)
from memory.language.lexicon import LANGUAGES

REASONS: tuple[AbstentionReason, ...] = ("no_sources", "sources_silent", "sources_disagree")


def _chat(*, system: str = "", user: str) -> list[BaseMessage]:
    return [*([SystemMessage(system)] if system else []), HumanMessage(user)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_own_text_for_each_reason(language: str) -> None:
    texts = [abstention_text(reason, language) for reason in REASONS] + [caution_text(language)]
    assert len(set(texts)) == 4
    if language != "en":
        assert not set(texts) & {*(abstention_text(reason, "en") for reason in REASONS), caution_text("en")}


@pytest.mark.parametrize(("language", "reason"), list(itertools.product(LANGUAGES, REASONS)))
def test_an_abstention_is_detected_as_its_own_language(language: str, reason: AbstentionReason) -> None:
    assert detect_language(abstention_text(reason, language)) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_quotes_and_disagrees_in_its_own_words(language: str) -> None:
    quoted = quotation_text("a {lamp}", "Lamps", language)
    assert "a {lamp}" in quoted
    assert quoted.endswith("(Lamps)")
    told = disagreement_text(quoted, quotation_text("no lamp", "", language), language)
    assert quoted in told
    if language != "en":
        assert told != disagreement_text(quoted, quotation_text("no lamp", "", language), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_closest_is_shown_in_every_language_and_is_still_an_abstention(language: str) -> None:
    quoted = quotation_text("A lamp burns {oil}.", "Lamps", language)
    told = closest_text(quoted, language)
    assert quoted in told
    if language != "en":
        assert told != closest_text(quoted, "en")
    assert is_abstention(f"{abstention_text('sources_silent', language)}\n\n{told}")
    assert not is_abstention(told)


def test_a_language_without_texts_gets_english() -> None:
    assert abstention_text("no_sources", "sv") == abstention_text("no_sources", "en")
    assert caution_text("sv") == caution_text("en")


@pytest.mark.parametrize(
    ("system", "language"),
    [
        ("Answer in German.", "de"),
        ("You are a helpful assistant. Always respond in formal Brazilian Portuguese.", "pt"),
        ("Antworte immer auf Deutsch.", "de"),
        ("Réponds en français.", "fr"),
        ("Responde siempre en español", "es"),
        ("Rispondi in italiano, per favore.", "it"),
        ("Responda em português.", "pt"),
        ("Antwoord in het Nederlands.", "nl"),
        ("Odpowiadaj po polsku.", "pl"),
        ("Отвечай на русском языке.", "ru"),
        ("Отвечай по-русски.", "ru"),
        ("请用中文回答。", "zh"),
        ("日本語で答えてください。", "ja"),
        ("한국어로 대답하세요.", "ko"),
        ("Language: Spanish", "es"),
        ("Never answer in English, answer in French.", "fr"),
        ("Reply in English even when you are asked in another language.", "en"),
        ("Be brief.\nAll your replies must be in Italian.", "it"),
    ],
)
def test_the_language_that_the_system_prompt_asks_for_wins(system: str, language: str) -> None:
    assert instructed_language(system) == language
    user = "Wer hat das gebaut?" if language != "de" else "Who built this?"
    assert reply_language(_chat(system=system, user=user)) == language


@pytest.mark.parametrize(
    "system",
    [
        "Answer questions about German history.",
        "Never answer in German.",
        "Write about books that were printed in Italian cities.",
        "You translate French recipes.",
        "Answer only with the word BANANA.",
        "Reply in the language of the user.",
    ],
)
def test_a_system_prompt_that_only_mentions_a_language_asks_for_none(system: str) -> None:
    assert instructed_language(system) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is a plimdor?", "en"),
        ("Who wrote Les Misérables?", "en"),
        ("who painted las meninas", "en"),
        ("What does Weltschmerz mean?", "en"),
        ("Was ist ein Plimdor?", "de"),
        ("wie hoch ist der turm", "de"),
        ("Qui a écrit Dune ?", "fr"),
        ("Où se trouve le phare ?", "fr"),
        ("¿Quién pintó Las Meninas?", "es"),
        ("¿Cuántos habitantes tiene Lima?", "es"),
        ("Dove si trova il faro?", "it"),
        ("Quem descobriu o caminho para a Índia?", "pt"),
        ("Waar ligt Delft?", "nl"),
        ("Kto napisał Lalkę?", "pl"),
        ("Кто написал Войну и мир?", "ru"),
        ("法国的首都在哪里", "zh"),
        ("フランスの首都はどこですか", "ja"),
        ("프랑스의 수도는 어디입니까?", "ko"),
    ],
)
def test_without_an_instruction_the_reply_is_in_the_language_of_the_question(
    text: str, language: str
) -> None:
    assert reply_language(_chat(user=text)) == language


@pytest.mark.parametrize(
    "text",
    [
        "Vad heter huvudstaden i Sverige?",
        "Kde leží město Brno?",
        "Яка столиця України?",
        "🤷",
        "httpx timeout",
    ],
)
def test_other_languages_and_texts_without_any_fall_back_to_english(text: str) -> None:
    assert reply_language(_chat(user=text)) == "en"


def test_a_request_in_the_last_message_counts_unless_the_system_prompt_says_otherwise() -> None:
    user = "What is entropy? Answer in German."
    assert reply_language(_chat(user=user)) == "de"
    assert reply_language(_chat(system="Answer in French.", user=user)) == "fr"


def test_a_message_too_short_to_tell_is_read_in_the_language_of_the_one_before() -> None:
    messages = [
        HumanMessage("Wer hat die Oper gebaut?"),
        AIMessage("Jørn Utzon"),
        HumanMessage("Utzon Biografie"),
    ]
    assert reply_language(messages) == "de"


@pytest.mark.parametrize(
    "text",
    [
        "How many people speak Spanish?",
        "Who speaks German?",
        "Who writes books in Spanish?",
        "Which countries write laws in German?",
        "What language is Spanish related to?",
        "Is the official language Spanish?",
        "Do people in Peru speak Spanish?",
        "Which language do people in Mexico speak: Spanish?",
        "What do people in Spain answer in German class?",
        "How do you say hello in Spanish?",
        "Tell me which people speak Spanish.",
        "Tell me about the people who write in Spanish.",
        "Most people in Chile speak Spanish.",
    ],
)
def test_a_question_about_a_language_is_no_wish_for_it(text: str) -> None:
    assert reply_language(_chat(user=text)) == "en"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Can you answer in French?", "fr"),
        ("Could you please write it in Spanish?", "es"),
        ("Please speak German with me.", "de"),
        ("Speak Spanish.", "es"),
        ("What is entropy, answer in German?", "de"),
        ("Explain the theory of general relativity and answer in German.", "de"),
        ("What is entropy (please answer in Italian)?", "it"),
        ("I would like you to answer in Dutch.", "nl"),
        ("What is entropy?\nLanguage: Spanish", "es"),
        ("Was ist Entropie? Antworte bitte auf Englisch.", "en"),
        ("What is entropy? Responde en español.", "es"),
        ("What is entropy? 请用中文回答。", "zh"),
    ],
)
def test_a_wish_of_the_user_is_met(text: str, language: str) -> None:
    assert reply_language(_chat(user=text)) == language


@pytest.mark.parametrize("name", ["İtalian", "ITALİAN", "Ital\u0131an", "\u017fpanish", "\u212aorean"])
def test_odd_letters_in_the_name_of_a_language_are_read_or_let_be(name: str) -> None:
    assert instructed_language(f"Answer in {name}.") in ("it", "es", "ko", None)
    assert reply_language(_chat(system=f"Language: {name}", user=f"Hello! Answer in {name}."))
