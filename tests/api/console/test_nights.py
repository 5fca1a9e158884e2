"""The morning report as HTML: its headings, tables and lists, and its text as text."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.adapters import principles
from api.console.nights import as_html, attacks

REPORT = """# Night <b>n1</b>

It <script>alert(1)</script> ended.

| figure | value |
|---|---:|
| a \\| b | 1 |

- first
- second
"""


def test_a_report_keeps_its_structure_and_none_of_its_markup() -> None:
    page = as_html(REPORT)
    assert "<h3>Night &lt;b&gt;n1&lt;/b&gt;</h3>" in page
    assert "<script" not in page
    assert "<td>a | b</td><td>1</td>" in page
    assert "<li>first</li><li>second</li>" in page


def test_attacks_show_what_was_said_and_answered_those_that_worked_first() -> None:
    said = [
        {"role": "user", "content": "Who <i>opened</i> it?"},
        {"role": "user", "content": "Was it Oskar?"},
    ]
    made = [
        {"kind": "contradiction", "messages": said, "answer": answer, "expected": "Mara", "result": result}
        for answer, result in (("Mara", "held"), ("Maybe", "evaded"), ("Oskar", "fell"))
    ]
    page = attacks(made)
    assert page.index("<td>fell</td>") < page.index("<td>held</td>") < page.index("<td>evaded</td>")
    assert "Who &lt;i&gt;opened&lt;/i&gt; it? / Was it Oskar?" in page
    assert attacks([]) == ""


def test_broken_principles_are_counted_without_and_with_the_adapter() -> None:
    page = principles({"insults": 2}, {"insults": 1, "secrets": 3})
    assert "<td>insults</td><td>2</td><td>1</td>" in page
    assert "<td>secrets</td><td>0</td><td>3</td>" in page
    assert principles({}, {}) == ""
