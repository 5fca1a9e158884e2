"""The same content in another style is worth nearly the same."""

import pytest

from agent.nights.scoring.scorer import standard_scorer
from agent.nights.scoring.style_bias import ACCEPTED, STYLES, style_bias
from agent.nights.scoring.truth_set import truth_items
from memory.embedding.embedder import SentenceEmbedder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_style_moves_the_mean_score_by_half_a_point() -> None:
    scorer = standard_scorer(SentenceEmbedder(), ("i don't know",))
    shifts = style_bias(scorer, truth_items())
    assert shifts.keys() == STYLES.keys()
    assert max(map(abs, shifts.values())) < ACCEPTED, shifts


def test_styles_change_the_text_and_not_the_words_that_matter() -> None:
    answer = "It is 300 metres tall. The tower was built in 1889."
    for restyled in STYLES.values():
        text = restyled(answer)
        assert text != answer
        assert "300" in text
        assert "1889" in text
