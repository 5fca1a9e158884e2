"""Ontologies are read as triples in words, and fetch nothing."""

from typing import TypeGuard

import pytest
from rdflib import Literal
from rdflib.term import Node

from memory.errors import IngestError
from memory.ingest.loaders import ontology
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.formats import media_type
from memory.ingest.loaders.ontology import load_ontology

PREFIXES = """
@prefix : <http://zoo.example/terms#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""
XML = """<?xml version="1.0" encoding="iso-8859-1"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:z="http://zoo.example/terms#">
  <rdf:Description rdf:about="http://zoo.example/terms#Zorble"><z:livesIn>Malmö</z:livesIn></rdf:Description>
</rdf:RDF>"""


def rows(turtle: str) -> list[str]:
    text = load_ontology(Source("zoo.ttl", (PREFIXES + turtle).encode())).text
    header, _, *found = text.splitlines()
    assert header == "| subject | relation | object |"
    return found


@pytest.mark.parametrize(
    ("turtle", "expected"),
    [
        (":Zorble a owl:Class ; rdfs:subClassOf :SeaMammal .", "| Zorble | is a kind of | Sea mammal |"),
        (":bob a :Zorble .", "| bob | is a | Zorble |"),
        (":Zorble :livesIn :NorthSea .", "| Zorble | lives in | North sea |"),
        (':Zorble :shoeSize "007"^^xsd:integer .', "| Zorble | shoe size | 007 |"),
        (':z1 rdfs:label "zorble" ; :eats :f9 . :f9 skos:prefLabel "cod" .', "| zorble | eats | cod |"),
        (':Zorble skos:altLabel "oil fish" .', "| Zorble | is also known as | oil fish |"),
        (':Zorble rdfs:comment "Burns\\noil." .', "| Zorble | is described as | Burns oil. |"),
        (":bob owl:differentFrom :rob .", "| bob | is not the same as | rob |"),
        (":Zorble :site <http://zoo.example/> .", "| Zorble | site | http://zoo.example/ |"),
        (':p rdfs:label "is fond of" . :bob :p :ann .', "| bob | is fond of | ann |"),
        (':Zorble :says "a | b" .', "| Zorble | says | a \\| b |"),
        ("<http://z.example/Grey%20Seal> :eats :cod .", "| Grey Seal | eats | cod |"),
        (
            ":Zorble rdfs:subClassOf [ owl:onProperty :eats ; owl:someValuesFrom :Cod ] .",
            "| Zorble | eats | Cod |",
        ),
    ],
)
def test_a_statement_is_said_in_words(turtle: str, expected: str) -> None:
    assert rows(turtle) == [expected]


def test_the_main_language_names_and_the_others_are_other_names() -> None:
    turtle = """
        :z rdfs:label "zorble"@en, "Zörbel"@de ; :eats :c .
        :c rdfs:label "cod"@en ."""
    assert rows(turtle) == ["| zorble | eats | cod |", "| zorble | is also known as | Zörbel |"]


def test_what_has_no_name_is_counted() -> None:
    found = load_ontology(Source("zoo.ttl", (PREFIXES + ":bob :eats [ :weight 3 ], :cod .").encode()))
    assert found.unread == ("2 statements about things without a name",)


def test_equal_graphs_are_equal_texts() -> None:
    lines = [f":z{n} :eats :c{n} ." for n in range(50)]
    assert rows("\n".join(lines)) == rows("\n".join(reversed(lines)))


def test_rdf_xml_names_its_own_encoding() -> None:
    text = load_ontology(Source("zoo.rdf", XML.encode("iso-8859-1"), "utf-8")).text
    assert text.splitlines()[2:] == ["| Zorble | lives in | Malmö |"]


def test_an_external_entity_is_not_read() -> None:
    doctype = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rdf:RDF'
    hostile = XML.replace("<rdf:RDF", doctype, 1).replace("Malmö", "&x;")
    with pytest.raises(IngestError, match="states nothing"):
        load_ontology(Source("zoo.rdf", hostile.encode("iso-8859-1")))


@pytest.mark.parametrize(
    ("turtle", "said"),
    [
        (":bob :eats", "malformed"),
        ("bob:x :eats :cod .", "malformed"),
        (':bob :eats """cod', "malformed"),
        ('<http://[bob> :eats "cod" .', "malformed"),
        (":bob :eats " + "[ :eats " * 5000, "nested too deeply"),
        ("", "states nothing"),
        (":Zorble a owl:Class .", "states nothing"),
    ],
)
def test_what_cannot_be_read_says_why(turtle: str, said: str) -> None:
    with pytest.raises(IngestError, match=f"zoo.ttl: .*{said}"):
        load_ontology(Source("zoo.ttl", (PREFIXES + turtle).encode()))


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<a>", "malformed"),
        (XML.replace("</rdf:RDF>", ""), "malformed"),
        (XML.replace("<z:livesIn>Malmö", "<z:livesIn><z:Town/><z:Town/>"), "malformed"),
        ('<?xml version="1.0"?><Ontology xmlns="http://www.w3.org/2002/07/owl#"/>', "save it as RDF/XML"),
    ],
)
def test_other_xml_says_why(xml: str, said: str) -> None:
    with pytest.raises(IngestError, match=said):
        load_ontology(Source("zoo.owl", xml.encode("iso-8859-1")))


def test_the_labels_of_a_thing_are_read_once_however_often_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    is_text = ontology._is_text

    def counting(node: Node) -> TypeGuard[Literal]:
        nonlocal looked_at
        looked_at += 1
        return is_text(node)

    monkeypatch.setattr(ontology, "_is_text", counting)
    labels = ", ".join(f'"zorble {number}"' for number in range(200))
    assert len(rows(f":z1 rdfs:label {labels} .")) == 199
    assert looked_at == 2 * 200, "for the main language, and for the best of them"


def test_what_a_document_says_of_itself_has_its_name_and_none_of_a_folder_of_the_service() -> None:
    assert rows('<> :eats "cod" . <a/b> :eats "eel" .') == ["| b | eats | eel |", "| zoo.ttl | eats | cod |"]


def test_the_content_tells_the_syntax() -> None:
    turtle = load_ontology(Source("zoo.owl", (PREFIXES + ":Zorble :livesIn :Oslo .").encode()))
    assert turtle.text.splitlines()[2:] == ["| Zorble | lives in | Oslo |"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ttl", "text/turtle"),
        ("a.nt", "text/turtle"),
        ("a.owl", "application/rdf+xml"),
        ("a.rdf", "application/rdf+xml"),
    ],
)
def test_ontologies_are_told_by_their_names(name: str, expected: str) -> None:
    assert media_type(name) == expected
