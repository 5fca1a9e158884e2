"""Questions from structured statements: table rows, options, definitions and numbered steps."""

import re
from collections.abc import Iterator

from memory.ingest.propositions.structure.names import lowered
from memory.ingest.propositions.structure.statements import Statement
from memory.ingest.propositions.structure.tables import YES_NO
from memory.language.imperatives import VERBS, third_person
from memory.language.relations import is_verb_group
from memory.language.text import header, key, singular, words
from memory.records.curricula import Form
from memory.records.knowledge import Passage

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_DETERMINED = re.compile(r"(?:the|an?|your|this|each|every|its|all)\b", re.IGNORECASE)
_NAMED = re.compile(r"[`A-Z\d_]|\w\.\w")
_GENERIC = frozenset(
    words(
        "name value item option key field parameter variable setting property attribute column type id number"
        " entry description default what which task figure"
    )
)
_UNTITLED = frozenset(words("index readme overview introduction documentation home main untitled changelog"))
_NOUNS = frozenset(
    words(
        "access block count display filter force level limit link list log map match mount name note number"
        " output place process push query range read record request return search set sort start stop store"
        " support switch test track trigger trust turn type update upgrade use view back end format handle"
        " index issue join label lock mark move order pull release report resolve reset review run scan"
        " schedule share show sign transfer"
    )
)
"""Words that are as often nouns as verbs: they begin an instruction only before a word such as `the`."""
_AFTER_VERB = frozenset(
    words("the a an all any each only your this that these it to from on off up if whether as for in no")
)

_SETS = frozenset(words("allow control define determine disable enable limit override set specify"))
"""Verbs for what a setting does."""

Question = tuple[Form, str, str]
"""Form (`value`, `definition`, `procedure`, `yes_no` or `reverse`), question and answer."""


def structured_questions(statement: Statement, passage: Passage) -> tuple[Question, ...]:
    """Questions that the statement answers, in several wordings, plainest first."""
    relation = statement.relation
    if statement.rule == "steps":
        questions = _procedure(statement, passage)
    elif statement.rule == "triple":
        questions = _triple(statement, passage)
    elif relation in ("description", "is"):
        questions = _meaning(statement, passage)
    elif statement.object.lower() in YES_NO and relation not in ("default", "allowed values"):
        questions = _yes_no(statement, passage)
    else:
        questions = _value(statement, passage)
    return tuple(
        dict.fromkeys((form, _capitalised(question), answer) for form, question, answer in questions)
    )


def _triple(statement: Statement, passage: Passage) -> Iterator[Question]:
    """Questions about either side, if the relation is a verb group such as `is a kind of`; else a value."""
    subject, relation, value = statement.subject, statement.relation, statement.object
    if not is_verb_group(relation):
        yield from _value(statement, passage)
        return
    yield "value", f"{subject} {relation} what?", value
    yield "value", f"Tell me what {subject} {relation}.", value
    yield "cloze", f"{subject} {relation} ____.", value
    if passage.text.count(value) == 1:
        yield "reverse", f"What {relation} {value}?", _without_backticks(subject)


def _value(statement: Statement, passage: Passage) -> Iterator[Question]:
    subject, where = _subject_and_context(statement.subject, passage)
    relation, answer = statement.relation, statement.object
    bare = f"{statement.subject}{where}"
    if relation == "default":
        yield "value", f"What is the default of {subject}{where}?", answer
        yield "value", f"What is the default value of {subject}{where}?", answer
        yield "value", f"What does {subject}{where} default to?", answer
        yield "value", f"If I do not set {subject}{where}, what value is used?", answer
        return
    if relation == "allowed values":
        yield "value", f"What are the allowed values of {subject}{where}?", answer
        yield "value", f"Which values are allowed for {subject}{where}?", answer
        yield "value", f"What can {subject}{where} be set to?", answer
        return
    if relation == "return type":
        yield "value", f"What type does {subject}{where} return?", answer
        yield "value", f"What is the return type of {subject}{where}?", answer
        yield "value", f"What type of value does {subject}{where} return?", answer
        return
    if (base := third_person(relation)) and base not in _NOUNS:
        yield "value", f"What does {subject}{where} {base}?", answer
        yield "value", f"Tell me what {subject}{where} {relation}.", answer
        yield "value", f"{bare}: what does it {base}?", answer
        return
    if relation == "return value":
        yield "value", f"What does {subject}{where} return?", answer
        yield "value", f"What is the return value of {subject}{where}?", answer
        yield "value", f"What do I get back from {subject}{where}?", answer
        return
    verb = "are" if _is_plural(relation) else "is"
    yield "value", f"What {verb} the {relation} of {subject}{where}?", answer
    if " in " not in relation and relation != "time":
        yield "value", f"What {relation} does {subject}{where} have?", answer
    yield "value", f"Tell me the {relation} of {subject}{where}.", answer
    yield "value", f"{bare}: {relation}?", answer
    yield from _which_row(statement, passage)


def _which_row(statement: Statement, passage: Passage) -> Iterator[Question]:
    """Which row has the value, if only one does and the first column names the kind of rows."""
    if (
        statement.rule != "table"
        or statement.relation == "type"
        or passage.text.count(statement.object) != 1
        or not _NAMED.search(statement.subject)
    ):
        return
    columns = header(passage.text, statement.start)
    kind = singular(lowered(columns[0])) if columns else ""
    plain = kind.isalpha() and kind.islower() and kind not in _GENERIC and " in " not in statement.subject
    if plain and _is_identifying(statement.object) and not _is_plural(statement.relation):
        article = "an" if statement.relation[0] in "aeio" else "a"
        question = f"Which {kind} has {article} {statement.relation} of {statement.object}?"
        yield "reverse", question, _without_backticks(statement.subject)


def _is_identifying(value: str) -> bool:
    """Whether a value can identify its row: short, and not a bare word, sentence or comparison."""
    parts = value.split()
    sentence = len(parts) > 1 and value[0].isupper()
    return (
        len(value) > 1
        and len(parts) <= 4
        and value[0].isalnum()
        and bool(re.search(r"[\d\W_]", value))
        and not sentence
    )


def _yes_no(statement: Statement, passage: Passage) -> Iterator[Question]:
    subject, where = _subject_and_context(statement.subject, passage)
    relation, answer = statement.relation, YES_NO[statement.object.lower()]
    parts = relation.split()
    if parts[-1] == "support":
        yield "yes_no", f"Does {subject}{where} have {relation}?", answer
        yield "yes_no", f"Is there {relation} in {subject}{where}?", answer
        yield "yes_no", f"Does {subject}{where} support {' '.join(parts[:-1])}?", answer
        return
    if len(parts) > 1 and parts[-1].endswith(("ed", "able", "ible")):
        noun = " ".join(parts[:-1])
        yield "yes_no", f"Is {noun} {parts[-1]} for {subject}{where}?", answer
        yield "yes_no", f"For {subject}{where}, is {noun} {parts[-1]}?", answer
        yield "yes_no", f"Is the {noun} of {subject}{where} {parts[-1]}?", answer
        return
    yield "yes_no", f"Is {subject}{where} {relation}?", answer
    yield "yes_no", f"Is it true that {subject}{where} is {relation}?", answer
    yield "yes_no", f"Would you say that {subject}{where} is {relation} or not?", answer


def _meaning(statement: Statement, passage: Passage) -> Iterator[Question]:
    """What a term, option or command is or does, and the reverse question."""
    subject, where = _subject_and_context(statement.subject, passage)
    answer, option = statement.object, re.match(r"`(--?\w[\w-]*)", statement.subject)
    name = _without_backticks(statement.subject)
    first = words(answer)[0] if words(answer) else ""
    acts = bool(third_person(first)) or _is_instruction(answer) or first == "whether"
    if option:
        name = re.findall(r"--?\w[\w-]*", statement.subject)[-1] if "," in statement.subject else option[1]
        code = f"`{name}`"
        yield "definition", f"What does the {code} option do?", answer
        yield "definition", f"What is {code} for?", answer
        yield "definition", f"What does {name} mean?", answer
    elif statement.relation == "is" and "`" not in subject:
        be = "are" if _is_plural(statement.subject) else "is"
        yield "definition", f"What {be} {subject}{where}?", answer
        yield "definition", f"What {'do' if be == 'are' else 'does'} {subject}{where} mean?", answer
        yield "definition", f"Define {subject}{where}.", answer
    elif acts:
        yield "definition", f"What does {subject}{where} do?", answer
        yield "definition", f"What is {subject}{where} for?", answer
        yield "definition", f"Describe {subject}{where}.", answer
    elif first == "for":
        yield "definition", f"What is {subject}{where} for?", answer
        yield "definition", f"What is {subject}{where} used for?", answer
        yield "definition", f"When do I use {subject}{where}?", answer
    else:
        yield "definition", f"What is {subject}{where}?", answer
        yield "definition", f"What does {subject}{where} mean?", answer
        yield "definition", f"Describe {subject}{where}.", answer
    if question := _which_question(statement, first, bool(option)):
        yield "reverse", question, name


def _is_instruction(text: str) -> bool:
    """Whether the text begins with an instruction: `Set the level`, but not `Request failed`."""
    first, second = (*words(text)[:2], "", "")[:2]
    return first in VERBS and (first not in _NOUNS or second in _AFTER_VERB)


def _which_question(statement: Statement, first: str, option: bool) -> str:
    """`Which option prints the report?`, if the text begins with a verb and the subject is one code name."""
    text = statement.object
    short = 3 <= len(text.split()) <= 14 and not re.search(r"[.;:(] ?|\b(?:this|it|its|default)\b", text)
    if (
        not short
        or statement.subject.count("`") != 2
        or _without_backticks(statement.subject).lower() in text.lower()
    ):
        return ""
    begin, _, rest = text.partition(" ")
    kind = "option" if option else "setting" if re.fullmatch(r"`[\w.-]+`", statement.subject) else ""
    if not kind or first != begin.lower() or (not option and third_person(first) not in _SETS):
        return ""
    if third_person(first):
        return f"Which {kind} {first} {rest}?"
    return f"Which {kind} do I use to {first} {rest}?" if option and _is_instruction(text) else ""


def _procedure(statement: Statement, passage: Passage) -> Iterator[Question]:
    purpose, answer = statement.subject, statement.object
    if len(purpose.split()) < 3 and not _NAMED.search(purpose):
        purpose += _context(purpose, passage)
    if statement.relation == "steps":
        yield "procedure", f"How do I {purpose}?", answer
        yield "procedure", f"What are the steps to {purpose}?", answer
        yield "procedure", f"How can I {purpose}?", answer
        yield "procedure", f"What do I have to do to {purpose}?", answer
        if passive := _passive(purpose):
            yield "procedure", passive, answer
        return
    number = int(statement.relation.split()[1])
    ordinal = ORDINALS[number - 1]
    yield "procedure", f"What is the {ordinal} step to {purpose}?", answer
    yield "procedure", f"What is step {number} when I {_first_person(purpose)}?", answer
    if number == 1:
        yield "procedure", f"What do I do first to {purpose}?", answer
    else:
        yield "procedure", f"To {purpose}, what is the {ordinal} thing to do?", answer


def _first_person(purpose: str) -> str:
    return re.sub(r"\byour\b", "my", purpose)


_SAME = frozenset(words("set reset put cut shut split"))
_DOUBLED = frozenset(words("submit permit transfer control omit"))
_IRREGULAR = frozenset(
    words(
        "begin build choose find get give hide hold keep let make read send show take tell write understand"
        " run"
    )
)


def _passive(purpose: str) -> str:
    """`How can the device be reset?`, for a regular verb and one plain object; else ''."""
    match = re.fullmatch(r"([a-z]+) ((?:the|an?) [\w-]+(?: [\w-]+)?)", purpose)
    if not match or match[1] in _IRREGULAR or match[1] not in VERBS or _is_plural(match[2]):
        return ""
    verb = match[1]
    if verb in _SAME:
        done = verb
    elif verb.endswith("e"):
        done = verb + "d"
    elif re.search(r"[^aeiou]y$", verb):
        done = verb[:-1] + "ied"
    elif re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb) or verb in _DOUBLED:
        return ""  # doubles its last letter
    else:
        done = verb + "ed"
    return f"How can {match[2]} be {done}?"


def _subject_and_context(subject: str, passage: Passage) -> tuple[str, str]:
    """The subject with its article, and its context (" in Title") if the name alone is ambiguous."""
    name = subject
    if not _DETERMINED.match(subject):
        common = not _NAMED.search(subject) and not _is_plural(subject) and " " in subject
        if common or re.search(rf"\b[Tt]he {re.escape(subject)}(?!\w)", passage.text):
            name = f"the {subject}"
    generic = key(subject.replace("`", "").removeprefix("the ")) in _GENERIC
    return name, _context(subject, passage) if generic or not _NAMED.search(subject) else ""


def _context(subject: str, passage: Passage) -> str:
    """` in Title`, or "" if the title is generic or repeats the subject."""
    title = re.sub(r"\{[^{}]*\}", "", passage.title).strip().strip("`*#. ")
    own = set(key(title).split())
    if (
        not title
        or len(title.split()) > 8
        or own & _UNTITLED
        or own <= set(key(subject).split())
        or "?" in title
    ):
        return ""
    return f" in {lowered(title) if title.startswith(('The ', 'Your ')) else title}"


def _is_plural(name: str) -> bool:
    """Whether the head of a name (the last word before any `of`, `in` or `for`) is plural."""
    head = re.split(r"\s(?:of|in|for|to|that|with)\s", name)[0].split()[-1:]
    word = head[0] if head else ""
    return "`" not in word and word.isalpha() and word != singular(word) and not word.isupper()


def _without_backticks(name: str) -> str:
    return name.replace("`", "")


def _capitalised(question: str) -> str:
    return question[:1].upper() + question[1:] if question.startswith("the ") else question
