"""`nightschool models`: adds, lists, shows, selects and removes base models; needs no running service."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, disk_trouble, print_json, say, settings, stop

if TYPE_CHECKING:
    from agent.models.store import ModelOrigin, ModelStore

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of an added model, as `models list` shows it.")]


@app.command()
def add(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FOLDER|HF-ID",
            help="A model of the catalogue, a folder or a Hugging Face id; default: the catalogue's default.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name for the added model.")] = None,
    chat_template: Annotated[
        Path | None, typer.Option(help="File with a chat template that replaces the model's own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a model; does nothing if it has been added already."""
    from agent.models.add_model import add_model
    from agent.models.catalogue import shipped_catalogue

    catalogue = shipped_catalogue()
    what = model or catalogue.default
    with _errors_as_messages():
        store = _store()
        folder = what not in catalogue.models and Path(what).exists()
        there = store.find_added(what) if folder else store.find(what)
        if there is not None and name in (None, there) and chat_template is None:
            if folder:
                store.verify(there)
            store.refresh_card(there)
            result = store.origin(there).model_dump(mode="json") | {"added": False}
            say(f"{there} has already been added", result, as_json=as_json)
            return
        with _progress(quiet=as_json) as progress:
            origin = add_model(what, store, catalogue, progress, name=name, template=chat_template)
        if as_json:
            print_json([origin.model_dump(mode="json") | {"added": True}])
        else:
            _print_added(store, origin)


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """List the added models and those in the catalogue."""
    from agent.errors import BadModelCard, NoModelCard
    from agent.models.catalogue import shipped_catalogue
    from api.cli.screen import table

    catalogue = shipped_catalogue()
    rows = []
    with _errors_as_messages():
        store = _store()
        in_use = _in_use(store)
        for name in store.names():
            origin = store.origin(name)
            try:
                verdict: str = store.card(name).verdict
            except NoModelCard:
                verdict = f"not studied: run models study {name}"
            except BadModelCard:
                verdict = f"card unusable: run models study {name}"
            rows.append(("*" if name == in_use else "", name, verdict, origin.licence, origin.title))
        for name, entry in catalogue.models.items():
            if name not in store.names():
                mark = "*" if name == in_use else ""
                rows.append((mark, name, f"not added: run models add {name}", entry.licence, entry.title))
    if as_json:
        fields = ("in_use", "name", "verdict", "licence", "title")
        print_json(dict(zip(fields, (row[0] == "*", *row[1:]), strict=True)) for row in rows)
        return
    columns = ("in use", "model", "verdict", "licence", "title")
    console().print(table(columns, rows, prose=columns[2:]))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the origin of a model and a summary of its card; with --json, the whole card."""
    from agent.errors import NoModelCard

    with _errors_as_messages():
        store = _store()
        origin = store.origin(name)
        if as_json:
            print_json([origin.model_dump(mode="json") | {"card": _card(store, name)}])
            return
        lines = {
            "model": origin.title,
            "from": origin.source,
            "licence": origin.licence,
            "folder": str(store.path(name)),
            "digest": origin.digest,
        }
        try:
            card = store.card(name)
        except NoModelCard as error:
            lines["card"] = str(error)
        else:
            lines |= {
                "size": f"{card.parameters / 1e6:.0f} M parameters, {card.vocabulary} tokens, {card.dtype}",
                "context": f"{card.context} tokens",
                "speed": f"{card.speed.tokens_per_second:.0f} tokens/s with one request,"
                f" {card.speed.tokens_per_second_batched:.0f} with 32 requests ({card.speed.machine})",
                "card": f"{card.known} known questions, {card.unknown} unknown, {card.replay} replayed"
                " answers",
                "verdict": f"{card.verdict}: {'; '.join(card.reasons)}",
                "explores": "if a learn run asks for it" if card.may_explore else "not: rules do",
            }
    for label, text in lines.items():
        console().print(f"{label:<8} {text}", markup=False, soft_wrap=True)
    if origin.terms:
        console().print(f"\n{origin.terms}", markup=False, soft_wrap=True)


@app.command()
def deepen(
    name: Name,
    layers: Annotated[int, typer.Option(min=1, help="How many layers to add.")],
    as_name: Annotated[str | None, typer.Option("--name", help="Default: NAME-deep.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a model that answers as this one does, with more layers to teach; study it, then grow onto it."""
    from agent.models.deepening import deepen as deepened

    with _errors_as_messages(), _progress(quiet=as_json) as progress:
        progress.say("adding layers, and comparing log-probabilities")
        store = _store()
        origin = deepened(store, name, layers, as_name or f"{name}-deep")
    if as_json:
        print_json([origin.model_dump(mode="json")])
    else:
        _print_added(store, origin)


@app.command()
def use(name: Name, as_json: AsJson = False) -> None:
    """Select the model to serve and train; takes effect at the next start."""
    with _errors_as_messages():
        store = _store()
        store.use(name)
    chosen = settings().model
    lines = [f"{name} will be used from the next start on"]
    overridden = chosen is not None and store.find(chosen) != name
    if overridden:
        lines.append(f"but not in this shell, where NIGHTSCHOOL_MODEL is {chosen}")
    say("\n".join(lines), {"name": name, "overridden_by": chosen if overridden else None}, as_json=as_json)


@app.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a model and its card; an added folder keeps its files."""
    with _errors_as_messages():
        store = _store()
        store.origin(name)
        if name == _in_use(store):
            stop(
                f"{name} is in use: select another one first with `nightschool models use`"
                " (or unset NIGHTSCHOOL_MODEL)",
                BAD_INPUT,
            )
        store.remove(name)
    say(f"{name} was removed", {"name": name, "removed": True}, as_json=as_json)


class _Bar:
    """Progress bar for adding a model; prints plain lines if the output is not a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

        self._console, self._quiet = console(), quiet
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self.bar.add_task("", total=None)

    def say(self, what: str) -> None:
        self.bar.update(self._task, description=what, total=None, completed=0)
        if not (self._console.is_terminal or self._quiet):
            self._console.print(what, markup=False, soft_wrap=True)

    def read(self, done: int, of: int) -> None:
        self.bar.update(self._task, total=of, advance=done)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[_Bar]:
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    shown = _Bar(quiet=quiet)
    with shown.bar if console().is_terminal and not quiet else nullcontext():
        yield shown


@contextmanager
def _errors_as_messages() -> Iterator[None]:
    """Exits with code 2 and a one-line message on a model error or disk error."""
    from agent.errors import ModelError

    try:
        yield
    except ModelError as error:
        stop(str(error), BAD_INPUT)
    except OSError as error:
        stop(disk_trouble(error), BAD_INPUT)


def _card(store: "ModelStore", name: str) -> dict[str, Any] | None:
    """The model's card; None if it was not studied."""
    from agent.errors import NoModelCard

    try:
        return store.card(name).model_dump(mode="json")
    except NoModelCard:
        return None


def _store() -> "ModelStore":
    from agent.models.store import ModelStore

    return ModelStore(settings().models)


def _in_use(store: "ModelStore") -> str:
    """The name of the added model in use; if it is not added, the name in the setting or the catalogue."""
    from agent.models.store import name_in_use

    setting = name_in_use(settings())
    return store.find(setting) or setting


def _print_added(store: "ModelStore", origin: "ModelOrigin") -> None:
    from agent.models.card import CARD

    console().print(
        f"{origin.name} was added: {store.path(origin.name)} ({origin.licence})", markup=False, soft_wrap=True
    )
    if origin.terms:
        console().print(origin.terms, markup=False, soft_wrap=True)
    if not (store.path(origin.name) / CARD).is_file():
        console().print(f"Next: nightschool models study {origin.name}", markup=False)
