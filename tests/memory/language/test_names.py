"""Names in texts, by their capitals."""

import pytest

from memory.language.names import names_in, names_of_title


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The song is by Ryan Adams.", {"ryan adam"}),
        ("When the Stars Go Blue came out in 2001.", {"when the star go blue", "star go blue", "2001"}),
        ("Ada met Boole in London.", {"ada", "boole in london", "boole", "london"}),
        ("It belongs to the Academy of Motion Picture Arts.", {"academy of motion picture art"}),
        ("Der Dom steht in Köln.", {"der dom", "köln"}),
        ("Юрий Гагарин родился в деревне.", {"юрий гагарин"}),
        ("an iPhone, nothing else", set()),
        ("東京は日本の首都です", set()),
    ],
)  # fmt: skip
def test_names_are_runs_of_capitalised_words(text: str, names: set[str]) -> None:
    assert set(names_in(text)) == names


def test_a_title_is_mentioned_with_and_without_its_bracket_and_place() -> None:
    assert names_of_title("Lilu (mythology)") == ("lilu mythology", "lilu")
    assert names_of_title("Jacksonville, Florida") == ("jacksonville florida", "jacksonville")
    assert names_of_title("The") == ()
