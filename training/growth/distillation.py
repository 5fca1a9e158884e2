"""Distillation upwards: the small model's distributions over the answers that it has learned.

Soft targets as in Hinton et al. (2015, arXiv 1503.02531), of the likeliest tokens alone, with the rest as
one outcome (`training.loss`). The teacher is smaller than the student, so only answers that it gives itself,
token by token, are used: what it has not learned would teach the student its doubts.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from agent.growth.tokenizers import tokenizer_mismatch
from training.backends.base import AnswerDistribution, Example, single
from training.encoding import Encoded
from training.errors import CurriculumRefused
from training.growth.base import MovingLesson, SmallTeacher

BATCH = 16
"""Answers per forward pass of the teacher."""


def distillation(moving: MovingLesson) -> tuple[Example, ...]:
    """The lesson's questions with the teacher's distributions over the answers that it gives rightly."""
    teacher = moving.teacher()
    reason = tokenizer_mismatch(teacher.base.folder, moving.target.folder)
    if reason is not None:
        raise CurriculumRefused(f"{reason}: grow with the lever `curriculum`")
    answers = dict.fromkeys((pair.question, pair.answer) for pair in moving.lesson.pairs)
    return tuple(_soft(teacher, [single(question, answer) for question, answer in answers]))


def _soft(teacher: SmallTeacher, examples: Sequence[Example]) -> Iterator[Example]:
    import torch
    from peft import PeftModel

    from agent.engines.decoding import attention_window
    from training.backends.peft import encoder_of, load_base_model, pad_token
    from training.encoding import with_distributions

    base, tokenizer = load_base_model(teacher.base.folder)
    encoder, window = encoder_of(base, tokenizer, teacher.base), attention_window(base)
    model = PeftModel.from_pretrained(base, str(teacher.adapter)).eval()
    if torch.cuda.is_available():
        model.to("cuda")
    encoded = sorted(
        ((example, encoder.encode(example)) for example in examples), key=lambda pair: len(pair[1].tokens)
    )
    for start in range(0, len(encoded), BATCH):
        chosen = encoded[start : start + BATCH]
        rows = with_distributions(model, [row for _, row in chosen], pad_token(tokenizer), window=window)
        for (example, _), row in zip(chosen, rows, strict=True):
            if (distribution := _if_known(row)) is not None:
                yield Example(
                    messages=example.messages,
                    answer=example.answer,
                    distilled=True,
                    distribution=distribution,
                )


def _if_known(row: Encoded) -> AnswerDistribution | None:
    """The distribution over an answer whose every token is the teacher's likeliest one."""
    assert row.ids is not None, "the teacher's distribution was just added"
    assert row.logprobs is not None, "it comes with the tokens"
    tokens = np.array(row.tokens[-row.answer :], np.int32)
    if (row.ids[:, 0] != tokens).any():
        return None
    return AnswerDistribution(tokens, row.ids, row.logprobs)
