"""WordNet's database lines become triples, as the example of `nightschool ingest --triples` shows."""

from examples.wordnet import synsets, triples

LINES = """  1 This software and database is being provided to you
00000001 05 n 02 dog 0 domestic_dog 0 003 @ 00000002 n 0000 #m 00000003 n 0000 ~ 00000003 n 0000 | a pet
00000002 05 n 01 domestic_animal 0 001 + 00000001 v 0101 | tame
00000003 14 n 01 pack 0 001 @ 00000004 n 0000 | a group
""".splitlines()


def test_pointers_of_nouns_are_relations_in_words() -> None:
    nouns = synsets(iter(LINES))
    assert list(triples(nouns, "noun.animal")) == [
        ("dog", "is a kind of", "domestic animal"),
        ("dog", "is a member of", "pack"),
    ]
    assert list(triples(nouns, "noun.group")) == []  # what it points to is not there
