"""Golden pairs as JSON lines, in one of three forms: question and answer, instruction, or completion."""

import json
from collections.abc import Iterable

from memory.records.nights import GoldenForm, GoldenPair


def dumps(pairs: Iterable[GoldenPair], form: GoldenForm | None = None) -> str:
    """A line for each pair, all in one form; without `form`, each in its own.

    `qa` has `question` and `answer`; `instruction` the fields of Alpaca, `instruction`, `input` and `output`;
    `completion` those of TRL's prompt-completion data sets, `prompt` and `completion`. All have `domain`,
    `topic`, `score`, `source` and `citations` beside them.
    """
    return "".join(json.dumps(_row(pair, form or pair.form), ensure_ascii=False) + "\n" for pair in pairs)


def _row(pair: GoldenPair, form: GoldenForm) -> dict[str, object]:
    provenance: dict[str, object] = {
        "domain": pair.domain,
        "topic": pair.topic,
        "score": pair.score,
        "source": pair.source,
        "citations": [citation.model_dump(mode="json") for citation in pair.citations],
    }
    if form == "qa":
        return {"question": pair.question, "answer": pair.answer} | provenance
    if form == "instruction":
        return {"instruction": pair.question, "input": "", "output": pair.answer} | provenance
    return {"prompt": pair.question, "completion": pair.answer} | provenance
