"""Documents on the page of memory: add files, see what is stored of a document, remove it, save them all."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.console.markup import Tone, block, fields, heading, paragraph, prose, status, table
from api.console.service import PRIVATE, Json, Service, failure
from api.console.transfer import MOST_FILES, file_form, saved_as
from memory.language.counting import counted

PATH = "/v1/documents"
FORM = "document-files"
NOT_READ = "not read"
Places = tuple[str, Sequence[str]]
"""A document, and domains that it is in."""
KINDS = ("new", "changed", "unchanged", NOT_READ)
TRIPLES = {"csv": "text/x-triples", "tsv": "text/x-triples", "tab": "text/x-triples"}
SEND = f"""async (domain, dryRun, triples) => {{
    const query = {{domain: domain.trim(), dry_run: dryRun ? "true" : ""}};
    const types = triples ? {json.dumps(TRIPLES)} : {{}};
    return [domain, dryRun, triples, await nightschool.send("{FORM}", "{PATH}", query, types)];
}}"""
SAVE = """async (problem, domain) => [
    await nightschool.save("/v1/memory/export", {domain: domain.trim()}, "documents.jsonl"), domain
]"""


def build(service: Service, key: gr.State, domain: gr.Textbox) -> None:
    """Adds the part to the page; the domain is the page's own, and limits what is listed."""
    with gr.Column(visible=False) as part:
        gr.HTML(block(heading("Documents")))
        chosen = gr.Dropdown(label="Document", choices=[], value=None)
        with gr.Row():
            refresh = gr.Button("Refresh the documents")
            remove = gr.Button("Remove the document")
            save = gr.Button("Save all documents as a file", visible=False)
        with gr.Column(visible=False) as confirmation:
            asked = gr.HTML(elem_id="asked-removal")
            with gr.Row():
                confirm = gr.Button("Yes, remove it", variant="stop")
                keep = gr.Button("No, it stays")
        said, contents = gr.HTML(elem_id="documents-said"), gr.HTML(elem_id="contents")
        target = gr.State(None)
        problem = gr.Textbox(visible="hidden", label="What went wrong")
        gr.HTML(block(heading("Add documents")))
        gr.HTML(file_form(FORM, {"Files": "multiple", "A folder, with all below it": "webkitdirectory"}))
        into = gr.Textbox(label="Add to the domain", value="general", max_lines=1)
        with gr.Row():
            dry_run = gr.Checkbox(label="Only read and compare, store nothing", value=False)
            triples = gr.Checkbox(label="Tables are triples: subject, relation, object", value=False)
        add = gr.Button("Add the documents", variant="primary")
        sent = gr.Textbox(visible="hidden", label="What was sent")
        added = gr.HTML(elem_id="added")
    service.require("learn", part)
    service.require("admin", save)

    def list_documents(secret: str, where: str, current: str | None = None) -> Any:
        with service.client(secret) as client:
            sources = client.get(PATH, domain=(where or "").strip() or None)["sources"]
        label = f"Document ({len(sources)})" if len(sources) < 1000 else "Document (the first 1000)"
        return gr.update(choices=sources, value=current if current in sources else None, label=label)

    def show(secret: str, source: str | None) -> tuple[str, Any]:
        hidden = gr.update(visible=False)
        if source is None:
            return "", hidden
        with service.client(secret) as client:
            return stored(client.get(f"{PATH}/contents", source=source)), hidden

    def find_places(secret: str, source: str | None, where: str) -> Sequence[str]:
        if source is None:
            raise failure("choose a document first")
        with service.client(secret) as client:
            query = {"source": source, "domain": (where or "").strip() or None}
            return sorted({each["domain"] for each in client.get(f"{PATH}/contents", **query)})

    def ask(secret: str, source: str | None, where: str) -> tuple[Places, str, Any, str]:
        domains = find_places(secret, source, where)
        words = (
            f"Remove {source} from {' and '.join(domains)}? Its passages and facts go; chats and lessons"
            " that used it stay."
        )
        return (str(source), domains), block(status(words, "doubt")), gr.update(visible=True), ""

    def take_out(secret: str, target: Places, where: str) -> tuple[str, Any, str, Any]:
        """Removes what the question named, whatever was chosen since."""
        source, domains = target
        with service.client(secret) as client:
            gone = [client.delete(PATH, source=source, domain=each) for each in domains]
        words = removal(source, gone)
        return block(words), gr.update(visible=False), "", list_documents(secret, where)

    def report(where: str, dry: bool, as_triples: bool, results: str) -> str:
        return ingested(json.loads(results), dry=dry)

    def after_saving(went_wrong: str, where: str) -> str:
        return saved_as("documents.jsonl", went_wrong)

    refresh.click(list_documents, [key, domain, chosen], chosen, **PRIVATE)
    chosen.input(show, [key, chosen], [contents, confirmation], **PRIVATE)
    remove.click(ask, [key, chosen, domain], [target, asked, confirmation, said], **PRIVATE)
    hiding = [keep.click, domain.change]
    gr.on(hiding, lambda: gr.update(visible=False), None, confirmation, **PRIVATE)
    removing = [said, confirmation, contents, chosen]
    confirm.click(take_out, [key, target, domain], removing, **PRIVATE)
    add.click(report, [into, dry_run, triples, sent], added, js=SEND, **PRIVATE).success(
        list_documents, [key, domain, chosen], chosen, **PRIVATE
    )
    save.click(after_saving, [problem, domain], said, js=SAVE, **PRIVATE)


def ingested(sent: Json, *, dry: bool) -> str:
    """What became of each file that was sent. Raises gr.Error if none was."""
    if not sent["chosen"]:
        raise failure("choose files first")
    if sent["chosen"] > MOST_FILES:
        raise failure(f"choose at most {MOST_FILES} files; `nightschool ingest` reads larger folders")
    if "results" not in sent:
        raise failure("files are being sent already: wait for their report")
    results = sent["results"]
    rows = [(each["source"], *outcome(each)) for each in results]
    kinds = Counter(result.partition(":")[0] for _, result, *_ in rows)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
    begins = "Nothing was stored. It would be" if dry else "Documents"
    columns = ("document", "result", "passages", "facts", "notes")
    tone: Tone = "doubt" if kinds[NOT_READ] else "good"
    return block(status(f"{begins}: {counts}.", tone), table("Files that were sent", columns, rows))


def outcome(result: Json) -> tuple[str, object, object, str]:
    """What became of one file: in a word or with the reason, its passages and facts, and notes on it."""
    if "problem" in result:
        return f"{NOT_READ}: {result['problem']}", None, None, ""
    report = result["report"]
    kind = "unchanged" if report["unchanged"] else "changed" if report["changed"] else "new"
    return kind, report["passages"], report["facts"], " ".join(text for _, text in report["notes"])


def removal(source: str, gone: Sequence[Json]) -> str:
    """What was removed of a document, in all its domains."""
    passages, facts = (sum(each[name] for each in gone) for name in ("passages", "facts"))
    if passages or facts:
        return status(f"{source} is removed: {counted(passages, 'passage')} and {counted(facts, 'fact')}.")
    return status(f"Nothing was removed: {source} is shared, or another owner's.", "doubt")


def stored(documents: Sequence[Json]) -> str:
    """What is stored of a document: its passages and facts."""
    parts: list[str] = []
    for document in documents:
        passages, facts = document["passages"], document["facts"]
        title = passages[0]["title"] if passages else document["source"]
        about = {"source": document["source"], "domain": document["domain"], "owner": document["owner"]}
        rows = [(fact["subject"], fact["relation"], fact["object"], fact["sentence"]) for fact in facts]
        parts += [heading(title or document["source"]), fields(about)]
        parts += [prose(passage["text"]) for passage in passages]
        parts.append(table("Facts", ("subject", "relation", "object", "sentence"), rows))
    return block(*parts) if parts else block(paragraph("Nothing is stored of it any more.", "quiet"))
