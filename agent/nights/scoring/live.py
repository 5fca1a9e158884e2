"""Live scoring: whether an answer is bad enough for a second attempt before the user sees it.

Looks nothing up, embeds nothing and runs no code, so that it costs a chat turn less than a millisecond.
"""

from agent.chat.sentence_candidates import form_match
from agent.grading import admits_ignorance, repeats_itself
from agent.nights.scoring.arithmetic import equations
from agent.nights.scoring.plain_text import LONGEST_ANSWER, statements, without_code
from memory.language.content_words import content_words, coverage
from memory.language.text import words

SHORT_ANSWER = 12
"""Words of an answer that need not repeat anything of the question."""


def worth_a_second_attempt(question: str, answer: str, *, declines: tuple[str, ...] = ()) -> bool:
    """Whether the answer is empty, repeats itself, computes wrongly, or has nothing of the question.

    An answer that declines is not: the gate and the sources have decided on it already.
    """
    text = answer[:LONGEST_ANSWER]
    if not text.strip():
        return True
    if admits_ignorance(text, declines):
        return False
    plain = " ".join(statements(text))
    if repeats_itself(plain) or not all(equation.right for equation in equations(without_code(text))):
        return True
    wanted = content_words(question)
    if not wanted or len(words(plain)) <= SHORT_ANSWER or "```" in text:
        return False
    return coverage(wanted, plain) == 0 and form_match(question, plain) == 0
