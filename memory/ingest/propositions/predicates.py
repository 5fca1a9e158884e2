"""What a parse tells of one verb: its subject, tense and form, and whether the text asserts it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

SUBJECTS = frozenset({"nsubj", "nsubjpass"})
AUXILIARIES = frozenset({"aux", "auxpass"})
RELATIVE = frozenset({"which", "who", "that"})
_FACTIVE_WORDS = """
    confirm demonstrate discover find know learn note notice observe prove realize remember reveal see
    show"""
_FACTIVE = frozenset(_FACTIVE_WORDS.split())
"""Verbs that take what follows `that` to be true; after others it is only said, hoped or feared."""
CONDITIONS = frozenset({"if", "unless", "when", "whenever", "once", "until", "provided", "where"})
_TRUE_ADVERBIALS = frozenset({"because", "since", "although", "though", "while", "after", "as", "whereas"})
_JOINING_WORDS = """
    also however therefore thus then hence moreover too even just simply instead otherwise furthermore
    similarly likewise consequently indeed thereby nevertheless nonetheless meanwhile"""
JOINING = frozenset(_JOINING_WORDS.split())
"""Adverbs that join sentences, and say nothing in a question."""
_OTHER_CLAUSES = frozenset({"conj", "advcl", "relcl", "ccomp", "parataxis"})
_LIMIT_WORDS = """
    longer nothing nobody none neither nor hardly scarcely barely rarely seldom either whether"""
LIMITS = frozenset(_LIMIT_WORDS.split())
"""Words that deny or divide what a clause says in a way that is not carried over."""
_EVENTS = frozenset({"make", "allow", "cause", "give", "lead", "mean", "enable", "leave", "result", "force"})
"""Participles whose subject is what the main clause tells (`..., making it the third`)."""


def is_asserted(verb: Token) -> bool:
    """Whether the text itself says it, and not as a condition, a wish or somebody's words."""
    node = verb
    while node.dep_ == "conj" and node.head.pos_ in ("VERB", "AUX"):
        node = node.head
    if node.dep_ in ("ccomp", "csubj", "pcomp", "acl", "xcomp"):
        if node.dep_ == "ccomp" and node.head.lemma_ in _FACTIVE:
            return is_asserted(node.head)
        return node.dep_ == "acl" and verb == node and verb.tag_ in ("VBN", "VBG")
    if node.dep_ == "advcl":
        marker = marker_of(node)
        if marker in CONDITIONS:
            return marker == "when" and node.tag_ == "VBD"
        return marker in _TRUE_ADVERBIALS or (not marker and node.tag_ in ("VBG", "VBN"))
    return node.dep_ in ("ROOT", "relcl", "conj", "parataxis", "appos", "dep")


def governor(verb: Token) -> Token | None:
    """The verb that a coordinated one shares its subject and auxiliaries with."""
    return verb.head if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX") else None


def subject_of(verb: Token, leader: Token | None) -> Token | None:
    own = next((c for c in verb.children if c.dep_ in (*SUBJECTS, "expl")), None)
    if own is not None and verb.dep_ == "relcl":
        return verb.head if own.lower_ in RELATIVE else None  # a clause about its object lacks that
    if own is not None:
        return own
    while leader is not None:
        shared = next((c for c in leader.children if c.dep_ in (*SUBJECTS, "expl")), None)
        if shared is not None:
            if leader.dep_ == "relcl":
                return leader.head if shared.lower_ in RELATIVE else None
            return shared
        leader = governor(leader)
    return None


def is_finite(verb: Token, auxiliaries: Sequence[Token]) -> bool:
    if any(t.lower_ == "to" for t in auxiliaries):
        return False
    if auxiliaries:
        return auxiliaries[0].tag_ in ("MD", "VBD", "VBZ", "VBP")
    return verb.tag_ in ("VBD", "VBZ", "VBP")


def participle(verb: Token) -> tuple[Token, list[str]] | None:
    """Subject and auxiliaries of a participle: `a ship built in Belfast`, `..., killing nine people`."""
    if verb.dep_ == "acl" and verb.tag_ == "VBN":
        noun = verb.head
        return noun, ["were" if is_plural(noun) else "was"]
    if verb.dep_ == "advcl" and verb.tag_ in ("VBG", "VBN") and verb.lemma_ not in _EVENTS:
        subject = subject_of(verb.head, governor(verb.head))
        if subject is None or marker_of(verb) or verb.tag_ == "VBN":
            return None
        return (subject, []) if verb.head.tag_ == "VBD" else None
    return None


def is_impersonal(head: Token, verb: Token) -> bool:
    """`it is possible that ...`: a subject that stands for nothing."""
    return head.lower_ == "it" and (
        any(c.dep_ in ("ccomp", "csubj", "csubjpass") for c in verb.children)
        or (
            any(c.dep_ in ("acomp", "attr") for c in verb.children)
            and any(
                t.dep_ in ("xcomp", "ccomp", "advcl", "relcl", "acl") for t in verb.subtree if t.i > verb.i
            )
        )
    )


def is_definite(noun: Token) -> bool:
    return noun.pos_ == "PROPN" or any(
        c.dep_ in ("det", "poss") and c.lower_ not in ("a", "an", "some", "any", "no", "each", "every")
        for c in noun.children
    )


def marker_of(node: Token) -> str:
    marks = [c.lower_ for c in node.children if c.dep_ == "mark" or (c.tag_ == "WRB" and c.dep_ == "advmod")]
    return marks[0] if marks else ""


def is_limited(verb: Token) -> bool:
    """Whether a word turns or compares what is said, so that it is not true as it stands: `no longer`,
    `rarely`, `either`, a comparative without `than`."""
    own = [verb, *(t for c in verb.children if c.dep_ not in _OTHER_CLAUSES for t in c.subtree)]
    if any(t.lower_ in LIMITS for t in own):
        return True
    compared = [t for t in own if t.tag_ in ("JJR", "RBR") and t.lower_ not in ("more", "later", "earlier")]
    return any(t.lower_ == "rather" for t in own) or (
        bool(compared) and "than" not in [t.lower_ for t in own]
    )


def negation_of(verb: Token) -> str:
    """`not` or `never` where the verb is negated, else nothing."""
    words = [t.lower_ for t in verb.children if t.dep_ == "neg"]
    return "" if not words else "never" if "never" in words else "not"


def adverbs_of(verb: Token) -> Iterator[str]:
    for child in verb.children:
        if child.lower_ in JOINING:
            continue
        if child.dep_ == "advmod" and child.pos_ == "ADV" and child.tag_ != "WRB" and child.i < verb.i:
            before = next((c for c in verb.children if c.dep_ in SUBJECTS), None)
            if (before is None or child.i > before.i) and not list(child.children):
                yield child.text


def spelled_out(auxiliary: Token) -> str:
    """`'ll` -> `will`, `'re` -> `are`."""
    short = {"'s": "is" if auxiliary.lemma_ == "be" else "has", "'d": "would", "ca": "can", "wo": "will"}
    short |= {"'ll": "will", "'re": "are", "'ve": "have", "'m": "am"}
    return short.get(auxiliary.lower_.replace("\u2019", "'"), auxiliary.lower_)


def is_past(verb: Token, auxiliaries: Sequence[str]) -> bool:
    if auxiliaries:
        return auxiliaries[0] in ("was", "were", "did", "had")
    return verb.tag_ in ("VBD", "VBN") or (verb.tag_ == "VBG" and verb.head.tag_ == "VBD")


def is_plural(noun: Token) -> bool:
    if noun.lower_ in ("they", "we", "these", "those", "many", "most", "several", "few", "you", "both"):
        return True
    return noun.tag_ in ("NNS", "NNPS") or any(c.dep_ == "conj" for c in noun.children)
