"""reStructuredText, source code and e-mail keep what is text in them."""

import pytest

from memory.errors import IngestError, NothingToRead
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.code import load_code, load_python
from memory.ingest.loaders.mail import load_mail
from memory.ingest.loaders.rst import load_rst

RST = """Lamps
=====

A :term:`zorble` is a *lamp* of ``glass``, see :doc:`the guide <guide>`.

Parts
-----

.. function:: burn(oil)

   Burns the oil.

.. note:: It is hot.

.. list-table::
   :header-rows: 1

   * - Device
     - Load
   * - Quorbin
     - 40 kg

.. include:: /etc/passwd

.. raw:: html

   <script>
"""


def test_restructured_text_keeps_headings_tables_code_and_what_sphinx_adds() -> None:
    text = load_rst(Source("a.rst", RST.encode())).text
    assert text.startswith("# Lamps")
    assert "A `zorble` is a *lamp* of `glass`, see `the guide`." in text
    assert "## Parts" in text
    for line in ("`burn(oil)`", "Burns the oil.", "It is hot.", "| Device | Load |", "| Quorbin | 40 kg |"):
        assert line in " ".join(text.split()).replace("  ", " "), line


def test_restructured_text_includes_no_files_and_no_raw_html() -> None:
    text = load_rst(Source("a.rst", RST.encode())).text
    assert "root:" not in text
    assert "script" not in text.replace("<script>", "")


def test_markup_that_is_wrong_is_named_and_its_text_kept() -> None:
    table = "====  ===\nDevice  Load\n====  ===\nQuorbin 40\n====  ===\n"
    loaded = load_rst(Source("a.rst", f"A lamp.\n\n{table}".encode()))
    assert "Quorbin" in loaded.text
    assert "Malformed table" in loaded.unread[0]


def test_python_code_gives_signatures_and_docstrings() -> None:
    code = '''"""Lamps."""
import os
class Lamp(Base):
    """A thing that burns."""
    async def burn(self, oil: str = "fish", *, hours: int) -> bool:
        """Burns the oil.

        For hours.
        """
        return secret
    def _hidden(self): ...
'''
    loaded = load_python(Source("src/lamp.py", code.encode()))
    assert loaded.text.split("\n\n") == [
        "# lamp",
        "Lamps.",
        "## Lamp",
        "```python\nclass Lamp(Base)\n```",
        "A thing that burns.",
        "## Lamp.burn",
        "```python\nasync def burn(self, oil: str='fish', *, hours: int) -> bool\n```",
        "Burns the oil.",
        "For hours.",
    ]


@pytest.mark.parametrize("code", ["def (", "(" * 500, "x = 1", "\0", "def f():\n\tpass\n        pass"])
def test_python_code_that_says_nothing_is_refused(code: str) -> None:
    with pytest.raises(IngestError):
        load_python(Source("a.py", code.encode()))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.rs", "/// Burns the oil of a lamp.\npub fn burn(oil: &str) -> bool {\n    true\n}\n"),
        ("a.go", "// Burns the oil of a lamp.\nfunc burn(oil string) bool {\n\treturn true\n}\n"),
        (
            "a.java",
            "/**\n * Burns the oil of a lamp.\n */\nboolean burn(String oil) {\n  return true; // yes\n}\n",
        ),
        ("a.sh", "#!/bin/sh\n# Burns the oil of a lamp.\nburn() {\n  true\n}\n"),
    ],
)
def test_other_code_gives_comments_and_the_line_below_them(name: str, code: str) -> None:
    text = load_code(Source(name, code.encode())).text
    assert "Burns the oil of a lamp." in text
    below = text.partition("Burns the oil of a lamp.")[2]
    assert "burn(" in below
    assert "true" not in text


def test_code_without_comments_is_refused() -> None:
    with pytest.raises(NothingToRead, match="no comments"):
        load_code(Source("a.rs", b"fn main() {}\n"))


MAIL = b"""From: Ann <a@example.org>
To: Bob <b@example.org>
Subject: =?utf-8?q?The_z=C3=B6rble?=
Date: Mon, 1 Jan 2024 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

The z=F6rble is a lamp.

> What is it?
--=20
Ann, 5 Lamp Street
--B
Content-Type: application/pdf
Content-Disposition: attachment; filename="lamp.pdf"

abc
--B--
"""


def test_an_e_mail_gives_headers_and_text_without_quotes_and_signature() -> None:
    loaded = load_mail(Source("a.eml", MAIL))
    assert loaded.text.startswith("# The z\xf6rble\n\n- From: Ann <a@example.org>\n")
    assert "- Date: 2024-01-01 10:00" in loaded.text
    assert "The z\xf6rble is a lamp." in loaded.text
    assert "What is it" not in loaded.text
    assert loaded.title == "The z\xf6rble"
    assert loaded.unread == ("attachment lamp.pdf: save it as a file",)


def test_an_e_mail_in_html_is_read() -> None:
    page = b"<html><body><p>The zorble is a lamp that burns oil in the long nights.</p></body></html>"
    loaded = load_mail(Source("a.eml", b"Subject: Lamps\nContent-Type: text/html\n\n" + page))
    assert "burns oil" in loaded.text


def test_a_text_without_headers_is_no_e_mail() -> None:
    with pytest.raises(IngestError, match="no headers"):
        load_mail(Source("a.eml", b"\n\nOnly text."))
