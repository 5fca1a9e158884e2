"""The wordings in which English states a fact: one named rule per wording, each for one relation.

Whether a subject or an object may be believed is for `extraction`.
"""

import re
from dataclasses import dataclass

from memory.records import Relation


@dataclass(frozen=True)
class Rule:
    """A wording: what stands between subject and object, and what that says about them."""

    name: str
    relation: Relation
    verb: re.Pattern[str]
    """Matched between white space; what is left of it is the subject, what is right of it the object."""
    noun_phrase: bool = False
    """The object is cut before the first relative clause."""
    article: bool = False
    """The object must begin with an article, or be a plural noun with something that narrows it."""


def _rule(
    name: str, relation: Relation, verb: str, *, noun_phrase: bool = False, article: bool = False
) -> Rule:
    return Rule(name, relation, re.compile(rf"\s(?:{verb})(?=\s)"), noun_phrase, article)


RULES = (
    _rule("part_of.part", "part_of", r"(?:is|are) (?:a )?parts? of", noun_phrase=True),
    _rule("kind_of.kind", "kind_of", r"(?:is|are) (?:a |an )?(?:kind|type|sort|form)s? of", noun_phrase=True),
    _rule("made_of.made", "made_of", r"(?:is|are) (?:made|built|composed) (?:up )?(?:of|from|out of)"),
    _rule("made_of.consists", "made_of", r"consists? of"),
    _rule(
        "located_in.located", "located_in", r"(?:is|are) (?:located|found|stored|kept) (?:in|inside|within)"
    ),
    _rule("used_for.used", "used_for", r"(?:is|are) used(?: for|(?= to\b))"),
    _rule("definition.means", "definition", r"means|denotes|refers to|is defined as|stands for"),
    _rule("definition.copula", "definition", r"is|are", article=True),
    _rule("prevents.verb", "prevents", r"prevents?"),
    _rule("requires.verb", "requires", r"requires?|needs?"),
    _rule("returns.verb", "returns", r"returns?"),
    _rule("causes.verb", "causes", r"causes?|leads? to"),
    _rule("contains.verb", "contains", r"contains?"),
)
"""In order of precedence: the first verb of the sentence that is one of these decides."""

ALIAS = re.compile(
    r"^(?P<name>[^,()]+?)"
    r"(?:, (?:which is )?(?:also |sometimes |often )?(?:called|known as|named) (?P<comma>[^,]+),"
    r"| \((?:also |or )?(?:called |known as )?(?P<bracket>[^()]+)\))(?=\s)"
)
"""`A lame, also called a grignette, ...` and `The garbage collector (GC) ...`."""
LEADING = re.compile(
    r"^(?:(?:However|Moreover|Furthermore|Therefore|Thus|Finally|First|Second|Third|Today|Here|Note that"
    r"|In short|In general|In practice|In other words|For example|For instance|By contrast|In contrast"
    r"|And|But|So)\b,?|In (?:the )?[\w'-]+(?: [\w'-]+){0,2},)\s+"
)
"""What a sentence may begin with without changing what it states."""

UNSURE = re.compile(
    r"\b(?:may|might|could|would|should|can|cannot|must|perhaps|maybe|probably|possibly|seems?|appears?"
    r"|allegedly|supposedly|reportedly|not|never|neither|nor|no|hardly|rarely|sometimes|often|usually"
    r"|generally|typically|mostly|likely|unlikely|if|unless|whether|rumou?red|said|says|claims?|claimed"
    r"|believes?|believed|thinks?|thought|argues?|suppose|imagine|almost|nearly)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
"""Hedges, negations, conditions and hearsay: before the object, they make a statement no fact."""

PRONOUN = re.compile(
    r"^(?:it|they|this|that|these|those|he|she|we|you|i|its|their|his|her|our|my|your|one|ones|some|many"
    r"|most|few|all|both|each|every|any|another|other|others|such|everything|something|nothing|anything"
    r"|everyone|someone|nobody|there|here|what|who|which|whose|how|why|when|where|while|because|since"
    r"|although|though|as|after|before|once|until|instead|even|only|just|also|then|underneath|above|below"
    r"|inside|outside|behind|under|over|with|without|by|from|to|at|on|in|of|for|let|do|does|did"
    r"|the (?:former|latter|same|other|rest|result|reason|point|idea|problem|following|first|second|third"
    r"|last))\b",
    re.IGNORECASE,
)
"""What cannot stand for a subject outside its own context."""

_FOREIGN_TO_NAMES = """
    that which who whose whom when where while if because so then than but or nor as at in on by with to
    from into onto over under about is are was were be been being has have had does do did will not it
    they he she we you i this these those also never always and its their his her our your my"""
FOREIGN_TO_NAMES = frozenset(_FOREIGN_TO_NAMES.split())
"""Words that a subject's name never holds; `of` and `for` may stand inside it."""

_EMPTY_HEADS = """
    lot bit must shame pity pleasure thing problem issue question case reason point mistake idea matter
    same fact result topic while only most least very more less good bad great fine few"""
EMPTY_HEADS = frozenset(_EMPTY_HEADS.split())
"""Words that, close behind the article, make a judgement or a remark of what looks like a definition."""

_GENERIC = """
    result process function method value program code answer reason idea problem difference example
    output input file system team company man woman book tool command thing case point story question
    name object type rule box number part way goal aim purpose solution approach user reader author
    trick catch advantage disadvantage benefit cost downside upside"""
GENERIC = frozenset(_GENERIC.split())
"""With `the`, these point back to something said before, so they name nothing by themselves."""

_NO_OBJECT = """
    to that if when by from as it them him her us this these those what how why whether not no nothing
    none neither is are was were be been being has have had only where who which because and or but than
    one"""
NO_OBJECT = frozenset(_NO_OBJECT.split())
"""What an object never begins with."""

CLAUSE_END = re.compile(
    r"[;:\u2013\u2014(]|\s-\s"
    r"|,\s(?=(?:which|who|where|whose|and|but|so|or|because|while|although|though|as|since|for example"
    r"|for instance|such as|e\.g\.|like|even|not|just|it|they|this|that|making|allowing|meaning"
    r"|thus|then|when|if|in|at|with)\b(?!\s+[\w'-]+$))"
    r"|\s(?=(?:because|although|though|whereas|but it|and it|and they|so it)\b)"
    r"|\s(?=and (?:then\b|is\b|are\b|has\b|can\b|[a-z]+s (?:a|an|the|it|them|no|up|down|off)\b))"
)
"""Where the first clause of an object ends; an enumeration's last `, and X` is no end."""

RELATIVE = re.compile(r"\s(?=(?:that|which|who|where|when|whose)\b)")
"""Where a relative clause begins."""

CONDITION = re.compile(r"\b(?:if|unless|except|only when|depending)\b")
"""What makes a relation hold only at times."""
