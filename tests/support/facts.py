"""Small documents, passages and facts for tests, with spans and digests that are consistent."""

import hashlib

from memory.records.base import digest_of
from memory.records.knowledge import Evidence, Fact, Findings, Passage

RUST = (
    (
        "move",
        "definition",
        "a transfer of a value to a new owner",
        "A move is a transfer of a value to a new owner.",
    ),
    (
        "string slice",
        "definition",
        "a reference to a part of a string",
        "A string slice is a reference to a part of a string.",
    ),
    (
        "`Box<T>`",
        "definition",
        "a smart pointer that stores a value on the heap",
        "`Box<T>` is a smart pointer that stores a value on the heap.",
    ),
    ("borrow checker", "prevents", "data races", "The borrow checker prevents data races at compile time."),
    (
        "`clone` method",
        "returns",
        "a deep copy of the value",
        "The `clone` method returns a deep copy of the value.",
    ),
    (
        "lifetime annotation",
        "part_of",
        "the function signature",
        "Lifetime annotations are part of the function signature.",
    ),
    ("weak reference", "requires", "an upgrade", "A weak reference requires an upgrade before each use."),
    ("ownership", "kind_of", "discipline", "Ownership is a kind of discipline."),
)


def passage(
    text: str, *, source: str = "rust.md", title: str = "Ownership in Rust", domain: str = "rust"
) -> Passage:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Passage(
        id=f"{source}-{digest[:12]}",
        source=source,
        title=title,
        section=title,
        domain=domain,
        text=text,
        start=0,
        end=len(text),
        digest=digest,
    )


def fact(subject: str, relation: str, object: str, sentence: str, *, within: Passage | None = None) -> Fact:
    home = within or passage(sentence)
    start = max(0, home.text.find(sentence))
    return Fact(
        id=digest_of([home.source, subject, relation, object])[:16],
        subject=subject,
        relation=relation,
        object=object,
        domain=home.domain,
        passage_id=home.id,
        source=home.source,
        sentence=sentence,
        start=home.start + start,
        end=home.start + start + len(sentence),
        rule="test",
    )


def rust() -> tuple[Passage, tuple[Fact, ...]]:
    """One passage about Rust with the facts that it states."""
    home = passage(" ".join(row[3] for row in RUST))
    return home, tuple(fact(s, r, o, text, within=home) for s, r, o, text in RUST)


def findings(*facts: Fact, passages: tuple[Passage, ...] = (), score: float = 0.8) -> Findings:
    return Findings(
        query="test",
        evidence=tuple(Evidence(passage=p, score=score, found_by=("vector",)) for p in passages),
        facts=facts,
    )
