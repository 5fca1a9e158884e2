"""What an access lets read and write follows from owner, grants and the domain alone."""

from hypothesis import given
from hypothesis import strategies as st

from memory.records.access import EVERYTHING, SHARED, Access
from memory.records.knowledge import Citation
from tests.support.access import DOMAINS, OWNERS, accesses

ANN = Access(
    owner="ann",
    closed=frozenset({"law", "medical", "secret"}),
    readable=frozenset({"medical"}),
    writable=frozenset({"law"}),
)
EVERY = [(owner, domain) for owner in OWNERS for domain in DOMAINS]


def test_owners_read_what_is_shared_and_their_own_where_they_may_read_at_all() -> None:
    assert ANN.may_read(None, "general")
    assert ANN.may_read("ann", "general")
    assert not ANN.may_read("ben", "general")
    assert ANN.may_read(None, "medical")
    assert not ANN.may_read("ben", "medical")
    assert not ANN.may_read(None, "secret")
    assert not ANN.may_read("ann", "secret")


def test_reading_is_not_writing_but_writing_is_reading() -> None:
    assert [ANN.may_write(d) for d in ("general", "law", "medical", "secret")] == [True, True, False, False]
    assert [ANN.may_use(d) for d in ("general", "law", "medical", "secret")] == [True, True, True, False]


def test_what_is_added_to_a_closed_domain_belongs_to_all_who_may_read_it() -> None:
    assert ANN.owner_of_new("general") == "ann"
    assert ANN.owner_of_new("law") is None
    assert EVERYTHING.owner_of_new("general") is None


@given(accesses())
def test_who_sees_everything_reads_and_writes_all(access: Access) -> None:
    everything = access.model_copy(update={"everything": True})
    assert all(everything.may_read(*each) and everything.may_write(each[1]) for each in EVERY)


@given(accesses(), st.sampled_from(DOMAINS))
def test_a_domain_is_taught_neither_others_private_documents_nor_those_of_another_closed_domain(
    access: Access, domain: str
) -> None:
    teachable = access.to_teach(domain)
    for owner, source in EVERY:
        if teachable.may_read(owner, source):
            assert access.may_read(owner, source)
            assert owner in (None, access.owner)
            assert source == domain or source not in access.closed
    shared = access.shared(domain)
    assert not any(shared.may_read(owner, source) for owner, source in EVERY if owner is not None)
    assert all(shared.may_read(None, d) == teachable.may_read(None, d) for d in DOMAINS)


@given(accesses())
def test_before_the_domain_is_known_only_others_private_documents_are_left_out(access: Access) -> None:
    teachable = access.to_teach(None)
    for owner, domain in EVERY:
        own = owner in (None, access.owner)
        assert teachable.may_read(owner, domain) == (own and access.may_read(owner, domain))


def test_only_documents_that_may_be_read_are_quoted() -> None:
    def quote(domain: str | None, owner: str | None = None) -> Citation:
        return Citation(source="a.md", title="A", start=0, end=1, quote="a", domain=domain, owner=owner)

    assert ANN.may_quote([quote("general"), quote("general", "ann"), quote("law"), quote(None)])
    assert not ANN.may_quote([quote("general"), quote("secret")])
    assert not SHARED.may_quote([quote("general", "ann")])
