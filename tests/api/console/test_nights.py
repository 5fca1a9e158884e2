"""The morning report as HTML: its headings, tables and lists, and its text as text."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.nights import as_html

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
