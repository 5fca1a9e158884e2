"""Front matter tells of the document, and is no text of it; what only looks like it stays text."""

import pytest

from memory.ingest.documents import RawDocument
from memory.ingest.loaders.front_matter import read_front_matter
from memory.ingest.pipeline import read

TEXT = "The maximum load of the Quorbin is 40 kilograms, as its makers say, and it has a red lamp.\n"
YAML = (
    "---\ntitle: 'The Quorbin: a lamp'\ntags: [lamp, red]\ndescription: >\n  Written by Ann.\n"
    "date: 2021-03-04 # first\n---\n"
)
TOML = '+++\ntitle = "The Quorbin: a lamp"\ndate = 2021-03-04\n[params]\nauthor = "Ann"\n+++\n'


@pytest.mark.parametrize(
    "front_matter",
    [YAML, TOML, YAML.replace("\n", "\r\n"), "\ufeff" + YAML, YAML.replace("04 # first\n---", "04\n...")],
)
def test_front_matter_gives_the_title_and_date_and_is_in_no_passage(front_matter: str) -> None:
    document = front_matter + "\n" + TEXT
    contents = read(
        RawDocument(source="a.md", data=document.encode(), media_type="text/markdown", title="a"), "d"
    )
    (passage,) = contents.passages
    assert passage.title == "The Quorbin: a lamp"
    assert passage.text == TEXT.strip()
    decoded = document.removeprefix("\ufeff").replace("\r\n", "\n")
    assert decoded[passage.start : passage.end] == passage.text
    assert {fact.dated.date().isoformat() for fact in contents.facts if fact.dated} == {"2021-03-04"}


def test_a_heading_is_the_title_before_that_of_the_front_matter() -> None:
    document = f"{YAML}\n# Lamps\n\n{TEXT}"
    contents = read(RawDocument(source="a.md", data=document.encode(), media_type="text/markdown"), "d")
    assert contents.passages[0].title == "Lamps"


@pytest.mark.parametrize(
    "text",
    [
        f"---\n{TEXT}---\nMore.\n",
        "---\n\n---\nMore.\n",
        "---\ntitle: [unclosed\n---\nMore.\n",
        "---\ntitle: never closed\n\nMore.\n",
        "---\n- a\n- b\n---\n",
        "--- \n--- \n",
        "+++\ntitle = \n+++\n",
        "Text first.\n---\ntitle: A\n---\n",
        "---\n" + "[" * 15_000 + "\n---\n",
        "---\n" + "date : " * 200_000,
        "---\n" + "a " * 9_000 + "\n---\n",
    ],
)
def test_what_is_no_front_matter_stays_text(text: str) -> None:
    assert read_front_matter(text) is None


def test_values_of_all_kinds_do_no_harm() -> None:
    aliases = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [*{chr(ord(c) - 1)}, *{chr(ord(c) - 1)}]\n" for c in "bcdefghijklmnopq"
    )
    found = read_front_matter(f"---\n{aliases}? [1, 2]\n: 3\ntitle: {{a: 1}}\ndate: 2021-02-30\n---\n")
    assert found is None or (found.title == "" and found.dated is None)
