"""Random accesses over a few owners and domains, for tests of every filter made from them."""

from hypothesis import strategies as st

from memory.records.access import Access

OWNERS: tuple[str | None, ...] = (None, "ann", "ben's", 'cem" OR 1=1 --', "d\u00e9d\u00e9")
DOMAINS = ("bread", "general", "rust", "law-2")


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    """The access of an admin, of an owner with random grants, or of nobody."""
    domains = st.frozensets(st.sampled_from(DOMAINS))
    closed = draw(domains)
    return Access(
        owner=draw(st.sampled_from(OWNERS)),
        everything=draw(st.integers(0, 9)) == 0,
        closed=closed,
        readable=draw(domains) & closed,
        writable=draw(domains) & closed,
    )
