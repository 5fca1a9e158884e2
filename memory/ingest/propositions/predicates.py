"""Properties of one parsed verb: its subject, tense, negation, and whether the text asserts it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import is_quoted
from memory.language.verb_groups import is_known_verb

SUBJECTS = frozenset({"nsubj", "nsubjpass"})
AUXILIARIES = frozenset({"aux", "auxpass"})
RELATIVE = frozenset({"which", "who", "that"})
_FACTIVE_WORDS = """
    confirm demonstrate discover find know learn note notice observe prove realize remember reveal see
    show"""
_FACTIVE = frozenset(_FACTIVE_WORDS.split())
"""Verbs after which a `that` clause is true; after other verbs it is only said, hoped or feared."""
CONDITIONS = frozenset({"if", "unless", "when", "whenever", "once", "until", "provided", "where"})
_TRUE_ADVERBIALS = frozenset({"because", "since", "although", "though", "while", "after", "as", "whereas"})
_JOINING_WORDS = """
    also however therefore thus then hence moreover too even just simply instead otherwise furthermore
    similarly likewise consequently indeed thereby nevertheless nonetheless meanwhile"""
JOINING = frozenset(_JOINING_WORDS.split())
"""Adverbs that connect sentences; they are left out of questions."""
_OTHER_CLAUSES = frozenset({"conj", "advcl", "relcl", "ccomp", "parataxis"})
_LIMIT_WORDS = """
    longer nothing nobody none neither nor hardly scarcely barely rarely seldom either whether"""
LIMITS = frozenset(_LIMIT_WORDS.split())
"""Words that negate or restrict a clause in a way that facts do not represent."""
_GROUPS = frozenset(
    {"number", "majority", "band", "team", "range", "group", "variety", "pair", "couple", "minority", "total"}
)  # fmt: skip
"""Singular nouns that may take a plural verb."""
_OVER = frozenset({"recently", "previously", "formerly", "originally", "once", "first", "later", "already"})
"""Adverbs of what happened, unlike what still is: `recently elected to the council`."""
EVENTS = frozenset({"make", "allow", "cause", "give", "lead", "mean", "enable", "leave", "result", "force"})
"""Participles whose subject is the whole main clause (`..., making it the third`)."""


def is_asserted(verb: Token) -> bool:
    """Whether the text asserts the clause, rather than as a condition, a wish or a quotation."""
    node = verb
    while node.dep_ == "conj" and node.head.pos_ in ("VERB", "AUX"):
        if any(c.dep_ == "mark" and c.lower_ in ("that", "whether", "if") for c in node.children):
            return False  # what else somebody says
        node = node.head
    if is_quoted(verb):
        return False
    if node.dep_ in ("ccomp", "csubj", "pcomp", "acl", "xcomp"):
        if node.dep_ == "ccomp" and node.head.lemma_ in _FACTIVE:
            conditional = any(c.dep_ == "advcl" and marker_of(c) in CONDITIONS for c in node.head.children)
            return is_asserted(node.head) and not conditional and negation_of(node.head) == ""
        return node.dep_ == "acl" and verb == node and verb.tag_ in ("VBN", "VBG")
    if node.dep_ == "advcl":
        marker = marker_of(node)
        if marker in CONDITIONS:
            return marker == "when" and node.tag_ == "VBD"
        return (marker in _TRUE_ADVERBIALS and not _in_condition(node.head)) or (
            not marker and node.tag_ in ("VBG", "VBN")
        )
    return node.dep_ in ("ROOT", "relcl", "conj", "parataxis", "appos", "dep")


def _in_condition(verb: Token) -> bool:
    """Whether the verb is in a conditional clause: `if you log in while it runs, ...`."""
    above = [verb, *verb.ancestors]
    return any(t.dep_ == "advcl" and marker_of(t) in CONDITIONS for t in above)


def governor(verb: Token) -> Token | None:
    """The first verb of a coordination, which shares its subject and auxiliaries; None if not coordinated."""
    return verb.head if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX") else None


def is_verb(verb: Token, subject: Token, auxiliaries: Sequence[Token]) -> bool:
    """Whether the word can be the subject's verb; the parser sometimes takes nouns and names for verbs."""
    if verb.lower_ in ("are", "were") and not auxiliaries and subject.tag_ == "NN" and not is_plural(subject):
        return any(c.dep_ in ("det", "nummod") for c in subject.children) and subject.lower_ in _GROUPS
    if auxiliaries or verb.lemma_ in ("be", "have", "do"):
        return True
    if verb.text[:1].isupper() and not verb.is_sent_start:
        return False  # a word of a title
    if verb.tag_ not in ("VBP", "VBZ"):
        return True
    if not is_known_verb(verb):
        return False
    leader = governor(verb)
    if leader is not None and leader.tag_ == "VBD" and not any(c.dep_ in SUBJECTS for c in verb.children):
        return False
    if is_code(subject) or subject.pos_ not in ("NOUN", "PROPN"):
        return True
    plural = is_plural(subject)
    return plural or verb.tag_ == "VBZ" if subject.tag_ in ("NN", "NNP") else verb.tag_ == "VBP"


def is_joined(verb: Token, leader: Token) -> bool:
    """Whether a coordinated verb without a subject is joined by a conjunction; otherwise it is a participle
    (`..., considered a masterpiece`)."""
    if any(c.dep_ in (*SUBJECTS, "expl") for c in verb.children) or verb.tag_ not in ("VBD", "VBN"):
        return True
    return any(c.dep_ == "cc" for each in (verb, leader) for c in each.children)


def shared_auxiliaries(verb: Token, leader: Token | None) -> list[Token]:
    """The verb's auxiliaries; a coordinated verb without its own shares those of the first verb, but only the
    modal in `would be weighed and contribute`."""
    own = [t for t in verb.children if t.dep_ in AUXILIARIES and t.i < verb.i]
    if own or leader is None:
        return own
    shared = [t for t in leader.children if t.dep_ in AUXILIARIES and t.i < leader.i]
    if verb.tag_ == "VB":
        return [t for t in shared if t.tag_ == "MD" or t.lemma_ == "do" or t.lower_ == "to"]
    if verb.tag_ == leader.tag_ and verb.tag_ in ("VBN", "VBG"):
        return shared
    # `was founded in 1411 and announced as the capital by Ahmed`: the tagger takes it for the past tense.
    done_to_it = any(c.dep_ == "agent" for c in verb.children)
    return shared if done_to_it and any(t.dep_ == "auxpass" for t in shared) else []


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
        over = verb.lower_ == "born" or any(c.lower_ in _OVER for c in verb.children)
        dated = over or any(t.ent_type_ in ("DATE", "TIME") for t in verb.subtree)
        if noun.head.tag_ in ("VBZ", "VBP") and not dated:
            return noun, ["are" if is_plural(noun) else "is"]
        return noun, ["were" if is_plural(noun) else "was"]
    if verb.dep_ == "advcl" and verb.tag_ in ("VBG", "VBN") and verb.lemma_ not in EVENTS:
        subject = subject_of(verb.head, governor(verb.head))
        if subject is None or marker_of(verb) or verb.tag_ == "VBN":
            return None
        taken = any(c.dep_ in ("dobj", "attr", "oprd") for c in verb.head.children)
        apart = verb.i < verb.head.i or verb.left_edge.nbor(-1).is_punct
        if not apart or (taken and verb.i > verb.head.i and not any(c.dep_ == "dobj" for c in verb.children)):
            return None  # it may as well describe the object before it
        return (subject, []) if verb.head.tag_ == "VBD" else None
    return None


def is_impersonal(head: Token, verb: Token) -> bool:
    """`it is possible that ...`: a subject that stands for nothing."""
    return head.lower_ == "it" and (
        (head.dep_ == "nsubjpass" and any(c.dep_ == "xcomp" for c in verb.children))
        or any(c.dep_ in ("ccomp", "csubj", "csubjpass") for c in verb.children)
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
    """Whether a word changes or compares the statement, so that it is not true by itself: `no longer`,
    `rarely`, `either`, a comparative without `than`."""
    own = [verb, *(t for c in verb.children if c.dep_ not in _OTHER_CLAUSES for t in c.subtree)]
    if any(t.lower_ in LIMITS for t in own):
        return True
    if any(t.dep_ == "neg" and t.head.pos_ == "ADP" for t in own):
        return True  # `not in the film, but in a comic strip`
    compared = [t for t in own if t.tag_ in ("JJR", "RBR") and t.lower_ not in ("more", "later", "earlier")]
    return any(t.lower_ == "rather" for t in own) or (
        bool(compared) and "than" not in [t.lower_ for t in own]
    )


def negation_of(verb: Token) -> str:
    """`not`, `never` or ''; verbs that share an auxiliary share its negation."""
    words = [t.lower_ for t in verb.children if t.dep_ == "neg"]
    leader = governor(verb)
    own = any(t.dep_ in (*AUXILIARIES, *SUBJECTS) for t in verb.children)
    if not words and leader is not None and not own and verb.tag_ == leader.tag_:
        joins = {c.lower_ for c in leader.children if c.dep_ == "cc" and c.i < verb.i}
        shared = shared_auxiliaries(verb, leader)
        return negation_of(leader) if shared and "but" not in joins else ""
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
    """The auxiliary in full: `'ll` -> `will`, `'re` -> `are`."""
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
