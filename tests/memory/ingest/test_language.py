"""The language of documents, also of short ones full of new names."""

import pytest

from memory.ingest.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A zorble is a small lamp that burns fish oil.", "en"),
        ("A confibulator is a machine that sorts floating corks. The confibulator was built in Osaka.", "en"),
        ("| Device | Maximum load |\n|---|---|\n| Quorbin | 40 kilograms |\n| Plenty | 55 kg |\n", "en"),
        ("Quorbin Plenty Marsk", "en"),
        ("Eine Lampe ist ein Ger\xe4t, das Licht erzeugt. Sie h\xe4ngt an der T\xfcr.", "de"),
        ("La lampe br\xfble de l'huile de poisson et elle est accroch\xe9e \xe0 la porte.", "fr"),
        (
            "\u041b\u0430\u043c\u043f\u0430 \u0433\u043e\u0440\u0438\u0442 \u0436\u0438\u0440\u043e\u043c.",
            "ru",
        ),
        ("\u4f50\u5e03\u5c14\u706f\u662f\u4e00\u79cd\u71c3\u70e7\u9c7c\u6cb9\u7684\u706f\u3002", "zh"),
        ("\u3053\u308c\u306f\u30e9\u30f3\u30d7\u3067\u3059\u3002", "ja"),
    ],
)
def test_the_language_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


def test_in_doubt_it_is_what_the_document_declares() -> None:
    assert language_of("Quorbin Plenty Marsk", declared="de") == "de"
    assert language_of("A zorble is a small lamp that burns fish oil.", declared="de") == "en"
