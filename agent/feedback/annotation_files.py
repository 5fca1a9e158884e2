"""Files of preference data: items and judgements in one of three formats, and back."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from agent.feedback.alternatives import swaps_sides
from agent.feedback.annotated_pairs import annotated_pairs
from agent.feedback.formats import argilla, dpo, sharegpt
from agent.feedback.formats.argilla import IMPORTED, ImportedItem
from agent.feedback.formats.rows import ImportedPair, decode
from agent.privacy.scrubbing import Scrubber
from memory.records.base import Domain, digest_of
from memory.records.feedback import AnnotationItem, Choice, Judgement

FileFormat = Literal["dpo", "sharegpt", "argilla"]
IMPORTER = "import"
"""The annotator that imported preferences count as."""
JSON, JSON_LINES = "application/json", "application/x-ndjson"


def export_file(
    format: FileFormat,
    items: Sequence[AnnotationItem],
    judgements: Iterable[Judgement],
    *,
    reveal: bool = False,
) -> tuple[str, str]:
    """The file's text and media type.

    DPO leaves out pairs without both answers, ShareGPT those without a chosen one. `reveal` concerns
    Argilla's; see there.
    """
    if format == "argilla":
        return argilla.dumps(items, judgements, reveal=reveal), JSON
    pairs = annotated_pairs(items, judgements)
    if format == "sharegpt":
        return sharegpt.dumps(pair for pair in pairs if pair.trains("sft")), JSON_LINES
    return dpo.dumps(pair for pair in pairs if pair.trains("dpo")), JSON_LINES


def import_file(
    format: FileFormat,
    data: bytes,
    *,
    batch: str,
    domain: Domain,
    gold: bool,
    now: datetime,
    scrubber: Scrubber,
) -> tuple[ImportedItem, ...]:
    """The items and judgements of a file, without personal data.

    Imported pairs are items judged by `import`, or gold items with `gold`. Their ids are made from the batch
    and the texts, so that importing a file again gives the same items. Raises ValueError that names the line
    of what is wrong.
    """
    imported = _read_file(format, data, batch=batch, domain=domain, gold=gold, now=now)
    return tuple(_scrubbed(each, scrubber) for each in imported)


def _read_file(
    format: FileFormat, data: bytes, *, batch: str, domain: Domain, gold: bool, now: datetime
) -> tuple[ImportedItem, ...]:
    text = decode(data)
    if format == "argilla":
        if gold:
            raise ValueError("gold is for pairs: Argilla's records name gold choices in their metadata")
        number = iter(range(1, 1_000_000))
        key = hashlib.sha256(batch.encode() + data).hexdigest()[:24]
        return argilla.loads(
            text, batch=batch, domain=domain, now=now, new_id=lambda: f"{key}-{next(number)}"
        )
    loads = dpo.loads if format == "dpo" else sharegpt.loads
    imported: dict[str, ImportedItem] = {}
    for each in loads(text, source=batch):
        item = item_of_pair(each, batch=batch, domain=domain, gold=gold, now=now)
        imported.setdefault(item.item.id, item)
    return tuple(imported.values())


def item_of_pair(
    imported: ImportedPair, *, batch: str, domain: Domain, gold: bool, now: datetime
) -> ImportedItem:
    """The item that stands for an imported pair, with its judgement unless it is gold.

    A liked answer without a rejected one stands on both sides, judged `both_good`. Raises ValueError for such
    a pair as gold.
    """
    pair = imported.pair
    assert pair.chosen is not None, "the formats have no pair without a chosen answer"
    if gold and pair.rejected is None:
        raise ValueError(f"line {imported.line}: a gold item needs a chosen and a rejected answer")
    texts = [message.model_dump() for message in pair.messages], pair.chosen, pair.rejected
    item_id = digest_of([batch, *texts])[:32]
    swapped = swaps_sides(0, item_id)
    answers = (pair.chosen, pair.chosen if pair.rejected is None else pair.rejected)
    a, b = reversed(answers) if swapped else answers
    choice: Choice = "both_good" if pair.rejected is None else "b" if swapped else "a"
    item = AnnotationItem(
        id=item_id,
        batch=batch,
        interaction_id=None,
        domain=domain,
        messages=pair.messages,
        a=a,
        b=b,
        a_source=IMPORTED,
        b_source=IMPORTED,
        gold=choice if gold else None,
        created_at=now,
    )
    judgement = Judgement(item_id=item_id, annotator=IMPORTER, choice=choice, created_at=now)
    return ImportedItem(line=imported.line, item=item, judgements=() if gold else (judgement,))


def _scrubbed(imported: ImportedItem, scrubber: Scrubber) -> ImportedItem:
    """The item and its judgements with personal data replaced."""
    scrub, item = scrubber.scrub, imported.item
    messages = [each.model_copy(update={"content": scrub(each.content)}) for each in item.messages]
    texts = {"messages": tuple(messages), "a": scrub(item.a), "b": scrub(item.b)}
    judgements = [
        each.model_copy(
            update={
                "comment": scrub(each.comment),
                "rewrite": None if each.rewrite is None else scrub(each.rewrite),
            }
        )
        for each in imported.judgements
    ]
    return imported.model_copy(
        update={"item": item.model_copy(update=texts), "judgements": tuple(judgements)}
    )
