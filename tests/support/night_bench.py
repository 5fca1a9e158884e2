"""Tiny data folders for the benchmark of nights, and a Bench with a scripted engine."""

import json
from pathlib import Path
from typing import Any

from agent.engines.scripted import Line, ScriptedEngine
from benchmarks.night.bench import Bench
from memory.embedding.embedder import HashingEmbedder
from tests.support.cards import card

FERRY = "The ferry to Tollan leaves at nine. It carries forty cars. The captain of the ferry is Ida Berg."
MILL = "The mill of Orsa was built in 1712. It grinds rye. The owner of the mill is Per Lund."
LAKE = "The lake of Siljan is 134 metres deep. It freezes in January."
TOWER = "The tower of Mora has 88 steps. A bell hangs in the tower."


def write_night_data(folder: Path) -> Path:
    """Four passages, one manual with two questions, and one conversation of three days."""
    passages = [
        _passage("Ferry", FERRY, "Who is the captain of the ferry?", "Ida Berg"),
        _passage("Mill", MILL, "Who is the owner of the mill?", "Per Lund"),
        _passage("Lake", LAKE, "How deep is the lake of Siljan?", "134 metres"),
        _passage("Tower", TOWER, "How many steps has the tower of Mora?", "88"),
    ]
    _write_lines(folder / "squad" / "passages.jsonl", passages)
    page = "# Timeouts\n\nThe default timeout of httpx is 5 seconds.\n"
    for product, text in (("httpx", page), ("pihole", "# Ports\n\nThe web server listens on port 80.\n")):
        (folder / "manuals" / product).mkdir(parents=True)
        (folder / "manuals" / product / "page.md").write_text(text, encoding="utf-8")
    _write_lines(
        folder / "manuals" / "questions.jsonl",
        [
            _manual_question("httpx-001", "What is the default timeout of httpx?", "5 seconds", page),
            _manual_question("httpx-u01", "Which moons orbit Neptune?", "", page),
        ],
    )
    write_conversation(folder)
    return folder


def write_conversation(folder: Path) -> Path:
    """Three days of two people's talk."""
    (folder / "locomo").mkdir(parents=True, exist_ok=True)
    said = [
        ("1:56 pm on 8 May, 2023", "I moved to Bern in March.", "My sister works as a nurse."),
        ("9:05 am on 9 June, 2023", "I bought a violin last week.", "We adopted a dog yesterday."),
        ("7:31 pm on 2 July, 2023", "My exam is on Friday.", "I painted our kitchen."),
    ]
    sessions = [
        {
            "date": date,
            "turns": [
                {"id": f"D{day}:{n}", "speaker": speaker, "text": text}
                for n, (speaker, text) in enumerate(
                    (("Ann", first), ("Ben", second), ("Ann", "How nice!")), 1
                )
            ],
        }
        for day, (date, first, second) in enumerate(said, 1)
    ]
    questions: list[dict[str, Any]] = [
        {"question": "Where did Ann move to?", "answer": "Bern", "evidence": ["D1:1"], "category": 4},
        {
            "question": "When did Ben adopt a dog?",
            "answer": "8 June 2023",
            "evidence": ["D2:2"],
            "category": 2,
        },
        {"question": "What did Ben buy?", "answer": "a violin", "evidence": ["D2:1"], "category": 5},
    ]
    document = {"id": "7", "speakers": ["Ann", "Ben"], "sessions": sessions, "questions": questions}
    (folder / "locomo" / "7.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def night_bench(home: Path, data: Path, said: list[str] | None = None) -> Bench:
    """A quick Bench whose model says that it does not know, except that it answers from a given source."""
    home.mkdir(parents=True, exist_ok=True)
    lines = said if said is not None else []
    engine = ScriptedEngine(default=Line(text="I do not know.", entropy=4.0))
    return Bench(
        home=home,
        data=data,
        card=card(),
        engine=engine,
        embedder=HashingEmbedder(),
        quick=True,
        say=lines.append,
    )


def _passage(title: str, context: str, question: str, answer: str) -> dict[str, Any]:
    return {"title": title, "context": context, "questions": [{"question": question, "answer": answer}]}


def _manual_question(id: str, question: str, answer: str, page: str) -> dict[str, Any]:
    quote = "The default timeout of httpx is 5 seconds."
    start = page.index(quote)
    part = {"source": "httpx/page.md", "start": start, "end": start + len(quote), "quote": quote}
    return {
        "id": id,
        "corpus": "httpx",
        "answerable": bool(answer),
        "kind": "default_value" if answer else "unanswerable",
        "sources": ["httpx/page.md"] if answer else [],
        "question": question,
        "answer": answer,
        "aliases": [],
        "evidence": [part] if answer else [],
        "must_include": [],
    }


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
