"""The base model that ships: its split of words, its examples, its tokenizer, and what it answers."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from agent.scoring import correct, normalise
from langchain_core.messages import HumanMessage
from transformers import PreTrainedTokenizerFast

from agent.engine import NEED_INFO
from agent.local import LocalEngine
from agent.settings import Settings, base_threshold
from agent.wordings import FORMS, ask, with_context
from tests.grammar import held_out
from training.seed import bank, model, wordnet
from training.seed.bank import BankFact
from training.seed.build import shipped_reserved, shipped_unknown
from training.seed.data import IGNORED, PHASES, encode, epochs, known, phase_at, unknown
from training.seed.evaluate import questions
from training.seed.facts import Facts, answer_of, divide, kind_of, share
from training.seed.material import Material, gather, question
from training.seed.pointing import HEADS, TO_QUESTION, TO_SOURCE, TO_SUBJECT, Link, loss
from training.seed.reading import Conversation, Statement, Turn, copying, exercise
from training.seed.train import Progress, Recipe, rate_share

needs_wordnet = pytest.mark.skipif(
    not (wordnet.FOLDER / "data.noun").is_file(), reason="WordNet is absent: apt-get install wordnet-base"
)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return divide()


@pytest.fixture(scope="module")
def material(facts: Facts) -> Material:
    return gather(facts)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    loaded = PreTrainedTokenizerFast.from_pretrained(model.FOLDER)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


def examples(facts: Facts, material: Material, count: int) -> Iterator[Conversation]:
    """`count` of each kind, as training draws them."""
    rng = random.Random(11)
    queue = epochs(facts.known, rng)
    for _ in range(count):
        yield known(rng, material, next(queue))
        yield unknown(rng, material, facts.unknown)
        yield exercise(rng, material, most=7)
        yield copying(rng, material)


# The split


@needs_wordnet
def test_no_word_is_in_two_parts_of_the_split(facts: Facts) -> None:
    parts = [{fact.subject.lower() for fact in part} for part in (facts.known, facts.unknown, facts.reserved)]
    parts.append({word.lower() for word, _ in facts.reading})
    assert sum(map(len, parts)) == len(set().union(*parts))


@needs_wordnet
def test_a_word_is_reserved_by_its_hash_alone(facts: Facts) -> None:
    assert all(share(f"split|{fact.subject}") < 0.12 for fact in facts.reserved)
    taught = [fact.subject for fact in (*facts.known, *facts.unknown)] + [word for word, _ in facts.reading]
    assert all(share(f"split|{word}") >= 0.12 for word in taught)


@needs_wordnet
def test_the_shipped_banks_are_what_the_split_gives(facts: Facts) -> None:
    assert bank.known() == facts.known
    assert bank.unknown() == tuple(shipped_unknown(facts))
    assert bank.reserved() == tuple(shipped_reserved(facts))


@needs_wordnet
def test_a_kind_opens_the_definition_and_is_not_asked_for_every_name_of_several_words(facts: Facts) -> None:
    definitions = {f.subject: f.object for f in facts.known if f.form == "definition"}
    kinds = {f.subject: f.object for f in facts.known if f.form == "kind_of"}
    assert all(definitions[subject].startswith(kind) for subject, kind in kinds.items())
    compounds = [s for s, gloss in definitions.items() if " " in s and kind_of(gloss) is not None]
    assert len(compounds) > 300
    assert 0.4 < sum(subject in kinds for subject in compounds) / len(compounds) < 0.6


@needs_wordnet
def test_a_reserved_word_is_never_asked_for_or_answered_with(facts: Facts, material: Material) -> None:
    reserved = {fact.subject.lower() for fact in bank.reserved()}
    pool = {f.subject.lower() for f in (*facts.known, *facts.unknown)} | {w.lower() for w in material.words}
    assert not reserved & pool
    # Invented words and code may spell a real one by chance, so single answers are looked at, not all text;
    # and `Levi's`, which is taught, is `levis` to who leaves out its apostrophe.
    answers = [turn.model for turns in examples(facts, material, 2000) for turn in turns]
    assert len(answers) > 8000
    alone = reserved - set(map(normalise, pool))
    assert not [answer for answer in answers if "`" not in answer and normalise(answer) in alone]


def test_the_shipped_banks_share_no_word_and_ask_in_known_forms() -> None:
    parts = [{f.subject.lower() for f in facts} for facts in (bank.known(), bank.unknown(), bank.reserved())]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert [len(part) > least for part, least in zip(parts, (1200, 800, 3000), strict=True)] == [True] * 3
    assert {fact.form for fact in (*bank.known(), *bank.unknown(), *bank.reserved())} <= set(FORMS)
    assert bank.FOLDER.joinpath("reserved.jsonl").stat().st_size < 1_000_000


def test_a_reserved_word_is_no_answer_of_a_known_fact() -> None:
    answers = {normalise(fact.answer) for fact in bank.known()}
    assert not {normalise(fact.subject) for fact in bank.reserved()} & answers


def test_the_answer_of_a_fact_follows_its_form() -> None:
    assert BankFact("lemur", "definition", "a primate").answer == "a primate"
    assert BankFact("lemur", "term_for", "a primate").answer == "lemur"
    assert BankFact("lemur", "yes_no", "primate").answer == "Yes"


def test_glosses_become_short_plain_answers() -> None:
    assert answer_of('a small (nocturnal) primate; "he saw a lemur"') == "a small primate"
    assert answer_of("one") is None
    assert answer_of(" ".join(["word"] * 13)) is None
    assert answer_of("50% of it all") is None


def test_absent_wordnet_names_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(wordnet.WordNetMissing, match="apt-get install wordnet-base"):
        wordnet.read(tmp_path)


# The examples


@needs_wordnet
def test_the_same_seed_gives_the_same_examples(facts: Facts, material: Material) -> None:
    assert list(examples(facts, material, 50)) == list(examples(facts, material, 50))


@needs_wordnet
def test_every_answer_of_an_exercise_stands_in_its_context_or_is_no_or_an_admission(
    material: Material,
) -> None:
    rng = random.Random(2)
    for _ in range(500):
        turns = exercise(rng, material, most=7)
        context = turns[0].user.rpartition("\n\nQuestion: ")[0].lower()
        for turn in turns:
            assert (
                turn.model.startswith(NEED_INFO)
                or turn.model in ("Yes", "No")
                or turn.model.lower() in context
            )


@needs_wordnet
def test_known_facts_come_up_equally_often(facts: Facts) -> None:
    queue = epochs(facts.known, random.Random(0))
    twice = [next(queue) for _ in range(2 * len(facts.known))]
    assert sorted(twice, key=repr) == sorted([*facts.known, *facts.known], key=repr)


def test_no_held_out_wording_is_a_verb_and_its_subject_as_random_commands_are() -> None:
    assert not [text for form in FORMS for text in held_out(form) if re.fullmatch(r"\w+ \{subject\}\.", text)]


@needs_wordnet
def test_words_put_into_questions_name_nothing_that_could_be_asked(facts: Facts, material: Material) -> None:
    asked = {fact.subject.lower() for part in (facts.known, facts.unknown, facts.reserved) for fact in part}
    assert len(material.fillers) > 2000
    assert not asked & set(material.fillers)


@needs_wordnet
def test_a_disturbed_question_still_holds_its_subject(facts: Facts, material: Material) -> None:
    rng = random.Random(8)
    for fact in rng.sample(facts.known, 400):
        if fact.form != "term_for":
            text = question(rng, material, fact.form, fact.subject, fact.object)
            assert fact.subject.lower() in text.lower()


def test_each_share_of_progress_has_its_phase() -> None:
    assert phase_at(0.0) == PHASES[0]
    assert phase_at(PHASES[0].end) == PHASES[1]
    assert phase_at(1.5) == PHASES[-1]
    assert [phase.end for phase in PHASES] == sorted(phase.end for phase in PHASES)


def test_the_learning_rate_warms_up_holds_and_falls() -> None:
    recipe, later = Recipe(), Progress(steps=900)
    assert rate_share(recipe, Progress(), 0.0) < 0.05
    assert rate_share(recipe, later, 0.2) == pytest.approx(1.0)
    assert rate_share(recipe, later, (1 + recipe.plateau) / 2) == pytest.approx(0.5)
    assert rate_share(recipe, later, 1.0) == pytest.approx(0.01)


# Tokenizer and network


@pytest.mark.parametrize(
    "text",
    ["What is `Box<T>`?", "`git_rebase` and 'static", "Zoë — naïve 3.14", f"{NEED_INFO} I do not know."],
)
def test_the_tokenizer_gives_back_what_it_was_given(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_need_info_is_one_token_that_decoding_keeps(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer(NEED_INFO, add_special_tokens=False)["input_ids"]
    assert len(ids) == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == NEED_INFO


def test_training_sees_the_very_tokens_of_the_chat_template(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = (Turn("What is `Box<T>`?", "a pointer"), Turn("And a lemur?", f"{NEED_INFO} I do not know."))
    encoded = encode(tokenizer, turns)
    ids, labels = encoded.ids, encoded.labels
    messages = [
        message
        for turn in turns
        for message in (
            {"role": "user", "content": turn.user},
            {"role": "assistant", "content": turn.model},
        )
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    learned = tokenizer.decode([label for label in labels if label != IGNORED])
    assert learned == f" a pointer<end_of_turn>{NEED_INFO} I do not know.<end_of_turn>"


def test_a_system_message_is_folded_into_the_first_user_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a lemur?"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == (
        "<bos><start_of_turn>user\nBe brief.\n\nWhat is a lemur?<end_of_turn>\n<start_of_turn>model\n"
    )


def test_a_new_model_already_finds_what_followed_the_same_token_before() -> None:
    """After a b ... a, layer 1 attends to b, which followed the first a."""
    young = model.create(6016, seed=0)
    ids = torch.randperm(5000, generator=torch.Generator().manual_seed(2))[:40] + 10
    row = torch.cat([ids, ids[10:11]])[None]
    young.set_attn_implementation("eager")
    with torch.inference_mode():
        attentions = young.model(row, output_attentions=True).attentions
    assert attentions[1][0, 0, -1].argmax().item() == 11


def test_reading_heads_are_told_the_subject_and_the_next_word_of_the_source(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    lemur = Statement("definition", "lemur", "a small primate", "A lemur is a small primate.")
    user = with_context("What is a lemur?", [lemur.text, "Bread is baked."])
    encoded = encode(tokenizer, (Turn(user, lemur.object, lemur, (lemur,)),))

    def at(places: Sequence[int]) -> str:
        return tokenizer.decode([encoded.ids[place] for place in places])

    told = {
        head: [
            (at([link.query + 1]).strip(), at(link.keys).strip())
            for link in encoded.links
            if link.head == head
        ]
        for head in HEADS
    }
    assert {subject for _, subject in told[TO_SUBJECT]} == {"lemur"}
    assert {subject for _, subject in told[TO_QUESTION]} == {"lemur"}
    words, sources = zip(*told[TO_SOURCE], strict=True)
    assert "".join(words) == "".join(sources) == "asmallprimate"


def test_the_loss_of_pointing_is_nothing_where_all_attention_is_right() -> None:
    attentions = [torch.eye(4).expand(1, 5, 4, 4) for _ in range(4)]
    right = [[Link(head, 2, (1, 2)) for head in HEADS]]
    wrong = [[Link(head, 2, (0,)) for head in HEADS]]
    assert loss(attentions, right).item() == pytest.approx(0.0)
    assert loss(attentions, wrong).item() > 10


# What it answers


async def test_the_exported_model_answers_known_facts_and_admits_what_it_never_saw() -> None:
    engine = LocalEngine.open(model.FOLDER)
    rng = random.Random(4)
    right = silent = 0
    for fact in rng.sample(bank.known(), 40):
        text = ask(fact.form, "taught", rng, subject=fact.subject, object=fact.object)
        right += correct((await engine.chat([HumanMessage(text)])).text, [fact.answer])
    for fact in rng.sample(bank.reserved(), 40):
        text = ask(fact.form, "taught", rng, subject=fact.subject, object=fact.object)
        silent += NEED_INFO in (await engine.chat([HumanMessage(text)])).text
    assert right >= 32
    assert silent >= 28


def test_the_evaluation_asks_the_same_questions_each_time_and_reads_reserved_words_only() -> None:
    asked = questions()
    assert asked == questions()
    reserved = {fact.subject for fact in bank.reserved()}
    reading = [a for a in asked if a.about == "reading"]
    assert all(a.fact.subject in reserved for a in reading)
    assert all(a.question.references[0] in a.question.text for a in reading)


def test_the_gate_of_the_shipped_model_is_calibrated() -> None:
    assert base_threshold(Settings(model=str(model.FOLDER), entropy_threshold=None)) != model.UNCALIBRATED
