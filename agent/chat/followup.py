"""Makes follow-up questions self-contained by rules, so that they can be looked up.

A pronoun is replaced if only one thing was mentioned before; otherwise the things mentioned are appended in
parentheses.
"""

import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.chat.noun_phrases import NounPhrase, content_words, noun_phrases, proper_names
from memory.language.lexicon import (
    ADDRESSING,
    ASKING,
    COURTESY,
    FOLLOWING,
    INTERROGATIVES,
    MAKING,
    PRONOUNS,
    language_by_words,
    unspaced,
    words_in,
    words_of,
)
from memory.records.base import Record

LONGEST_FOLLOW_UP = 25
"""Longest follow-up in words; longer messages are taken to be self-contained."""
MAX_EARLIER_MESSAGES = 200
"""Earlier messages that are read."""
LONGEST_QUESTION = 500
"""Characters of an earlier message searched for topics, and longest follow-up."""
MAX_TOPICS = 4
"""Most topics appended to a follow-up."""
LONGEST_FRAGMENT = 6
"""Longest fragment in words: a message without a verb that continues the question before it."""
LONGEST_FOREIGN = 8
"""Longest follow-up in words in a language without grammar rules."""


class StandaloneQuestion(Record):
    """A self-contained question, and whether it differs from the user's message."""

    text: str
    changed: bool


def make_standalone(messages: Sequence[BaseMessage]) -> StandaloneQuestion:
    """The last user message, completed from earlier turns if it needs them.

    A self-contained message is returned unchanged. Raises ValueError if there is no user message.
    """
    texts = [m for m in messages if isinstance(m, HumanMessage | AIMessage) and m.text.strip()]
    last = next((i for i in reversed(range(len(texts))) if isinstance(texts[i], HumanMessage)), None)
    if last is None:
        raise ValueError("the conversation needs a user message")
    turns: list[_Turn] = []
    for message in texts[max(0, last - MAX_EARLIER_MESSAGES) : last]:
        if isinstance(message, HumanMessage):
            turns.append(_Turn(question=_resolved(message.text.strip(), turns), reply=""))
        elif turns:
            turns[-1] = _Turn(question=turns[-1].question, reply=message.text)
    text = texts[last].text.strip()
    resolved = _resolved(text, turns)
    return StandaloneQuestion(text=resolved, changed=resolved != text)


class _Turn(Record):
    """A user question, made self-contained, and the reply to it."""

    question: str
    reply: str


def _resolved(text: str, turns: Sequence[_Turn]) -> str:
    """The text, completed from the latest turn with a topic; small talk has none."""
    if len(text.split()) > LONGEST_FOLLOW_UP or not needs_context(text):
        return text
    for turn in reversed(turns):
        question = turn.question[-LONGEST_QUESTION:]
        if noun_phrases(question) or (language_by_words(question) or "en") != "en":
            return _completed(text, question, turn.reply[:LONGEST_QUESTION])
    return text


def needs_context(text: str) -> bool:
    """Whether the message cannot be understood without earlier turns."""
    if len(text) > LONGEST_QUESTION:
        return False
    language = language_by_words(text) or "en"
    if language != "en":
        return _needs_context_foreign(text, language)
    return is_fragment(text) or _pronoun(text) is not None


def is_fragment(text: str) -> bool:
    """Whether the message only continues the previous one: "and in winter?", "what about Spain?", "why?"."""
    words = words_of(text) if len(text) <= LONGEST_QUESTION else []
    if not words:
        return False
    language = language_by_words(text) or "en"
    if language != "en":
        opening = FOLLOWING[language]
        return len(words) <= LONGEST_FRAGMENT and words[0] in opening and not _asks(words, language)
    body = _after_conjunction(text)
    if _WHAT_ABOUT.match(body) or _BARE.match(body) or _HOW_MANY.match(body):
        return True
    rest = words_of(body)
    other = INTERROGATIVES["en"] | _VERBS | COURTESY["en"] | MAKING["en"] | ASKING["en"] | ADDRESSING["en"]
    return (
        len(rest) <= LONGEST_FRAGMENT
        and not other.intersection(rest)
        and (body != text or (bool(rest) and rest[0] in _PREPOSITIONS))
    )


def _completed(text: str, question: str, reply: str) -> str:
    if (language_by_words(text) or "en") != "en":
        return _appended(text, [" ".join(content_words(question))])
    mentioned = noun_phrases(question)
    if is_fragment(text) and _pronoun(text) is None:
        return _continued(text, question, mentioned)
    pronoun = _pronoun(text)
    assert pronoun is not None, "a message that needs context is a fragment or has a pronoun"
    word = pronoun["word"].lower()
    reply_names = [name for name in proper_names(reply) if name.lower() not in question.lower()]
    if word in _PERSONAL:
        people = [phrase for phrase in mentioned if phrase.proper and phrase.proper == phrase.name]
        who = _WHO_DID.match(question)
        if who or not people:
            people = [NounPhrase(text=n, name=n, proper=n) for n in reply_names if who or " " in n]
        mentioned = people or mentioned
        sure = bool(people)
    else:
        singular = bool(mentioned) and mentioned[0].text.lower().startswith(("a ", "an "))
        sure = word in _REPLACEABLE and not (word in _PLURAL and singular)
    topics = list(dict.fromkeys(phrase.name for phrase in mentioned))
    if len(topics) == 1 and sure:
        return _replaced(text, pronoun, mentioned[0])
    if word == "there":
        topics += [name for name in reply_names if name not in topics]
    return _appended(text, topics)


def _replaced(text: str, pronoun: re.Match[str], phrase: NounPhrase) -> str:
    """The text with its first pronoun replaced by the phrase."""
    word = pronoun["word"].lower()
    name = phrase.definite
    if word in _POSSESSIVE:
        name += "'" if name.endswith("s") else "'s"
    elif word in ("it's", "he's", "she's"):
        name += " is"
    elif word == "they're":
        name += " are"
    before, after = text[: pronoun.start("word")], text[pronoun.end("word") :]
    if not before.strip():
        name = name[0].upper() + name[1:]
    return f"{before}{name}{after}"


def _continued(text: str, question: str, mentioned: Sequence[NounPhrase]) -> str:
    """The previous question with the fragment in place of its only name, or appended to it."""
    body = _after_conjunction(text)
    previous = question.rstrip(" ?.!")
    about = _WHAT_ABOUT.match(body)
    if about:
        body = body[about.end() :]
    fragment = body.rstrip(" ?.!")
    if not fragment:  # "and?"
        return question
    named = [phrase for phrase in mentioned if phrase.proper]
    new = noun_phrases(fragment)
    if len(named) == 1 and len(new) == 1 and new[0].proper and new[0].text == fragment:
        return question.replace(named[0].proper, fragment)
    if _BARE.match(body) or _HOW_MANY.match(body):
        return _appended(text, [previous])
    return f"{previous}, and {body[:1].lower()}{body[1:]}"


def _appended(text: str, topics: Sequence[str]) -> str:
    return f"{text} ({'; '.join(topics[-MAX_TOPICS:])})" if any(topics) else text


def _pronoun(text: str) -> re.Match[str] | None:
    """The first pronoun that refers to an earlier turn, if any.

    Quoted text is ignored, and so is a pronoun whose noun is in the message itself.
    """
    unquoted = _QUOTED.sub(lambda match: " " * len(match[0]), text)
    for match in _PRONOUN.finditer(unquoted):
        before, after = unquoted[: match.start()], unquoted[match.end() :]
        if not _is_expletive(match, before, after) and not _has_antecedent(match["word"].lower(), before):
            return match
    return None


def _is_expletive(match: re.Match[str], before: str, after: str) -> bool:
    """Whether the word refers to nothing: "what time is it", "it is raining", "is there", "I think that"."""
    word = match["word"].lower()
    if word in ("it", "it's"):
        distance = _HOW_FAR.search(before) and _TO_PLACE.match(after)
        return bool(distance or _EMPTY_BEFORE.search(before) or _EMPTY_AFTER.match(after))
    if word == "there":
        return bool(_EXISTENTIAL_BEFORE.search(before) or _EXISTENTIAL_AFTER.match(after))
    if word in _DEMONSTRATIVE:
        if _TIME.match(after):
            return True
        return word == "that" and not _DEMONSTRATIVE_BEFORE.search(before)
    return False


def _has_antecedent(word: str, before: str) -> bool:
    """Whether the message may contain the pronoun's noun: in an earlier clause, or anywhere for "its"."""
    if word in _POSSESSIVE:
        scope = before
    else:
        boundaries = list(_BOUNDARY.finditer(before))
        if not boundaries:
            return False
        scope = before[: boundaries[-1].start()]
    return bool(noun_phrases(scope))


def _after_conjunction(text: str) -> str:
    return _CONJUNCTION.sub("", text, count=1)


def _asks(words: Sequence[str], language: str) -> bool:
    return any(word in INTERROGATIVES[language] for word in words)


def _needs_context_foreign(text: str, language: str) -> bool:
    opening = FOLLOWING[language]
    if languages := unspaced(text):
        return len(text) <= 2 * LONGEST_FOREIGN and any(
            text.startswith(word) for word in FOLLOWING[languages[0]]
        )
    words = words_of(text)
    if len(words) > LONGEST_FOREIGN:
        return False
    has_name = any(word[:1].isupper() for word in text.split()[1:])
    return words[0] in opening or (not has_name and any(word in PRONOUNS[language] for word in words))


_PERSONAL = words_in("he him his she her hers he's she's")
_PLURAL = words_in("they them their they're")
_POSSESSIVE = words_in("its his their her")
_DEMONSTRATIVE = words_in("this that these those")
_REPLACEABLE = words_in("it its it's he him his she her he's she's they them their they're")
_QUOTED = re.compile(
    "\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb|`[^`]*`|(?<!\\w)'[^']*'(?!\\w)"
)
_PRONOUN = re.compile(
    r"\b(?P<word>it's|its|it|he's|he|him|his|she's|she|hers|her|they're|they|them|theirs|their|this"
    r"|that|these"
    r"|those|there|(?:(?<=which )|(?<=that )|(?<=this )|(?<=other )|(?<=first )|(?<=second )|(?<=last )"
    r"|(?<=the ))ones?"
    r"|(?<=the )(?:former|latter))\b(?!')",
    re.IGNORECASE,
)
_EMPTY_BEFORE = re.compile(
    r"\b(?:what (?:time|day|date|year|month|season) (?:is|was|will)"
    r"|(?:make|makes|made|find|finds|take|takes) |(?:call|calls|called) |as )\s*$",
    re.IGNORECASE,
)
_HOW_FAR = re.compile(
    r"\bhow (?:far|long|hot|cold|late|early|warm|dark) (?:is|was|will|does|did)\s*$", re.IGNORECASE
)
_TO_PLACE = re.compile(
    r"\s+(?:(?:be|get|take)\s+)?(?:to|from|until|till|in|on|at|outside|between|before)\b", re.IGNORECASE
)
_EMPTY_AFTER = re.compile(
    r"\s+(?:(?:is|was|'s|will be|would be|be|were)\s+)?(?:not\s+|always\s+|really\s+|still\s+|ever\s+)?"
    r"(?:(?:true|possible|impossible|ok|okay|safe|legal|illegal|better|best|worth|necessary|likely"
    r"|common|normal|known"
    r"|easy|hard|difficult|important|wrong|right|good|bad|said|allowed|bad luck|cheaper|healthy"
    r"|dangerous|rude)"
    r"\b(?=.*\b(?:that|to|for|if|when)\b)|rain|snow|hail|freez|take[sn]?\b(?=.*\bto\b)|cost[s]?\s+to\b"
    r"|matter[s]?\s+(?:if|whether|that|how|when|where|which)\b|mean[s]?\s+(?:to|that|when|if)\b"
    r"|like\s+to\b|\w+ing\s+outside|so\s+\w+\s+(?:in|on|at|to)\b)",
    re.IGNORECASE,
)
_EXISTENTIAL_BEFORE = re.compile(r"\b(?:is|are|was|were|be|been|isn't|aren't)\s+$", re.IGNORECASE)
_EXISTENTIAL_AFTER = re.compile(r"\s*(?:is|are|was|were|'s|will be|exists?)\b", re.IGNORECASE)
_DEMONSTRATIVE_BEFORE = re.compile(
    r"(?:^\W*|\b(?:is|are|was|were|does|do|did|can|could|would|should|has|had|of|in|on|for|with"
    r"|about|by|to|from|after|like"
    r"|why|how|and|or|but|so|than|at|before)\s+)$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\s+(?:year|month|week|day|days|morning|evening|night|century|time|season|summer|winter|spring|autumn)\b",
    re.IGNORECASE,
)
_BOUNDARY = re.compile(
    r"[,;:.]|\b(?:when|while|if|because|since|after|before|until|unless|although|though|that|which"
    r"|who|and|but|or|so|where"
    r"|once|as|than|without)\b",
    re.IGNORECASE,
)
_CONJUNCTION = re.compile(r"^\W*(?:and|or|but|also|so|then)(?:\s+(?=\S)|\W*$)", re.IGNORECASE)
_WHAT_ABOUT = re.compile(r"^\W*(?:what|how) about\s+", re.IGNORECASE)
_WHO_DID = re.compile(
    r"^\W*(?:.*\b)?who\s+(?!is\b|was\b|are\b|were\b)|.*\bwho\s+(?:is|was)\s+(?:the|a|an)\b", re.IGNORECASE
)
_BARE = re.compile(
    r"^\W*(?:why(?: not| so)?|how(?: so| come| exactly)?|when(?: exactly)?|where(?: exactly)?"
    r"|who(?: exactly| else)?"
    r"|since when|what else|which(?: ones?)?|by whom|what for|in what way|for example|such as"
    r"|like what|really"
    r"|for how long|how often)\W*$",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(
    r"^\W*(?:how (?:many|much|long|old|big|far|tall|deep|fast)|what|which)(?:\s+\w+)?\W*$", re.IGNORECASE
)
_PREPOSITIONS = words_in("in on at for with without during after before under by from to since near")
_VERBS = words_in("is are was were do does did has have had can could will would should may must be")
