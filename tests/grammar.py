"""What tests ask of the grammar of questions: all held-out wordings, and whether one could be taught."""

from collections.abc import Callable
from functools import cache
from itertools import product

from agent.cores import CLOSINGS, CORES, OPENINGS, Split
from memory.records import Form


@cache
def held_out(form: Form) -> tuple[str, ...]:
    """Every held-out wording of `form`, with its placeholders."""
    parts = product(OPENINGS["held_out"], CORES[form]["held_out"], CLOSINGS["held_out"])
    return tuple(f"{opening}{core[:-1]}{closing}{core[-1]}" for opening, core, closing in parts)


def is_wording(text: str, split: Split, plain: Callable[[str], str]) -> bool:
    """Whether an opening, a core and a closing of `split` make up `text`, of which `plain` was taken too.

    There are millions of taught wordings: taking one apart is faster than looking it up among all.
    """
    openings, closings, cores = _parts(split, plain)
    for opening in openings:
        if not f"{text} ".startswith(f"{opening} " if opening else ""):
            continue
        rest = text[len(opening) :].strip()
        for closing in closings:
            ends = f" {rest}".endswith(f" {closing}" if closing else "")
            if ends and rest[: len(rest) - len(closing)].strip() in cores:
                return True
    return False


@cache
def _parts(
    split: Split, plain: Callable[[str], str]
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return (
        frozenset(map(plain, OPENINGS[split])),
        frozenset(map(plain, CLOSINGS[split])),
        frozenset(plain(core) for splits in CORES.values() for core in splits[split]),
    )
