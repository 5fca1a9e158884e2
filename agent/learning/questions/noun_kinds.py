"""Classifies names and nouns by kind (`river`, `company`, person), for question words like `which river`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memory.ingest.propositions.coreference import HUMAN, PEOPLE
from memory.ingest.propositions.parser import is_code

if TYPE_CHECKING:
    from spacy.tokens import Token

_MORE_HUMAN_WORDS = """
    pharmacist professional practitioner specialist expert official officer leader ruler chief commander
    colonel captain lieutenant admiral sergeant emigrant immigrant migrant refugee settler colonist merchant
    trader craftsman artisan slave servant peasant noble nobleman aristocrat knight lord lady duke duchess
    earl count countess baron sultan caliph khan tsar shah chancellor premier minister secretary senator
    representative delegate ambassador diplomat candidate voter lawmaker legislator judge attorney
    prosecutor lawyer advocate activist supporter opponent follower believer convert worshipper preacher
    pastor clergy clergyman priest bishop archbishop cardinal monk nun missionary reformer theologian
    scholar thinker intellectual academic scientist researcher engineer designer architect builder
    contractor owner founder co-founder inventor editor journalist reporter critic novelist playwright
    dramatist poet producer director actor singer musician conductor drummer guitarist dancer performer
    entertainer host presenter broadcaster player quarterback linebacker coach trainer athlete footballer
    cricketer champion winner runner fan teacher educator instructor tutor principal headmaster professor
    graduate alumnus alumni student pupil learner child kid baby infant adult teenager elder man woman boy
    girl husband wife spouse parent father mother son daughter brother sister uncle aunt cousin nephew niece
    grandfather grandmother grandson granddaughter heir ancestor descendant successor predecessor
    contemporary colleague partner assistant aide adviser advisor consultant manager executive chairman
    chairwoman chairperson chair treasurer president vice-president ceo entrepreneur businessman
    industrialist financier investor banker economist accountant clerk employee worker labourer laborer
    farmer hunter sailor soldier warrior guard policeman detective spy prisoner criminal victim survivor
    patient doctor physician surgeon nurse therapist psychologist astronaut pilot driver passenger traveller
    traveler visitor tourist guest resident inhabitant native citizen foreigner people person everybody
    everyone anybody individual troop crew staff family couple maintainer contributor administrator
    authority subscriber viewer listener reader author writer creator"""
HUMANS = HUMAN | frozenset(_MORE_HUMAN_WORDS.split())
"""Nouns for people."""
_NOT_HUMAN = frozenset({"guard", "count", "native", "chair", "host", "fan", "reader", "winner"})
"""Exceptions: nouns that denote things as often as people."""

_COUNTRY_WORDS = """
    Afghanistan|Albania|Algeria|Angola|Argentina|Armenia|Australia|Austria|Azerbaijan|Bangladesh|Belarus|Belgium
    |Bolivia|Bosnia|Botswana|Brazil|Britain|Bulgaria|Burma|Cambodia|Cameroon|Canada|Chad|Chile|China|Colombia
    |Croatia|Cuba|Cyprus|Denmark|Ecuador|Egypt|England|Eritrea|Estonia|Ethiopia|Finland|France|Germany
    |Ghana|Great Britain|Greece|Guatemala|Haiti|Honduras|Hungary|Iceland|India|Indonesia|Iran|Iraq|Ireland
    |Israel|Italy|Jamaica|Japan|Jordan|Kazakhstan|Kenya|Kuwait|Laos|Latvia|Lebanon|Liberia|Libya|Lithuania
    |Luxembourg|Madagascar|Malaysia|Mali|Malta|Mexico|Moldova|Mongolia|Morocco|Mozambique|Myanmar|Namibia|Nepal
    |Netherlands|New Zealand|Nicaragua|Niger|Nigeria|North Korea|Norway|Oman|Pakistan|Panama|Paraguay|Peru
    |Philippines|Poland|Portugal|Qatar|Romania|Russia|Rwanda|Saudi Arabia|Scotland|Senegal|Serbia|Singapore
    |Slovakia|Slovenia|Somalia|South Africa|South Korea|Soviet Union|Spain|Sri Lanka|Sudan|Sweden|Switzerland
    |Syria|Taiwan|Tanzania|Thailand|Tunisia|Turkey|Uganda|Ukraine|United Kingdom|United States|Uruguay
    |Uzbekistan|Venezuela|Vietnam|Wales|Yemen|Yugoslavia|Zambia|Zimbabwe|U.S.|US|USA|UK|USSR|U.S"""
_COUNTRIES = frozenset(_COUNTRY_WORDS.replace("\n", "").replace("    ", "").split("|"))
_STATE_WORDS = """
    Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Hawaii|Idaho|Illinois
    |Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri
    |Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|North Carolina|North Dakota|Ohio
    |Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont
    |Virginia|West Virginia|Wisconsin|Wyoming"""
_STATES = frozenset(_STATE_WORDS.replace("\n", "").replace("    ", "").split("|"))

_CLASS_WORDS = """
    academy act agency airport album alliance army assembly association award bank battle bay board book
    bridge brotherhood bureau cathedral castle center centre channel church city club college commission
    committee company conference congress corporation council county court crusade dam declaration
    department desert district division duchy dynasty edict empire fair federation festival film forest
    foundation fund gallery garden group harbour hall highway hospital hotel house institute institution
    island kingdom laboratory lake law league library line magazine ministry monastery mosque mountain
    movement museum network newspaper ocean office orchestra organization palace park parliament party
    peninsula plateau port prize program programme project province railway region republic reservoir
    revolution river road school sea series society square stadium station store street studio survey team
    temple theater theatre tower treaty tribe trust union university valley village war zoo"""
_CLASSES = frozenset(_CLASS_WORDS.split())
"""Last words of names that state the kind of thing."""
_ENTITY_KINDS = {"LOC": "place", "FAC": "place", "GPE": "place", "EVENT": "event", "LANGUAGE": "language"}
_FIRM = re.compile(r"\b(?:Inc|Co|Corp|Ltd|plc|LLC|GmbH|& Sons|Holdings|Industries|Enterprises)\b")


def is_human(head: Token) -> bool:
    """Whether a noun or name denotes a person or people."""
    if is_code(head) or (head.text.isupper() and len(head.text) > 1):
        return False  # code or an acronym, mistagged as a name
    if head.pos_ == "PROPN" and head.lower_ in _CLASSES and head.ent_type_ != "NORP":
        return False  # a street, a university
    if head.lower_ in PEOPLE:
        return True
    if head.pos_ == "PROPN" and any(c.dep_ == "det" and c.lower_ == "the" for c in head.children):
        plural = head.tag_ == "NNPS" and head.ent_type_ in ("NORP", "PERSON")
        return plural or _is_person_noun(head)  # not a ship or house, but the Normans, the Duke
    others = [c for c in head.children if c.dep_ == "conj"]
    if any(not _is_person_noun(c) and c.ent_type_ not in ("PERSON", "NORP") for c in others):
        return False  # such as people and vehicles
    if head.ent_type_ == "NORP":
        return head.tag_ in ("NNPS", "NNS")
    return head.ent_type_ == "PERSON" or _is_person_noun(head)


def _is_person_noun(head: Token) -> bool:
    """Whether the token is a common noun for people."""
    lemma = head.lemma_.lower()
    if head.pos_ not in ("NOUN", "PROPN", "PRON") or (lemma in _NOT_HUMAN and head.ent_type_ != "PERSON"):
        return False
    ended = head.pos_ == "NOUN" and re.search(r"(?:\w{3}ist|[a-z]{3}ian|[a-z]man|woman|[a-z]eer)$", lemma)
    return lemma in HUMANS or head.lower_ in HUMANS or (bool(ended) and lemma not in _SEEMING)


_SEEMING = frozenset({"career", "median", "meridian", "waist"})


def kind_of_noun(head: Token) -> str:
    """The noun for the kind of a name (`river`, `animation company`, `country`); "" if it is not a name."""
    if head.pos_ != "PROPN" and not head.ent_type_:
        return ""
    if before := words_of_description(head):
        return " ".join(t.text for t in before)
    text = name_of(head)
    if _FIRM.search(text):
        return "company"
    if head.ent_type_ in ("GPE", "LOC", "ORG", "") and text in _COUNTRIES:
        return "country"
    if head.ent_type_ in ("GPE", "ORG", "LOC") and text in _STATES:
        return "state"
    last = head.lower_
    if last in _CLASSES and " " in text:
        return last
    first = text.split()[0].lower() if text else ""
    if " of " in text and first in _CLASSES:  # Bank of Lower Saxony
        return first
    if first in ("lake", "mount", "river", "port", "fort") and " " in text:
        return {"mount": "mountain"}.get(first, first)
    if head.ent_type_ == "GPE" and re.search(rf"\b(?:city|town|village) of {re.escape(text)}", head.doc.text):
        return "city"
    return _ENTITY_KINDS.get(head.ent_type_, "")


def words_of_description(head: Token) -> list[Token]:
    """The description in front of a name: `animation company` of `animation company Orrin`."""
    if head.pos_ != "PROPN":
        return []
    doc, index = head.doc, head.i - 1
    while index >= head.sent.start and (
        doc[index].pos_ == "PROPN" or (doc[index].is_punct and not doc[index].whitespace_)
    ):
        index -= 1
    last = doc[index] if index >= head.sent.start else head
    if last.tag_ != "NN" or not last.text.islower() or len(last.text) < 3 or not head.is_ancestor(last):
        return []
    words: list[Token] = []
    while index >= head.sent.start and doc[index].pos_ in ("NOUN", "PROPN", "ADJ"):
        if doc[index].ent_type_ in ("DATE", "CARDINAL", "ORDINAL", "MONEY") or not head.is_ancestor(
            doc[index]
        ):
            break
        words.insert(0, doc[index])
        index -= 1
    return words if len(words) < 4 else words[-2:]


def name_of(head: Token) -> str:
    """The name whose head is the token, without an article."""
    entity = next((e for e in head.doc.ents if e.start <= head.i < e.end), None)
    text = entity.text if entity is not None else head.text
    return re.sub(r"^(?:the|The) |['\u2019]s$", "", text)
