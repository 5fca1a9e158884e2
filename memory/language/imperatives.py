"""Verbs that instructions and descriptions of settings begin with, and their base forms."""

from memory.language.text import words

VERBS = frozenset(
    words(
        "accept access activate add adjust allow append apply ask assign attach authenticate avoid back"
        " begin bind block boot build bypass calculate call cancel capture change charge check choose"
        " clean clear click clone close collect combine compare compile compress compute configure confirm"
        " connect consider contain continue control convert copy count cover create customize cut debug"
        " decode decompose decrease define delete deploy describe detect determine disable disconnect"
        " display download drain drop dump edit emit empty enable encode encrypt end enforce ensure enter"
        " escape exclude execute exit expand export expose extend extract fetch fill filter find finish"
        " fix flush follow force format forward generate get give grant handle hide hold identify ignore"
        " import improve include increase indicate inform initialize insert inspect install introduce"
        " invoke issue join keep launch learn leave let limit link list listen load lock log look maintain"
        " make manage map mark match measure merge migrate modify monitor mount move navigate need"
        " normalize note notify obtain offer omit open optimize output override overwrite parse pass paste"
        " pause perform permit pick place plan plug populate power preload prepare prepend press prevent"
        " print process prompt protect provide publish pull push put query raise read rebuild receive"
        " reconnect record redirect reduce refresh register release reload rely remove rename render"
        " repair repeat replace report represent request require reset resize resolve restart restore"
        " restrict retrieve return revert review rotate round run sanitize save scan schedule search"
        " select send serve set show shut sign skip sort specify split start stop store submit supply"
        " support suppress swap switch sync take tell terminate test think toggle track transfer transform"
        " translate treat trigger trim truncate trust turn type uninstall unlock unplug unset update"
        " upgrade upload use validate verify view visit wait wash work wrap write"
    )
)


def third_person(word: str) -> str:
    """The base form of a known verb ending in -s (`enables` -> `enable`); '' for any other word."""
    ending = word.lower()
    if not ending.endswith("s") or ending in VERBS:
        return ""
    stems = (ending[:-1], ending.removesuffix("es"), ending.removesuffix("ies") + "y")
    return next((stem for stem in stems if stem in VERBS), "")


def base_form(gerund: str) -> str:
    """The base form of a known verb ending in -ing (`resetting` -> `reset`); '' for any other word."""
    stem = gerund.lower().removesuffix("ing")
    candidates = (stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem)
    return next((c for c in candidates if c in VERBS), "") if gerund.lower().endswith("ing") else ""
