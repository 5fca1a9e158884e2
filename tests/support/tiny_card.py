"""Makes the tiny model's card anew: `python -m tests.support.tiny_card`.

Its questions stand in the card that is there.
"""

import asyncio

import numpy as np
import torch
from langchain_core.messages import HumanMessage
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent.engines.base import Reply, Sampling
from agent.engines.local import LocalEngine
from agent.grading import is_correct
from agent.models.card import (
    ChatTemplate,
    PromptMessage,
    ReplayAnswer,
    ReplayDistributions,
    TeachingSettings,
    read_questions,
    read_unknown,
    write_card,
)
from memory.records.base import digest_of
from tests.support.cards import card, gate
from tests.support.tiny_model import FOLDER
from training.base_model import training_split

REFUSAL = "<NEED_INFO> I do not know that."
K = 32
PROMPTS = 60
"""Of the questions that it knows, as many as are replayed; and all about unknown words that are not asked."""
ASKED = 0.5
"""The standard recipe's."""


async def answers(questions: list[str]) -> list[Reply]:
    """Its greedy answers."""
    engine = LocalEngine.open(FOLDER, device="cpu")
    sampling = Sampling(max_tokens=48)
    return await asyncio.gather(*(engine.chat([HumanMessage(q)], sampling=sampling) for q in questions))


@torch.inference_mode()
def distributions(questions: list[str], said: list[str]) -> ReplayDistributions:
    """Its top log-probabilities along its answers."""
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for question, answer in zip(questions, said, strict=True):
        turns = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        after = [*tokenizer(f" {answer}", add_special_tokens=False)["input_ids"], end]
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        top = logits.log_softmax(-1).topk(K)
        parts.append((np.array(after), top.indices.numpy(), top.values.numpy()))
    return ReplayDistributions(
        lengths=np.array([len(tokens) for tokens, _, _ in parts], np.int32),
        tokens=np.concatenate([tokens for tokens, _, _ in parts]).astype(np.int32),
        ids=np.concatenate([ids for _, ids, _ in parts]).astype(np.int32),
        logprobs=np.concatenate([values for _, _, values in parts]).astype(np.float16),
    )


def main() -> None:
    """Asks it everything, and writes the card."""
    questions, unknown = read_questions(FOLDER), read_unknown(FOLDER)
    asked = [(number, text) for number, each in enumerate(questions) for text in each.wordings]
    replies = asyncio.run(answers([text for _, text in asked]))
    wrong = {
        number
        for (number, _), reply in zip(asked, replies, strict=True)
        if not is_correct(reply.text, questions[number].answers)
    }
    judged = [each.model_copy(update={"known": number not in wrong}) for number, each in enumerate(questions)]
    kept = [each for each in judged if each.known]
    texts = {text: reply.text for (_, text), reply in zip(asked, replies, strict=True)}
    strange = [each.wordings[-1] for each in training_split(unknown, ASKED)]
    replayed = [each.wordings[0] for each in kept[:PROMPTS]] + strange
    texts |= dict(zip(strange, (reply.text for reply in asyncio.run(answers(strange))), strict=True))
    said = [texts[question] for question in replayed]
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    output = model.get_output_embeddings()
    linear = (n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not output)
    modules = tuple(sorted({name.rpartition(".")[2] for name in linear}))
    of = card(
        name="tiny",
        source="made for tests",
        digest=digest_of("the tiny model"),
        parameters=sum(p.numel() for p in model.parameters()),
        vocabulary=model.config.vocab_size,
        context=model.config.max_position_embeddings,
        dtype="bfloat16",
        template=ChatTemplate(system=False),
        declines=("<need_info>",),
        answer_tokens=48,
        lessons=TeachingSettings(modules=modules, learning_rate=2e-3, refusal=REFUSAL),
        gate=gate(1.0).model_copy(update={"fitted_on": "nothing: a threshold of one nat"}),
        known=len(kept),
        unknown=len(unknown),
        replay=len(replayed),
    )
    answered = [
        ReplayAnswer(id=f"r{i}", kind="question", messages=(PromptMessage(role="user", content=q),), answer=a)
        for i, (q, a) in enumerate(zip(replayed, said, strict=True))
    ]
    write_card(FOLDER, of, judged, unknown, answered, distributions(replayed, said))
    print(f"{len(kept)} known questions of {len(judged)}, {len(unknown)} unknown, {len(answered)} replayed")


if __name__ == "__main__":
    main()
