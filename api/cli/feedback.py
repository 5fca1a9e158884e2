"""`nightschool feedback`: rate, correct or report an answer."""

from typing import Annotated

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, print_json, service, stop


def feedback(
    interaction: Annotated[str, typer.Argument(help="Id of a chat turn, as any client sees it.")],
    rating: Annotated[int | None, typer.Option(min=1, max=5, help="Stars.")] = None,
    up: Annotated[bool | None, typer.Option("--up/--down", help="Thumbs up or down.")] = None,
    comment: Annotated[str | None, typer.Option(help="A comment.")] = None,
    correction: Annotated[
        str | None, typer.Option(help="The right answer; it opens a gap and is not trained unverified.")
    ] = None,
    report: Annotated[str | None, typer.Option(help="Why the answer is reported.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give feedback on an answer; of each kind, the latest counts."""
    vote = None if up is None else "up" if up else "down"
    fields = {
        "rating": rating,
        "vote": vote,
        "comment": comment,
        "correction": correction,
        "reported": report,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        stop("say something: --rating, --up, --down, --comment, --correction or --report", BAD_INPUT)
    with service() as client:
        reply = client.post("/v1/feedback", {"interaction_id": interaction, **given})
    if as_json:
        print_json([reply])
        return
    kinds = ", ".join(each["kind"] for each in reply["feedback"])
    console().print(f"Stored on {reply['interaction_id']}: {kinds}.", markup=False)
    if reply["gap_id"] is not None:
        dismissed = ", which was dismissed and stays so" if reply["gap_status"] == "dismissed" else ""
        console().print(f"The correction is kept with gap {reply['gap_id']}{dismissed}.", markup=False)
