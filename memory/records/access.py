"""Access: whose documents, facts and gaps a caller may read, and in which domains it may write.

A document, fact or gap has an owner (None: shared) and a domain. A domain that nobody was granted is open:
everybody reads what is shared in it, and owners also what is their own. A domain with a grant is closed: it
does not exist for those without one.
"""

from collections.abc import Iterable

from memory.errors import DomainClosed
from memory.records.base import Domain, Record
from memory.records.knowledge import Citation

WEB_OWNER = "web"
"""Owner of the pages that exploration stores for callers without documents of their own, such as admins; what
is shared would be taught by nights. No key may have this owner."""


class Access(Record):
    """What one caller may read and write. The default reads what is shared, where no domain is closed."""

    owner: str | None = None
    """Whose private documents it reads beside the shared ones; None for nobody's."""
    everything: bool = False
    """Reads and writes all: an admin, or a service without keys."""
    closed: frozenset[Domain] = frozenset()
    """All closed domains."""
    readable: frozenset[Domain] = frozenset()
    """The closed domains that it may read."""
    writable: frozenset[Domain] = frozenset()
    """The closed domains that it may write, which includes reading."""

    @property
    def hidden(self) -> frozenset[Domain]:
        """The closed domains of which it sees nothing."""
        return frozenset() if self.everything else self.closed - self.readable - self.writable

    def may_read(self, owner: str | None, domain: str) -> bool:
        """Whether it sees what belongs to `owner` (None: shared) in a domain."""
        return self.everything or (domain not in self.hidden and owner in (None, self.owner))

    def may_use(self, domain: str) -> bool:
        """Whether it sees the domain at all, and thus its adapter."""
        return domain not in self.hidden

    def may_write(self, domain: str) -> bool:
        """Whether it may add to a domain, teach it, and change its gaps."""
        return self.everything or domain not in self.closed or domain in self.writable

    def require_write(self, domain: str) -> None:
        """Raises DomainClosed unless it may write the domain."""
        if not self.may_write(domain):
            raise DomainClosed(
                f"the domain {domain} is closed: an admin can open it to you with"
                f" `nightschool grants add {self.owner} {domain} --write`"
            )

    def may_quote(self, citations: Iterable[Citation]) -> bool:
        """Whether it may read all documents that these sentences are from."""
        return all(self.may_read(each.owner, each.domain or "") for each in citations)

    def owner_of_new(self, domain: str) -> str | None:
        """Owner of a document that it adds: in a closed domain it belongs to all who may read the domain."""
        return None if self.everything or domain in self.closed else self.owner

    @property
    def explorer(self) -> str:
        """Owner of the pages that exploration stores for this caller."""
        return self.owner or WEB_OWNER

    def exploring(self) -> "Access":
        """The same, which also reads the pages that exploration stored for this caller."""
        return self.model_copy(update={"owner": self.explorer})

    def to_teach(self, domain: str | None) -> "Access":
        """What this caller may teach the adapter of a domain, which answers all who may use the domain.

        Other closed domains are left out, unless the domain is not known yet (None). So are private
        documents, except its own.
        """
        usable = self.closed - self.hidden
        readable = usable if domain is None else usable & {domain}
        return Access(owner=self.owner, closed=self.closed, readable=readable)

    def shared(self, domain: str) -> "Access":
        """What the domain's nights may use: like `to_teach`, but nobody's private documents."""
        return self.to_teach(domain).model_copy(update={"owner": None})


EVERYTHING = Access(everything=True)
"""Access without limits, for maintenance and for services without keys."""
SHARED = Access()
"""What is shared, in a service without closed domains."""
