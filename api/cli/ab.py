"""`nightschool ab`: start, watch, check and stop experiments (A/B tests)."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, print_json, say, segment, service
from api.cli.shell import stop as fail

if TYPE_CHECKING:
    from api.cli.screen import Screen

app = typer.Typer(no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Id of an experiment.")]
Json = Mapping[str, Any]
SHARES = ("regeneration", "reports", "abstention", "gaps", "slow")
SHOWN = ("engagement", "rating", "session_minutes", *SHARES)


@app.command()
def start(
    domain: Annotated[str, typer.Argument(help="Domain whose live adapter, or base model, is the control.")],
    variant: Annotated[
        list[str] | None,
        typer.Option(help="NAME=ADAPTER[:SHARE]; several are allowed. The control gets what is left."),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="NAME=TEXT: a system prompt for a variant, or a variant of its own."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the experiment.")] = "",
    goal: Annotated[str, typer.Option(help="engagement, rating or session_minutes.")] = "engagement",
    coverage: Annotated[float, typer.Option(help="Share of the users that take part.")] = 1.0,
    holdout: Annotated[float, typer.Option(help="Share of the users that never see a variant.")] = 0.05,
    minimum: Annotated[int, typer.Option(help="Users per variant before any decision.")] = 200,
    planned: Annotated[int, typer.Option(help="Users in all before it stops without a winner.")] = 2000,
    alpha: Annotated[float, typer.Option(help="Probability of promoting by chance.")] = 0.05,
    prove_guardrails: Annotated[
        bool,
        typer.Option(help="Promote only once each guardrail is shown to hold; else none may look violated."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Start an experiment: users are divided over a domain's control and variants."""
    body = {
        "domain": domain,
        "name": name,
        "variants": variants(variant or (), prompt or ()),
        "goal": goal,
        "coverage": coverage,
        "holdout": holdout,
        "minimum": minimum,
        "planned": planned,
        "alpha": alpha,
        "prove_guardrails": prove_guardrails,
    }
    with service() as client:
        started = client.post("/v1/experiments", body)
    if as_json:
        print_json([started])
        return
    shares = ", ".join(f"{each['name']} {each['share']:.0%}" for each in started["variants"])
    console().print(f"Experiment {started['id']} runs on {domain}: {shares}.", markup=False)


@app.command()
def status(
    experiment: Annotated[str | None, typer.Argument(help="Id; without it, list all.")] = None,
    domain: Annotated[str | None, typer.Option(help="List only this domain's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show an experiment's figures per variant and what it waits for, or list all experiments."""
    if experiment is None:
        _list(domain, as_json)
        return
    with service() as client:
        report = client.get(f"/v1/experiments/{segment(experiment)}")
    if as_json:
        print_json([report])
    else:
        show_report(console(), report)


@app.command()
def check(
    experiment: Annotated[str | None, typer.Argument(help="Id; without it, all running.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check experiments now: one that is decided is promoted, stopped or rolled back."""
    with service() as client:
        running = client.get("/v1/experiments", status="running") if experiment is None else ()
        ids = [each["id"] for each in running] if experiment is None else [experiment]
        reports = [client.post(f"/v1/experiments/{segment(each)}/check") for each in ids]
    if as_json:
        print_json(reports)
        return
    for report in reports:
        checked, last = report["experiment"], report["experiment"]["log"][-1]
        line = f"{checked['id']} {checked['domain']}: {last['action']}, {last['reason']}"
        console().print(line, markup=False)
    if not reports:
        console().print("no experiment is running")


@app.command()
def stop(experiment: Id, reason: Annotated[str, typer.Option(help="Why.")], as_json: AsJson = False) -> None:
    """Stop an experiment without a winner."""
    with service() as client:
        stopped = client.post(f"/v1/experiments/{segment(experiment)}/stop", {"reason": reason})
    say(f"Experiment {experiment} on {stopped['domain']} is stopped.", stopped, as_json=as_json)


@app.command()
def coverage(
    experiment: Id,
    share: Annotated[float, typer.Argument(help="From 0 to 1.")],
    as_json: AsJson = False,
) -> None:
    """Change the share of users that take part; nobody moves from one variant to another."""
    with service() as client:
        changed = client.post(f"/v1/experiments/{segment(experiment)}/coverage", {"coverage": share})
    say(f"Experiment {experiment} covers {share:.0%}.", changed, as_json=as_json)


def variants(adapters: Sequence[str], prompts: Sequence[str]) -> list[dict[str, Any]]:
    """The request's variants from the options; a bad one ends the command."""
    found: dict[str, dict[str, Any]] = {}
    for text in adapters:
        match = re.fullmatch(r"([^=]+)=([^:=]*)(?::([0-9.]+))?", text)
        if match is None or (not match[2] and match[1] != "control"):
            fail(
                f"--variant {text}: write NAME=ADAPTER:SHARE, such as brief=rust-v3-1f9c2a7e:0.5",
                BAD_INPUT,
            )
        if match[1] in found:
            fail(f"--variant {match[1]}: named twice", BAD_INPUT)
        try:
            share = float(match[3]) if match[3] else None
        except ValueError:
            fail(f"--variant {text}: {match[3]} is not a number", BAD_INPUT)
        found[match[1]] = {"name": match[1], "adapter": match[2] or None, "share": share}
    for text in prompts:
        name, separator, words = text.partition("=")
        if not separator or not name or not words:
            fail(f"--prompt {text}: write NAME=TEXT", BAD_INPUT)
        found.setdefault(name, {"name": name})["system_prompt"] = words
    if not found:
        fail("name a variant: --variant NAME=ADAPTER or --prompt NAME=TEXT", BAD_INPUT)
    return list(found.values())


def _list(domain: str | None, as_json: bool) -> None:
    from api.cli.screen import table

    with service() as client:
        listed = client.get("/v1/experiments", domain=domain)
    if as_json:
        print_json(listed)
        return
    rows = [
        (
            each["id"],
            each["name"],
            each["domain"],
            each["status"],
            ", ".join(variant["name"] for variant in each["variants"]),
            each["created_at"][:19],
        )
        for each in listed
    ]
    columns = ("experiment", "name", "domain", "status", "variants", "started")
    console().print(table(columns, rows, prose=["name"]))


def show_report(screen: "Screen", report: Json) -> None:
    """An experiment's figures per variant, its sample ratio, its guardrails and what it waits for."""
    from api.cli.screen import table

    experiment, (control, *treatments) = report["experiment"], report["variants"]
    screen.print(
        f"{experiment['id']} {experiment['name']}: {experiment['status']} on {experiment['domain']},"
        f" coverage {experiment['coverage']:.0%}, {report['held_out']} users held out",
        markup=False,
    )
    rows = []
    for metric in SHOWN:
        before = control["metrics"].get(metric)
        for variant in report["variants"]:
            figures = variant["metrics"].get(metric)
            if figures is None:
                continue
            delta = figures["difference"] if before else None
            rows.append(
                (
                    metric,
                    variant["variant"],
                    str(figures["units"]),
                    _figure(metric, figures["mean"]),
                    _interval(metric, figures),
                    f"{_figure(metric, delta['estimate'])} {_interval(metric, delta)}" if delta else "",
                )
            )
    screen.print(table(("metric", "variant", "users", "mean", "interval", "against control"), rows))
    latencies = [
        (
            v["variant"],
            str(v["units"]),
            str(v["turns"]),
            *(f"{v['latency'].get(p, 0):.0f} ms" for p in ("p50", "p95", "p99")),
        )
        for v in report["variants"]
    ]
    screen.print(table(("variant", "users seen", "turns", "p50", "p95", "p99"), latencies))
    guardrails = [
        (v["variant"], g["metric"], g["status"], f"{g['margin']:.0%}", _interval(g["metric"], g))
        for v in treatments
        for g in v["guardrails"]
    ]
    screen.print(table(("variant", "guardrail", "status", "margin", "worse by"), guardrails))
    alarm = "ALARM: units do not match the shares" if report["sample_ratio_alarm"] else "no alarm"
    screen.print(f"sample ratio: p = {report['sample_ratio_p']:.3g}, {alarm}", markup=False)
    for variant in treatments:
        if variant["fallback"]:
            line = f"{variant['variant']}: the control answered {variant['fallback']:.0%} of its turns"
            screen.print(line, markup=False)
    if report["decision"]:
        screen.print(f"now: {report['decision']['action']}, {report['decision']['reason']}", markup=False)
        for name, units in report["lacking"].items():
            screen.print(f"  {name} needs {units} more users", markup=False)
    for entry in experiment["log"]:
        screen.print(
            f"{entry['at'][:19]} {entry['action']} by {entry['by']}: {entry['reason']}", markup=False
        )


def _figure(metric: str, value: float) -> str:
    return f"{value:.1%}" if metric in SHARES else f"{value:.2f}"


def _interval(metric: str, figures: Json) -> str:
    if figures["lower"] is None:
        return ""
    return f"[{_figure(metric, figures['lower'])}, {_figure(metric, figures['upper'])}]"
