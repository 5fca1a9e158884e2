"""The page of access, for admins: the keys that there are, and which owners may use closed domains."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.console.markup import block, heading, moment, paragraph, status, table
from api.console.service import PRIVATE, Json, Service, failure, segment

MADE_BY_COMMAND = (
    "Keys are made and revoked on the service's machine alone, so that no key can make others:"
    " `nightschool keys create --scope learn --owner ada`, and `nightschool keys revoke KEY`."
)
ABOUT_GRANTS = (
    "A domain is open to every key until it is granted to somebody; the first grant closes it to all others"
    " but admins. Changes take effect within 5 seconds, and are in the audit log under Health."
)


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Access", id="access", visible=False) as tab:
        refresh = gr.Button("Refresh")
        keys = gr.HTML(elem_id="keys")
        listed = gr.HTML(elem_id="grants")
        with gr.Row():
            owner = gr.Dropdown(
                label="Owner",
                choices=[],
                value=None,
                allow_custom_value=True,
                info="the owner of a key, also of one that is made later",
            )
            domain = gr.Textbox(label="Domain to grant", value="", max_lines=1)
        write = gr.Checkbox(label="May also add documents, teach and run nights", value=False)
        grant = gr.Button("Grant the domain", variant="primary")
        chosen = gr.Dropdown(label="Grant", choices=[], value=None)
        remove = gr.Button("Remove the grant")
        with gr.Column(visible=False) as confirmation:
            asked = gr.HTML(elem_id="asked-reopening")
            with gr.Row():
                confirm = gr.Button("Yes, remove it", variant="stop")
                keep = gr.Button("No, it stays")
        said, reopens = gr.HTML(elem_id="access-said"), gr.State(False)
    service.require("admin", tab)

    def show(secret: str) -> tuple[Any, ...]:
        with service.client(secret) as client:
            known, grants = client.get("/v1/keys"), client.get("/v1/grants")
        owners = sorted({each["owner"] for each in known if each["revoked_at"] is None})
        choices = [(f"{each['owner']} on {each['domain']}", name_of(each)) for each in grants]
        hidden = gr.update(visible=False)
        return (
            all_keys(known),
            all_grants(grants),
            gr.update(choices=owners),
            gr.update(choices=choices, value=None),
            hidden,
        )

    def add(secret: str, who: str | None, where: str, writes: bool) -> tuple[Any, ...]:
        if not (who or "").strip() or not (where or "").strip():
            raise failure("name an owner and a domain first")
        body = {"owner": str(who).strip(), "domain": where.strip(), "write": writes}
        with service.client(secret) as client:
            added = client.post("/v1/grants", body)
        return block(status(added["message"])), *show(secret)

    def ask(secret: str, which: str | None) -> tuple[str, Any, bool, str]:
        """Says what the removal of the grant would do, which its confirmation then allows and no more."""
        if which is None:
            raise failure("choose a grant first")
        with service.client(secret) as client:
            reopens = is_last(client.get("/v1/grants"), which)
        asks = block(status(question(which, reopens=reopens), "doubt"))
        return asks, gr.update(visible=True), reopens, ""

    def take_away(secret: str, which: str | None, reopen: bool) -> tuple[Any, ...]:
        where, _, who = (which or "").partition("/")
        path = f"/v1/grants/{segment(where)}/{segment(who)}"
        with service.client(secret) as client:
            removed = client.delete(path, reopen="true" if reopen else None)
        return block(status(removed["message"])), *show(secret)

    shown = [keys, listed, owner, chosen, confirmation]
    gr.on([tab.select, refresh.click], show, [key], shown, **PRIVATE)
    grant.click(add, [key, owner, domain, write], [said, *shown], **PRIVATE)
    remove.click(ask, [key, chosen], [asked, confirmation, reopens, said], **PRIVATE)
    gr.on([keep.click, chosen.input], lambda: gr.update(visible=False), None, confirmation, **PRIVATE)
    confirm.click(take_away, [key, chosen, reopens], [said, *shown], **PRIVATE)


def all_keys(known: Sequence[Json]) -> str:
    """The keys, those that work first, and how to make more."""
    rows = [
        (each["id"], each["owner"], each["scope"], moment(each["created_at"]), moment(each["revoked_at"]))
        for each in sorted(known, key=lambda each: each["revoked_at"] is not None)
    ]
    columns = ("key", "owner", "scope", "created", "revoked")
    return block(table("Keys", columns, rows), paragraph(MADE_BY_COMMAND, "quiet"))


def all_grants(grants: Sequence[Json]) -> str:
    """The grants by domain."""
    rows = [
        (
            each["domain"],
            each["owner"],
            "reads and writes" if each["write"] else "reads",
            moment(each["created_at"]),
        )
        for each in grants
    ]
    return block(
        heading("Closed domains"),
        table("Grants", ("domain", "owner", "", "since"), rows),
        paragraph(ABOUT_GRANTS, "quiet"),
    )


def name_of(grant: Json) -> str:
    """The value of a grant in the list; no domain has a slash in its name."""
    return f"{grant['domain']}/{grant['owner']}"


def is_last(grants: Sequence[Json], which: str) -> bool:
    """Whether the grant is the only one of its domain."""
    domain = which.partition("/")[0]
    return [name_of(each) for each in grants if each["domain"] == domain] == [which]


def question(which: str, *, reopens: bool) -> str:
    """What is asked before the grant is removed."""
    domain, _, owner = which.partition("/")
    if reopens:
        return (
            f"Remove the grant of {owner} on {domain}? It is the last one: {domain} would be open to every"
            " key, and everybody would see what is shared in it."
        )
    return f"Remove the grant of {owner} on {domain}? {domain} stays closed, and {owner} no longer sees it."
