"""The model's own answers to general prompts, with its likeliest next tokens at each place."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.decoding import end_tokens
from agent.models.bank.records import GeneralPrompt
from agent.models.card import ReplayAnswer, ReplayDistributions, Turn
from agent.models.study.asking import Answer

TOP_IDS = 32
"""Likeliest tokens kept at each place: with them more than .99 of the probability of most places."""
REPLAY_TOKENS = 48
"""Longest replay answer; the files of a card of 370 answers stay below 3.5 MB."""


def turns_of(prompt: GeneralPrompt, *, system: bool) -> tuple[Turn, ...]:
    """The prompt's messages; where there can be no system message, it opens the first user message."""
    turns = [Turn(role=turn.role, content=turn.content) for turn in prompt.messages]
    if system or turns[0].role != "system" or len(turns) < 2:
        return tuple(turns)
    return (turns[1].model_copy(update={"content": f"{turns[0].content}\n\n{turns[1].content}"}), *turns[2:])


def replay_answers(
    prompts: Sequence[GeneralPrompt], answers: Sequence[Answer], *, system: bool = True
) -> list[ReplayAnswer]:
    """The answers that have text, beside their prompts."""
    return [
        ReplayAnswer(
            id=prompt.id,
            kind=prompt.kind,
            messages=turns_of(prompt, system=system),
            answer=answer.text,
        )
        for prompt, answer in zip(prompts, answers, strict=True)
        if answer.text.strip()
    ]


def distributions(
    folder: Path,
    replay: Sequence[ReplayAnswer],
    finished: Mapping[str, bool],
    options: Mapping[str, Any],
    step: Callable[[], object] = lambda: None,
) -> ReplayDistributions:
    """Reads each answer once with the weights in float32, for the TOP_IDS likeliest tokens at each place.

    `finished` says by id which answers the model ended itself: these are followed by its end of turn.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.train(False)
    end = _end_of_turn(model, tokenizer, options)
    lengths, tokens, ids, logprobs = [], [], [], []
    with torch.inference_mode():
        for answer in replay:
            messages = [turn.model_dump() for turn in answer.messages]
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **options
            )
            prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
            # A template that ends in plain text leaves the space before the answer to the answer.
            space = "" if text[-1:].isspace() or _ends_in_control(tokenizer, prompt) else " "
            said = tokenizer(space + answer.answer, add_special_tokens=False)["input_ids"]
            said = said + [end] * finished[answer.id]
            logits = model(input_ids=torch.tensor([prompt + said]), logits_to_keep=len(said) + 1).logits[
                0, :-1
            ]
            top = logits.float().log_softmax(-1).topk(min(TOP_IDS, logits.shape[-1]))
            lengths.append(len(said))
            tokens.append(np.asarray(said, np.int32))
            ids.append(top.indices.numpy().astype(np.int32))
            logprobs.append(top.values.numpy().astype(np.float16))
            step()
    return ReplayDistributions(
        lengths=np.asarray(lengths, np.int32),
        tokens=np.concatenate(tokens),
        ids=np.concatenate(ids),
        logprobs=np.concatenate(logprobs),
    )


def _end_of_turn(model: Any, tokenizer: Any, options: Mapping[str, Any]) -> int:
    """The token by which the template ends an answer, if generation ends at it; else the end of a text."""
    ends = sorted(end_tokens(model, tokenizer))
    turns = [{"role": "user", "content": "Ready?"}, {"role": "assistant", "content": "Certainly"}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False, **options))
    after = text[text.rindex("Certainly") + len("Certainly") :]
    following = tokenizer(after, add_special_tokens=False)["input_ids"]
    if following and following[0] in ends:
        return int(following[0])
    return ends[0] if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)


def _ends_in_control(tokenizer: Any, ids: Sequence[int]) -> bool:
    return bool(ids) and ids[-1] in tokenizer.all_special_ids
