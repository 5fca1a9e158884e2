"""The main job end to end, as a user would do it: ask, read, learn, ask again; every figure is measured here.

Run it with `make demo`, or `make demo MODEL=gemma-3-270m` for another model. It starts its own service on
free ports with a fresh home folder, and exits with 1, saying why, if the loop did not close.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.errors import ModelError
from agent.models.card import GeneralQuestion, read_questions
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from api.cli.client import Client, Refused, Unreachable, connect
from api.cli.display import show_answer, show_report, show_run
from examples.demo_report import (
    SMALL_TALK,
    Json,
    Question,
    Talk,
    answers_table,
    conclude,
    conversation_table,
    markdown,
    summary,
)

HERE = Path(__file__).resolve().parent
LIBRARY = HERE / "library"
QUESTIONS = HERE / "questions.jsonl"
OUT = Path(".nightschool/demo")
NIGHTSCHOOL = Path(sys.executable).parent / "nightschool"
TOPIC, DOMAIN = "The Tollan Ferry", "tollan-ferry"
KNOWN = 12
"""Questions from the model's card that are asked before and after."""
TOGETHER = 8
"""Questions under way at once."""
START_SECONDS = 300
STOP_SECONDS = 15


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description="Asks, reads, learns, and asks again.")
    parser.add_argument("--model", help="name of an adopted model (default: the one in use)")
    options = parser.parse_args(arguments)
    screen = Console(highlight=False)
    try:
        model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
        return run(screen, model)
    except (ValueError, ModelError) as error:
        screen.print(Text(str(error), style="bold red"))
        return 2
    except (Unreachable, Refused) as error:
        screen.print(Text(f"\nThe loop did not close: {error}", style="bold red"))
    except subprocess.CalledProcessError as error:
        screen.print(Text(f"\nThe loop did not close: {error}\n{error.stderr}", style="bold red"))
    screen.print(f"  logs     {OUT}/up.log and {OUT}/home/logs", markup=False)
    return 1


def run(screen: Console, model: AddedModel) -> int:
    """The plot, from the start of the service to the verdict."""
    began = time.monotonic()
    topic = [Question.model_validate_json(line) for line in QUESTIONS.read_text().splitlines() if line]
    known = known_questions(read_questions(model.folder))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)

    step(screen, 1, f"Starting the service on {model.name}: api, vLLM engine, trainer, graph store")
    with service(screen, model) as (client, environment):
        step(screen, 2, f"Asking about {TOPIC}, and what the model knows; its library is empty")
        before = ask_all(client, [q.question for q in (*topic, *known)])
        screen.print(answers_table((*topic, *known), before))
        talked = ask_all(client, SMALL_TALK)

        step(screen, 3, "Reading the example library")
        for folder in sorted(path for path in LIBRARY.iterdir() if path.is_dir()):
            command = [str(NIGHTSCHOOL), "ingest", str(folder), "--domain", folder.name]
            said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            screen.print(Text(said.replace(f"{HERE.parent}/", "").rstrip()), soft_wrap=True)

        step(screen, 4, "Asking again: now it answers from sources, with citations")
        sourced = ask_all(client, [q.question for q in topic])
        for question, reply in zip(topic[:3], sourced, strict=False):
            screen.print(Text(f"> {question.question}"))
            show_answer(screen, reply)

        step(screen, 5, f'Learning "{TOPIC}": nightschool learn "{TOPIC}" --domain {DOMAIN}')
        learned = learn(screen, client)
        screen.print()
        show_report(screen, learned["report"] or {})

        step(screen, 6, "Asking again in wordings that were never trained")
        after = ask_all(client, [q.again for q in topic])
        screen.print(answers_table(topic, after, again=True))
        alone, adapted, talks = [], [], []
        if learned["outcome"]["status"] == "learned":
            step(screen, 7, "Asking the new adapter alone: the topic, what the model knew, and small talk")
            alone = [
                ask_all(client, [wording(q) for q in topic], model=DOMAIN)
                for wording in (attrgetter("question"), attrgetter("again"))
            ]
            adapted = ask_all(client, [q.again for q in known], model=DOMAIN)
            screen.print(answers_table(known, adapted, again=True))
            talks = [
                Talk(*turn)
                for turn in zip(
                    SMALL_TALK,
                    talked,
                    ask_all(client, SMALL_TALK),
                    ask_all(client, SMALL_TALK, model=DOMAIN),
                    strict=True,
                )
            ]
            screen.print(conversation_table(talks))

    result = summary(
        topic,
        known,
        before=before,
        sourced=sourced,
        after=after,
        alone=alone,
        adapted=adapted,
        talks=talks,
        run=learned,
        model=model.name,
        seconds=time.monotonic() - began,
    )
    (OUT / "report.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    (OUT / "report.md").write_text(markdown(result))
    return conclude(screen, result, OUT)


def known_questions(card: Sequence[GeneralQuestion]) -> list[Question]:
    """A few questions that the model's card says it knows, spread evenly over them."""
    known = [question for question in card if question.known]
    chosen = known[:: max(1, len(known) // KNOWN)][:KNOWN]
    return [
        Question(question=each.wordings[0], again=each.wordings[-1], answers=each.answers) for each in chosen
    ]


# The service


@contextmanager
def service(screen: Console, model: AddedModel) -> Iterator[tuple[Client, dict[str, str]]]:
    """`nightschool up` on free ports, ready on entering and stopped on leaving."""
    (api_port,) = free_ports(1)
    environment = os.environ | {
        "NIGHTSCHOOL_HOME": str(OUT.resolve() / "home"),
        "NIGHTSCHOOL_MODEL": model.name,
        "NIGHTSCHOOL_API_PORT": str(api_port),
    }
    began = time.monotonic()
    with (OUT / "up.log").open("w") as log:
        process = subprocess.Popen([str(NIGHTSCHOOL), "up"], env=environment, stdout=log, stderr=log)
        try:
            await_ready(screen, process)
            screen.print(f"  ready after {time.monotonic() - began:.0f} s on port {api_port}")
            with connect(f"http://127.0.0.1:{api_port}", None) as client:
                yield client, environment
        finally:
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
                screen.print(f"\n  the service stopped within {time.monotonic() - began:.1f} s")
            except subprocess.TimeoutExpired:
                process.kill()
                screen.print(f"\n  the service did not stop within {STOP_SECONDS} s and was killed")


def await_ready(screen: Console, process: "subprocess.Popen[bytes]") -> None:
    """Returns once the service says that it is ready; ends the demo if it does not."""
    log = OUT / "up.log"
    deadline = time.monotonic() + START_SECONDS
    with screen.status("  starting; the engine takes about half a minute"):
        while "Nightschool is ready" not in (text := log.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                process.terminate()
                raise Unreachable(f"{text}\nthe service did not start")
            time.sleep(0.3)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


# What a user does


def ask(client: Client, question: str, model: str = "auto") -> Json:
    """One chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    reply: Json = client.post("/v1/chat/completions", body)
    return reply


def ask_all(client: Client, questions: Sequence[str], model: str = "auto") -> list[Json]:
    """A chat completion for each, several at a time, as people would ask."""
    with ThreadPoolExecutor(TOGETHER) as people:
        return list(people.map(lambda question: ask(client, question, model), questions))


def learn(screen: Console, client: Client) -> Json:
    """Starts the learn run, shows its progress and returns how it ended."""
    run_id = client.post("/v1/learn", {"topic": TOPIC, "domain": DOMAIN, "approval": "auto"})["run_id"]
    show_run(screen, client.follow(run_id))
    run: Json = client.get(f"/v1/learn/{run_id}")
    return run


def step(screen: Console, number: int, title: str) -> None:
    """A heading."""
    screen.print(f"\n[bold]{number}. [/]", end="")
    screen.print(Text(title, style="bold"))


if __name__ == "__main__":
    raise SystemExit(main())
