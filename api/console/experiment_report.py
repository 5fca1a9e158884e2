"""An experiment's report as HTML: assignment, alarm, intervals of the metrics, guardrails and decisions."""

from collections.abc import Callable, Sequence
from functools import partial

from api.cli.ab import SHARES, SHOWN
from api.console.markup import Tone, block, fields, figures_beside, heading, moment, paragraph, table
from api.console.plots import Estimate, intervals
from api.console.service import Json

NAMES = {
    "engagement": "engagement (implicit score)",
    "rating": "rating (stars)",
    "session_minutes": "length of sessions (minutes)",
    "regeneration": "asked again (share of turns)",
    "reports": "reported (share of turns)",
    "abstention": "declined (share of turns)",
    "gaps": "gaps (share of turns)",
    "slow": "slow (share of turns)",
}
WORDS = {"holds": "shown to hold", "open": "not shown yet", "fails": "violated"}
TONES = {"holds": "good", "open": "", "fails": "bad"}


def report(found: Json) -> str:
    """An experiment with its figures."""
    experiment, variants = found["experiment"], found["variants"]
    return block(
        heading(experiment["name"]),
        *_state(found),
        _assignment(experiment, variants),
        *(metric(each, variants, experiment["goal"]) for each in SHOWN),
        *guardrails(variants),
        _log(experiment["log"]),
    )


def _state(found: Json) -> list[str]:
    experiment = found["experiment"]
    about = {
        "experiment": experiment["id"],
        "domain": experiment["domain"],
        "status": experiment["status"].replace("_", " "),
        "goal": NAMES[experiment["goal"]],
        "users": f"{found['units']} of {experiment['planned']} planned, {found['held_out']} held out",
        "coverage": f"{experiment['coverage']:.0%}",
        "started": moment(experiment["created_at"]),
        "ended": moment(experiment["ended_at"]),
    }
    parts = [fields(about)]
    if decision := found["decision"]:
        action = decision["action"].replace("_", " ")
        tone: Tone = "bad" if decision["action"] in ("alarm", "rolled_back") else "quiet"
        parts.append(paragraph(f"Now it would be {action}: {decision['reason']}.", tone))
    p = f"p = {found['sample_ratio_p']:.3g}"
    if found["sample_ratio_alarm"]:
        alarm = (
            f"Alarm: the users are not divided as they should be ({p}). Find out why; nothing is promoted."
        )
        parts.append(paragraph(alarm, "bad"))
    else:
        parts.append(paragraph(f"The users are divided as they should be (sample ratio, {p}).", "good"))
    return parts


def _assignment(experiment: Json, variants: Sequence[Json]) -> str:
    served = {each["name"]: each for each in experiment["variants"]}
    rows = [
        (
            each["variant"],
            served[each["variant"]]["adapter"] or "what is live",
            served[each["variant"]]["system_prompt"],
            f"{served[each['variant']]['share']:.0%}",
            each["units"],
            each["turns"],
            f"{each['latency']['p95']:.0f} ms" if "p95" in each["latency"] else "",
            f"{each['fallback']:.0%}",
        )
        for each in variants
    ]
    columns = ("variant", "served by", "prompt", "share", "users", "turns", "p95", "fell back to control")
    return table("Assignment", columns, rows)


def metric(name: str, variants: Sequence[Json], goal: str) -> str:
    """One metric: confidence sequences of the variants' means, and of their differences from the control.

    Empty where nothing has the metric yet.
    """
    form = _form(name)
    means: list[Estimate] = []
    against: list[Estimate] = []
    for each in variants:
        if (figures := each["metrics"].get(name)) is None:
            continue
        label = f"{each['variant']}, {figures['units']} users"
        means.append(Estimate(label, figures["mean"], figures["lower"], figures["upper"]))
        delta = each["goal"] if name == goal and each["goal"] else figures["difference"]
        if delta is not None:
            label = f"{each['variant']} less control"
            kind = "" if name != goal else _side(delta)
            against.append(Estimate(label, delta["estimate"], delta["lower"], delta["upper"], kind))
    if not means:
        return ""
    title = NAMES[name] + (", the goal" if name == goal else "")
    plots = {"means": intervals(title, means, form)}
    if against:
        plots["differences"] = intervals(f"{title}, difference", against, partial(_signed, form))
    return heading(title) + figures_beside(plots)


def guardrails(variants: Sequence[Json]) -> list[str]:
    """By how much each treatment may be worse than the control, and what is shown of it."""
    rows: list[Estimate] = []
    lines: list[tuple[str, ...]] = []
    for each in variants[1:]:
        for rail in each["guardrails"]:
            label = f"{each['variant']}, {rail['metric']} {WORDS[rail['status']]}"
            bounds = rail["estimate"], rail["lower"], rail["upper"]
            rows.append(Estimate(label, *bounds, TONES[rail["status"]], rail["margin"]))
            lines.append(
                (each["variant"], NAMES[rail["metric"]], WORDS[rail["status"]], f"{rail['margin']:.0%}")
            )
    if not rows:
        return []
    words = "How much worse than the control; the dashed line is the margin that each may not pass."
    return [
        heading("Guardrails"),
        paragraph(words, "quiet"),
        intervals("Guardrails", rows, partial(_signed, _percent)),
        table("Guardrails", ("variant", "metric", "state", "margin"), lines),
    ]


def _log(entries: Sequence[Json]) -> str:
    rows = [
        (moment(each["at"]), each["action"].replace("_", " "), each["by"], each["reason"])
        for each in reversed(entries)
    ]
    return table("Decisions, newest first", ("time", "what", "by", "why"), rows)


def _form(metric: str) -> Callable[[float], str]:
    return _percent if metric in SHARES else _plain


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _signed(form: Callable[[float], str], value: float) -> str:
    return f"+{form(value)}" if value > 0 else form(value)


def _side(delta: Json) -> str:
    """Whether the whole interval is above 0, or below."""
    return "good" if delta["lower"] > 0 else "bad" if delta["upper"] < 0 else ""
