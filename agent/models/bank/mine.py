"""Regenerates `mined.jsonl` and `invented.jsonl` (`make bank`), deterministically for given package versions.

Needs the packages of the extra `bank`.
"""

from collections.abc import Iterable
from pathlib import Path

from agent.models.bank.mining import places, science, tables
from agent.models.bank.mining.bank_facts import MINED_ID, tells_its_answer, to_question, without_final_mark
from agent.models.bank.mining.invented_questions import invent_questions
from agent.models.bank.records import FOLDER, INVENTED_FILE, MINED_FILE, BankQuestion, load_questions
from memory.records.base import Record


def mine_questions() -> tuple[BankQuestion, ...]:
    """All mined questions, sorted by id, without those that contain their answer or are also hand-written."""
    written = {
        without_final_mark(wording)
        for q in load_questions()
        if not q.id.startswith(MINED_ID)
        for wording in q.wordings
    }
    candidates = (to_question(fact) for source in (places, science, tables) for fact in source.facts())
    fresh = (
        q
        for q in candidates
        if not tells_its_answer(q) and written.isdisjoint(map(without_final_mark, q.wordings))
    )
    return tuple(sorted(fresh, key=lambda q: q.id))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Writes one record per line."""
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")


def main() -> None:
    """Writes both files and prints their number of questions."""
    real = mine_questions()
    made_up = invent_questions(real)
    for name, records in ((MINED_FILE, real), (INVENTED_FILE, made_up)):
        write_records(FOLDER / name, records)
        print(f"{name}: {len(records)} questions")


if __name__ == "__main__":
    main()
