"""The small documents that the memory tests read: a PDF made by hand, and passages and facts."""

from memory.records.base import digest_of
from memory.records.knowledge import Fact, Passage


def pdf(text: str) -> bytes:
    """A valid one-page PDF that shows `text`, which must hold no brackets."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def passage(
    text: str,
    *,
    source: str = "a.md",
    domain: str = "rust",
    owner: str | None = None,
    id: str | None = None,
) -> Passage:
    """A passage that is a whole document."""
    return Passage(
        id=id or digest_of([source, domain, text] + ([owner] if owner else []))[:32],
        source=source,
        title="T",
        section="T",
        domain=domain,
        owner=owner,
        text=text,
        start=0,
        end=len(text),
        digest=digest_of(text),
    )


def fact(
    subject: str,
    object: str,
    *,
    relation: str = "definition",
    source: str = "a.md",
    domain: str = "rust",
    owner: str | None = None,
    passage_id: str = "p",
) -> Fact:
    """A fact whose sentence is its parts in order."""
    sentence = f"{subject} {relation} {object}"
    return Fact(
        id=digest_of([subject, relation, object, source, *([owner, domain] if owner else [])])[:32],
        subject=subject,
        relation=relation,
        object=object,
        domain=domain,
        owner=owner,
        passage_id=passage_id,
        source=source,
        sentence=sentence,
        start=0,
        end=len(sentence),
        rule="test",
    )
