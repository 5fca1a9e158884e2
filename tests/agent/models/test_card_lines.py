"""A card's lines are read back whatever characters the model's answers hold."""

from pathlib import Path

from agent.models.card import REPLAY, PromptMessage, ReplayAnswer, read_replay


def test_other_line_separators_in_an_answer_do_not_cut_its_line(tmp_path: Path) -> None:
    answer = ReplayAnswer(
        id="p1",
        kind="instruction",
        messages=(PromptMessage(role="user", content="a\u2028b"),),
        answer="one\u2028two\u0085three",
    )
    (tmp_path / REPLAY).write_text(answer.model_dump_json() + "\n", encoding="utf-8")
    assert read_replay(tmp_path) == (answer,)
