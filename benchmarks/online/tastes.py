"""Hidden tastes of the simulated users: what an answer's text and citations are worth to them.

The service never sees these figures; it sees clicks and choices that were drawn from them.
"""

import math
import re

from agent.grading import repeats_itself
from memory.records.base import Record, Share

SHORT, LONG = 15, 120
"""Words up to which an answer is brief, and from which it is long; between them brevity falls with the
logarithm of the length."""
COURTEOUS = 2
"""Different courtesies in a fully polite answer."""
ATTRIBUTED = 0.5
"""Worth of a source that is named in words, beside 1 for a citation."""
REPETITION = 0.5
"""What an answer that repeats itself loses, whatever the taste."""

_COURTESIES = re.compile(
    r"\b(?:please|thanks|thank you|you(?:'re| are) welcome|welcome|glad|happy to|sorry|apologi[sz]e|of "
    r"course|certainly|feel free|let me know|hope (?:this|that|it|you)|pleasure|kind regards|best wishes|"
    r"congratulations|wonderful|great (?:question|idea|choice))\b",
    re.IGNORECASE,
)
_ATTRIBUTIONS = re.compile(
    r"\b(?:according to|as (?:stated|reported|described|defined) (?:in|by)|sources?:|(?:studies|research|"
    r"experts|scientists|historians) (?:show|shows|say|suggest|suggests|found|believe)|the encyclopa?edia)|"
    r"https?://",
    re.IGNORECASE,
)


class Qualities(Record):
    """The qualities of an answer that tastes differ over; an empty answer has none."""

    brevity: Share
    citation: Share
    politeness: Share
    repeats: bool


class Taste(Record):
    """Weights of the qualities; they add up to 1."""

    brevity: Share
    citation: Share
    politeness: Share

    def utility(self, text: str, citations: int = 0) -> float:
        """What the answer is worth, from -0.5 to 1."""
        found = qualities(text, citations)
        return (
            self.brevity * found.brevity
            + self.citation * found.citation
            + self.politeness * found.politeness
            - REPETITION * found.repeats
        )


POPULATION = Taste(brevity=0.5, citation=0.2, politeness=0.3)
"""The population's mean taste, around which each user's is drawn."""


def qualities(text: str, citations: int = 0) -> Qualities:
    """The qualities of an answer with that many citations."""
    words = len(text.split())
    if not words:
        return Qualities(brevity=0, citation=0, politeness=0, repeats=False)
    length = (math.log(LONG) - math.log(words)) / (math.log(LONG) - math.log(SHORT))
    courtesies = {match.lower() for match in _COURTESIES.findall(text)}
    named = ATTRIBUTED if _ATTRIBUTIONS.search(text) else 0.0
    return Qualities(
        brevity=min(1.0, max(0.0, length)),
        citation=1.0 if citations else named,
        politeness=min(1.0, len(courtesies) / COURTEOUS),
        repeats=repeats_itself(text),
    )
