"""Python signatures state defaults and return types."""

from tests.support.statements import read, said


def test_a_python_signature_gives_defaults_and_return_type() -> None:
    text = "```python\ndef open_valve(name, turns=3, *, slow: bool = False) -> Valve:\n    ...\n```"
    found = read(text)
    assert [(s.subject, s.relation, s.object) for s in found] == [
        ("the `turns` parameter of `open_valve`", "default", "3"),
        ("the `slow` parameter of `open_valve`", "default", "False"),
        ("`open_valve`", "return type", "Valve"),
    ]
    assert [text[slice(*s.answer)] for s in found] == ["3", "False", "Valve"]


def test_code_that_only_uses_a_function_gives_nothing() -> None:
    assert said("```python\nopen_valve('main', turns=3)\n```") == []
    assert said("```python\ndef mine(turns=3):\n    return turns + 1\n```") == []
    assert said("- `open_valve(turns=3)` is enough.") == []
