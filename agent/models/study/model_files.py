"""Reads a model's files: size, context length, linear layers, and what its chat template supports."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, TemplateError, meta
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from agent.engines.decoding import control_tokens
from agent.errors import ModelRefused
from agent.models.card import ChatTemplate
from memory.records.base import Record

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM, QUESTION, ANSWER, NEXT = "Aqua seven.", "Bravo eight.", "Charlie nine.", "Delta ten."
"""Messages that are easy to find in a rendered conversation."""
THINKING_MARKS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>"))
"""Marks that published models put around thinking text."""
HERMES_CALL = "<tool_call>"
"""The mark that vLLM's parser `hermes` looks for."""

Dtype = Literal["bfloat16", "float16", "float32"]


class ModelInfo(Record):
    """Properties of a model, read without its weights."""

    parameters: int
    vocabulary: int
    context: int
    dtype: Dtype
    modules: tuple[str, ...]
    """Names of the linear layers, without the output layer."""
    template: ChatTemplate


def inspect_model(folder: Path) -> ModelInfo:
    """Reads the model in `folder`. Raises ModelRefused if that fails."""
    import torch

    try:
        config: Any = AutoConfig.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ModelRefused(f"the model in {folder} cannot be read: {error}") from error
    if hasattr(model, "tie_weights"):
        model.tie_weights()
    text = config.get_text_config()
    return ModelInfo(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        vocabulary=int(text.vocab_size),
        context=int(text.max_position_embeddings),
        dtype=_dtype(config),
        modules=linear_modules(model),
        template=read_template(tokenizer),
    )


def linear_modules(model: Any) -> tuple[str, ...]:
    """Last names of a model's linear layers, sorted, without its output layer and embeddings."""
    import torch
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not output
    }
    return tuple(sorted(names))


def read_template(tokenizer: "PreTrainedTokenizerBase") -> ChatTemplate:
    """The options, roles and stop strings of the chat template.

    Raises ModelRefused if it does not render a question.
    """
    source = str(tokenizer.chat_template or "")
    options: dict[str, bool | str] = {
        name: False for name in sorted(_variables(source)) if "thinking" in name
    }
    rendered = _render(tokenizer, [("user", QUESTION)], options)
    if rendered is None or QUESTION not in rendered:
        raise ModelRefused("the chat template does not render a question: give the model another template")
    with_system = _render(tokenizer, [("system", SYSTEM), ("user", QUESTION)], options)
    marks = [pair for pair in THINKING_MARKS if pair[1] in source or _is_token(tokenizer, pair[1])]
    return ChatTemplate(
        options=options,
        system=with_system is not None and SYSTEM in with_system,
        stop=_stops(tokenizer, options),
        control=control_tokens(tokenizer),
        thinking=marks[0] if marks else None,
        tool_parser="hermes" if "tools" in _variables(source) and HERMES_CALL in source else None,
    )


def _stops(tokenizer: "PreTrainedTokenizerBase", options: dict[str, bool | str]) -> tuple[str, ...]:
    """The plain text between an answer and the next question, as a stop string.

    None if there is a control token, which ends the answer itself; plain text such as "Question:" does not.
    """
    turns = [("user", QUESTION), ("assistant", ANSWER), ("user", NEXT)]
    rendered = _render(tokenizer, turns, options)
    if rendered is None or ANSWER not in rendered or NEXT not in rendered:
        return ()
    between = rendered[rendered.index(ANSWER) + len(ANSWER) : rendered.index(NEXT)]
    ids = tokenizer(between, add_special_tokens=False)["input_ids"]
    if not between.strip() or any(i in tokenizer.all_special_ids for i in ids):
        return ()
    return (between.strip(),)


def _render(
    tokenizer: Any,
    turns: Sequence[tuple[str, str]],
    options: dict[str, bool | str],
) -> str | None:
    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
        )
    except (TemplateError, ValueError):
        return None


def _variables(template: str) -> set[str]:
    """The variables that the caller may set in the template."""
    try:
        return meta.find_undeclared_variables(
            Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
        )
    except TemplateError:  # the template uses one of transformers' extensions
        return {name for name in ("enable_thinking", "tools") if name in template}


def _is_token(tokenizer: "PreTrainedTokenizerBase", text: str) -> bool:
    return text in tokenizer.get_added_vocab()


def _dtype(config: Any) -> Dtype:
    import torch

    named = config.dtype or config.get_text_config().dtype or torch.float32
    if named == torch.bfloat16 or named == "bfloat16":
        return "bfloat16"
    return "float16" if named in (torch.float16, "float16") else "float32"
