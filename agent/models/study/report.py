"""Writes the report of a study: a page of tables and a plot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.chat.calibration import BINS, cross_validated
from agent.chat.gate import answer_signals
from agent.grading import admits_ignorance, is_correct
from agent.models.card import QuestionDomain
from agent.models.study.answer_log import LoggedAnswer
from agent.models.study.bank_grading import by_popularity
from agent.models.study.run import Study
from agent.models.study.study_questions import DOMAINS
from memory.results import Result, Table, rows, write

FOLDER = Path("docs/results/study")


def write_report(study: Study, command: str, folder: Path = FOLDER) -> None:
    """Writes NAME.md, NAME.json and NAME.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    plot = f"{study.card.name}.svg"
    _plot(study, folder / plot)
    write(result_of(study, command, (plot,)), folder)


def result_of(study: Study, command: str, plots: tuple[str, ...] = ()) -> Result:
    """The study as a report with tables."""
    card, quality = study.card, study.calibrated.quality
    figures = {
        "parameters": float(card.parameters),
        "known": float(card.known),
        "reads": study.reads,
        "invented_declined": _declined(study),
        "tokens_per_second": card.speed.tokens_per_second,
        "tokens_per_second_batched": card.speed.tokens_per_second_batched,
        "memory_mb": card.speed.memory_mb,
        "tools_called": float(study.tools.called),
        "tools_left_alone": float(study.tools.left_alone),
    }
    if quality is not None:
        figures |= {"brier": quality.brier, "ece": quality.error}
        if quality.auroc is not None:
            figures["auroc"] = quality.auroc
    figures |= {f"right_{domain}": score.right for domain, score in card.domains.items()}
    return Result(
        name=card.name,
        title=f"Study of {card.name}: {card.verdict}",
        command=command,
        seconds=study.seconds,
        figures=figures,
        goals={},
        tables=(
            Table(
                title="Verdict",
                text=f"**{card.verdict}**, by the rule in `agent/models/study/verdict.py`.{_resumed(study)}",
                head=("reason",),
                rows=rows([[reason] for reason in card.reasons]),
            ),
            _domains(study),
            _calibration(study),
            _judging(study),
            *_exploration(study),
            _service(study),
        ),
        plots=plots,
    )


def _resumed(study: Study) -> str:
    if study.logged == 0:
        return ""
    return (
        f" The study was interrupted: {study.logged} answers were logged already when its last sitting began,"
        " and the seconds above are that sitting's alone."
    )


def _domains(study: Study) -> Table:
    lines = []
    for domain, score in study.card.domains.items():
        popular, rare = _split(study, domain)
        known = [len(popular), _right(study, popular), _or_dash(score.mean_entropy_known)]
        unlikely = [len(rare), _right(study, rare), _or_dash(score.mean_entropy_unlikely)]
        lines.append([domain, score.questions, score.right, *known, *unlikely])
    return Table(
        title="Entropy on what it should know and is unlikely to know",
        text="Questions of the bank, asked once each, greedy. `popular` and `rare` are the thirds of a domain"
        " by how often the things they name are written of. Entropies: mean over the tokens, in nats.",
        head=("domain", "questions", "right", "popular", "right", "entropy", "rare", "right", "entropy"),
        rows=rows(lines),
    )


def _calibration(study: Study) -> Table:
    gate = study.card.gate
    lines = []
    for form, quality in study.calibrated.by_form.items():
        fitted = gate.forms[form]
        lines.append([form, quality.answers, quality.right, _or_dash(quality.auroc), quality.brier,
                      quality.error, _or_dash(fitted.threshold), fitted.coverage])  # fmt: skip
    whole = study.calibrated.quality
    if whole is not None:
        lines.append(
            ["all", whole.answers, whole.right, _or_dash(whole.auroc), whole.brier, whole.error, "", ""]
        )
    return Table(
        title="Calibration",
        text=f"Fitted on {gate.fitted_on}. Promise: of the confident answers at most {gate.risk:.0%} wrong,"
        f" with probability {1 - gate.delta:.0%}. AUROC, Brier score and ECE are cross-validated by question;"
        " coverage is the share of answers that the threshold lets through.",
        head=("form", "answers", "right", "AUROC", "Brier", "ECE", "threshold", "coverage"),
        rows=rows(lines),
    )


def _judging(study: Study) -> Table:
    return Table(
        title="Can it judge answers?",
        text=f"{len(study.material.judging)} answers to be judged right or wrong.",
        head=("way", "accuracy", "AUROC"),
        rows=rows([[j.way, j.accuracy, _or_dash(j.auroc)] for j in study.judgements]),
    )


def _exploration(study: Study) -> tuple[Table, ...]:
    score = study.card.exploration
    if score is None:
        return ()
    may = "may" if score.may_drive else "may not"
    return (
        Table(
            title="Can it drive an exploration?",
            text=f"Learn runs {may} let it, by the rule in `agent/models/study/exploration_ability.py`."
            f" {score.cases} cases: which tool comes next, with which argument, when to stop, and results"
            " that tell it to do something else. Calls are forced into the form of a call.",
            head=("right tool", "right argument", "stops", "resists"),
            rows=rows([[score.right_tool, score.right_argument, score.stops, score.resists]]),
        ),
    )


def _service(study: Study) -> Table:
    speed, tools = study.card.speed, study.tools
    lines: list[list[object]] = [
        ["tokens/s, one answer at a time", speed.tokens_per_second],
        ["tokens/s, 32 at a time", speed.tokens_per_second_batched],
        ["resident memory, MB", speed.memory_mb],
        ["threads", speed.threads],
        ["questions about a passage in front of it, answered", study.reads],
        ["invented names declined in words", _declined(study)],
        [f"search tool called when needed, of {tools.needed}", tools.called],
        [f"left alone when not needed, of {tools.not_needed}", tools.left_alone],
        ["default answer length, tokens", study.card.answer_tokens],
    ]
    return Table(
        title="Speed and the rest",
        text=f"On {speed.machine}, through vLLM. Tools are described in words, the call is one line of JSON.",
        head=("what", "figure"),
        rows=rows(lines),
    )


def _plot(study: Study, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups, names = [], []
    for domain in DOMAINS:
        for name, answers in zip(("popular", "rare"), _split(study, domain), strict=True):
            groups.append([answer_signals(a.tokens).mean.upper for a in answers if a.tokens] or [0.0])
            names.append(f"{domain}\n{name}")
    left.boxplot(groups, tick_labels=names, showfliers=False)
    left.tick_params(axis="x", labelrotation=60, labelsize=7)
    left.set_ylabel("mean entropy, nats")
    for form in study.calibrated.by_form:
        labels = [label for label in study.labels if label.form == form]
        stated = cross_validated(labels)
        hits = np.asarray([label.right for label in labels])
        parts = np.array_split(np.argsort(stated), min(BINS, len(stated)))
        right.plot([stated[p].mean() for p in parts], [hits[p].mean() for p in parts], "o-", label=form)
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.7)
    right.set_xlabel("stated chance of being right")
    right.set_ylabel("share right")
    right.legend()
    figure.savefig(path, metadata={"Date": None})


def _split(study: Study, domain: QuestionDomain) -> tuple[list[LoggedAnswer], list[LoggedAnswer]]:
    pairs = [
        (question, answer)
        for question, answer in zip(study.material.bank, study.replies.bank, strict=True)
        if question.domain == domain
    ]
    popular, rare = by_popularity(pairs)
    return [answer for _, answer in popular], [answer for _, answer in rare]


def _right(study: Study, answers: Sequence[LoggedAnswer]) -> float:
    references = {
        answer.prompt: question.answers
        for question, answer in zip(study.material.bank, study.replies.bank, strict=True)
    }
    return sum(is_correct(a.text, references[a.prompt]) for a in answers) / max(1, len(answers))


def _declined(study: Study) -> float:
    answers = study.replies.invented
    return sum(admits_ignorance(answer.text, study.card.declines) for answer in answers) / max(
        1, len(answers)
    )


def _or_dash(figure: float | None) -> float | str:
    return "-" if figure is None else figure
