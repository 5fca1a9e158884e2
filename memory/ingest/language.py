"""Tells the language of a document."""

from functools import cache

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from memory.language.lexicon import language_by_words

LONGEST_SAMPLE = 3000
"""Characters; taken from the middle, after titles, imprints and menus."""
SHORTEST_SAMPLE = 40
"""Letters of Latin script; shorter texts are mostly names, which look like any language."""
FIRST_OTHER_SCRIPT = "\u0370"
"""First letter after the Latin ones: Greek, Cyrillic, Arabic, Chinese and so on."""
LEAST_FOREIGN = 0.9
"""Confidence in another language. A library of technical terms and new names is else English."""
MOST_ENGLISH = 0.03
"""Confidence in English that another language leaves."""


def language_of(text: str, declared: str = "") -> str:
    """The ISO 639-1 code of the text's language.

    In doubt it is the declared one, and English without any: what is learned is checked sentence by sentence
    anyway, and a document that is taken for English is at worst read in vain.
    """
    prose = " ".join(line for line in text.splitlines() if not line.lstrip().startswith(("|", "`", "#")))
    prose = prose if any(map(str.isalpha, prose)) else text
    middle = max(0, (len(prose) - LONGEST_SAMPLE) // 2)
    sample = " ".join(prose[middle : middle + LONGEST_SAMPLE].split())
    letters = [character for character in sample if character.isalpha()]
    is_latin = 2 * sum(character >= FIRST_OTHER_SCRIPT for character in letters) < len(letters)
    if is_latin and language_by_words(sample) == "en":
        return "en"
    if is_latin and len(letters) < SHORTEST_SAMPLE:
        return declared or "en"
    values = _detector().compute_language_confidence_values(sample)
    best = values[0]
    english = next((each.value for each in values if each.language == Language.ENGLISH), 0.0)
    code = best.language.iso_code_639_1.name.lower()
    if code == "en" or not is_latin or (best.value >= LEAST_FOREIGN and english <= MOST_ENGLISH):
        return code
    return declared or "en"


@cache
def _detector() -> LanguageDetector:
    return LanguageDetectorBuilder.from_all_languages_without(*_LOOK_ALIKES).with_low_accuracy_mode().build()


_LOOK_ALIKES = (
    Language.LATIN, Language.ESPERANTO, Language.SHONA, Language.SOTHO, Language.TSWANA, Language.TSONGA,
    Language.XHOSA, Language.YORUBA, Language.ZULU, Language.GANDA, Language.MAORI,
)  # fmt: skip
"""Languages that lists of English terms and names are mistaken for."""
