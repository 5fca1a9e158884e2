"""The shades of an answer's tokens: by entropy, in words and underlines as well, and as text."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.heat import heat, step


def token(text: str, nats: float, *others: str) -> dict[str, object]:
    alternatives = [{"token": each, "logprob": -2.0, "bytes": []} for each in (text, *others)]
    bounds = {"lower": nats - 0.1, "upper": nats + 0.1}
    return {"token": text, "logprob": -0.5, "bytes": [], "top_logprobs": alternatives, "entropy": bounds}


def test_shades_go_by_entropy() -> None:
    assert [step(nats) for nats in (0.0, 0.49, 0.5, 1.5, 2.9, 3.0, 9.0)] == [0, 0, 1, 2, 2, 3, 3]


def test_the_answer_is_shaded_and_its_least_sure_tokens_are_told_in_words() -> None:
    page = heat([token("a ", 0.2), token("<b>", 3.5, "<i>"), token(" lamp", 1.0)])
    assert '<span class="heat0" title="0.20 nats, 61% likely">a </span><span class="heat3"' in page
    assert "<b>" not in page
    first, *_ = page.partition("<tbody>")[2].partition("</tr>")
    assert "“&lt;b&gt;”</td><td>guessing</td><td>3.50</td><td>61%</td><td>“&lt;i&gt;” 14%" in first
    assert "some doubt (below 1.5 nats)" in page


def test_an_answer_from_sources_has_nothing_to_shade() -> None:
    assert "nothing to shade" in heat([])
