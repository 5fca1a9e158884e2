"""What the learning benchmark teaches and counts."""

import json
from pathlib import Path

import pytest

from benchmarks.learning import Answered, main, parts
from benchmarks.learning_data import READ_BY_US, Asked, squad


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [
        {
            "title": f"The_Lamp_{n}",
            "context": f"Lamp {n} was lit by Mara Ellwood in {1800 + n}.",
            "questions": [{"question": f"Who lit lamp {n}?", "answer": "Mara Ellwood"}],
        }
        for n in range(300)
    ]
    (tmp_path / "squad").mkdir()
    (tmp_path / "squad" / "passages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_no_passage_is_taught_that_the_rules_were_written_on(data: Path) -> None:
    taught = {int(text.name.removeprefix("squad-")) for text in squad(data, 150)}
    assert len(taught) == 150
    assert not taught & READ_BY_US


def test_the_same_seed_teaches_the_same_passages_with_all_their_questions(data: Path) -> None:
    first, again = squad(data, 5), squad(data, 5)
    assert first == again
    assert all(text.questions[0].answers == ("Mara Ellwood",) and text.passages for text in first)


def test_an_answer_is_right_if_it_holds_the_reference() -> None:
    answered = Answered(
        asked=Asked(text="Who lit it?", answers=("Mara Ellwood",)), before="", after="", reading=()
    )
    assert answered.right("It was Mara Ellwood.")
    assert not answered.right("It was Mara.")


def test_an_unanswerable_question_is_answered_by_declining() -> None:
    answered = Answered(asked=Asked(text="Who put it out?", answers=()), before="", after="", reading=())
    assert answered.right("I don't know.")
    assert not answered.right("Mara Ellwood")


def test_a_part_is_one_lesson_or_one_for_each_passage(data: Path) -> None:
    assert len(parts(data, ["squad-1"])) == 20
    ((_, text, variant),) = parts(data, ["squad-10:without-replay"])
    assert len(text.questions) == 10
    assert variant == "without-replay"


@pytest.mark.parametrize(
    "arguments", [["--parts", "squad-1:nonsense"], ["--parts", "squad-many"], ["--parts", "manual-nonsense"]]
)
def test_a_part_that_there_is_not_ends_with_2(
    data: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(data), *arguments])
    assert ended.value.code == 2
    assert "name one of" in (said := capsys.readouterr().err) or "--data is the folder" in said
