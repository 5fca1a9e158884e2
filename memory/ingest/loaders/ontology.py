"""Loads ontologies and other RDF graphs (Turtle, N-Triples, RDF/XML) as tables of triples, in words.

Nothing that a graph refers to is fetched: what it imports and its addresses are names only.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeGuard
from urllib.parse import quote, unquote, urlsplit
from xml.sax import SAXException

import rdflib
from rdflib import DCTERMS, OWL, RDF, RDFS, SKOS, XSD, BNode, Graph, Literal, URIRef
from rdflib.exceptions import Error as RdfError
from rdflib.term import Node

from memory.errors import IngestError
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.tables import markdown_table
from memory.ingest.propositions.structure.triples import HEADER

rdflib.NORMALIZE_LITERALS = False  # a quotation is what the file says: "007" is not "7"

RELATIONS: dict[Node, str] = {
    RDF.type: "is a",
    RDFS.subClassOf: "is a kind of",
    OWL.equivalentClass: "is the same as",
    OWL.sameAs: "is the same as",
    OWL.differentFrom: "is not the same as",
    SKOS.exactMatch: "is the same as",
    SKOS.broader: "has the broader concept",
    SKOS.altLabel: "is also known as",
    RDFS.comment: "is described as",
    SKOS.definition: "is described as",
    DCTERMS.description: "is described as",
}
"""The relations of the common vocabularies, as they are said."""
NAMED_BY = (SKOS.prefLabel, RDFS.label)
"""What names a thing, the best first."""
VOCABULARIES = tuple(str(each._NS) for each in (OWL, RDF, RDFS, SKOS, XSD))
"""What a graph says in these, beside RELATIONS, is about itself."""
SNIFFED = 4096
"""Bytes that tell the syntax: files with the extension `.owl` have any."""
BASE = "http://document.invalid/"
"""What relative addresses are below; rdflib takes the folder that the service runs in."""
_RDF_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!|(?:[\w-]{1,40}:)?RDF\b)")
_OWL_XML = re.compile(rb"<Ontology\s")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_MALFORMED = (
    RdfError,
    SyntaxError,
    SAXException,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
)
"""What rdflib raises for a graph that it cannot read, and `urlsplit` for an address."""


class Triple(NamedTuple):
    """A statement of a graph, in words."""

    subject: str
    relation: str
    object: str


def load_ontology(source: Source) -> Loaded:
    """The statements of a graph in Turtle, or in RDF/XML with its own encoding. Raises IngestError."""
    if _OWL_XML.search(source.data[:SNIFFED]):
        raise IngestError(f"{source.name}: OWL/XML is not read: save it as RDF/XML or Turtle")
    if _RDF_XML.match(source.data):
        return _read(source.name, source.data, "xml")
    text, charset = decode(source)
    return _read(source.name, text.encode(), "turtle").model_copy(update={"charset": charset})


def _read(name: str, data: bytes, syntax: str) -> Loaded:
    try:
        base = f"{BASE}{quote(name)}"
        statements = _Statements(Graph().parse(io.BytesIO(data), format=syntax, publicID=base))
        rows = sorted(set(statements.triples()))
    except RecursionError as error:
        raise IngestError(f"{name}: its statements are nested too deeply") from error
    except _MALFORMED as error:
        said = " ".join(str(error).split())[:200]
        raise IngestError(f"{name}: the RDF is malformed ({said})") from error
    if not rows:
        raise IngestError(f"{name}: it states nothing about anything that has a name")
    left_out = statements.unnamed
    return Loaded(
        text=markdown_table([HEADER, *rows]),
        unread=(f"{left_out} statements about things without a name",) if left_out else (),
    )


class _Statements:
    """What a graph says about the world, with the names of things instead of their addresses."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names: dict[Node, str] = {}
        languages = Counter(
            label.language for named in NAMED_BY for label in graph.objects(None, named) if _is_text(label)
        )
        self._language = max(languages, key=lambda each: (languages[each], each == "en"), default=None)
        self.unnamed = 0
        """Statements that were left out, as what they are about has no name."""

    def triples(self) -> Iterator[Triple]:
        """The statements that can be said, in the order of the graph."""
        for subject, predicate, value in self._graph:
            relation, name = self._relation(predicate), self._name(subject)
            if relation is None or self._is_vocabulary(value) or self._is_part(subject):
                continue
            if isinstance(value, BNode) and (required := self._required(value)) is not None:
                relation, value = required
            told = self._name(value)
            if not name or not told:
                self.unnamed += 1
            elif told != name:
                yield Triple(name, relation, told)

    def _relation(self, predicate: Node) -> str | None:
        """A predicate in words; None if it says something about the graph."""
        if predicate in RELATIONS:
            return RELATIONS[predicate]
        if predicate in NAMED_BY:  # the names in other languages and vocabularies
            return RELATIONS[SKOS.altLabel]
        return None if self._is_vocabulary(predicate) else self._name(predicate)

    def _required(self, restriction: Node) -> tuple[str, Node] | None:
        """The relation and its object that every member of a class has, by OWL's `onProperty`."""
        predicate, some, exactly = (
            self._graph.value(restriction, part)
            for part in (OWL.onProperty, OWL.someValuesFrom, OWL.hasValue)
        )
        relation = self._relation(predicate) if predicate is not None else None
        value = some if some is not None else exactly
        return (relation, value) if relation is not None and value is not None else None

    def _is_part(self, subject: Node) -> bool:
        """Whether the subject is a restriction or a list, which is told with what refers to it."""
        parts = (OWL.onProperty, RDF.first, OWL.intersectionOf, OWL.unionOf, OWL.complementOf, OWL.oneOf)
        return isinstance(subject, BNode) and any((subject, part, None) in self._graph for part in parts)

    @staticmethod
    def _is_vocabulary(node: Node) -> bool:
        return isinstance(node, URIRef) and str(node).startswith(VOCABULARIES)

    def _name(self, node: Node) -> str:
        """A literal's text, a thing's label, or the last part of its address in words; else empty."""
        if isinstance(node, Literal):
            return " ".join(str(node).split())
        if node not in self._names:
            self._names[node] = self._label(node)
        return self._names[node]

    def _label(self, node: Node) -> str:
        for named in NAMED_BY:
            labels = [label for label in self._graph.objects(node, named) if _is_text(label)]
            if labels:
                best = min(labels, key=lambda label: (label.language != self._language, str(label)))
                return " ".join(best.split())
        return _in_words(node) if isinstance(node, URIRef) else ""


def _is_text(node: Node) -> TypeGuard[Literal]:
    return isinstance(node, Literal) and bool(node.strip())


def _in_words(address: URIRef) -> str:
    """`http://a.org/zoo#livesIn` as `lives in`; an address without a path as it is."""
    parts = urlsplit(address)
    last = unquote(parts.fragment or parts.path.rstrip("/").rpartition("/")[2])
    if not last:
        return str(address)
    return " ".join(_split_camel(word) for word in re.split(r"[_\s]+", last) if word)


def _split_camel(word: str) -> str:
    first, *others = _CAMEL.split(word)
    return " ".join([first, *(each.lower() if each.istitle() else each for each in others)])
