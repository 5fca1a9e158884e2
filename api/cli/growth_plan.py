"""`nightschool models plan`: sources, teaching or growing, by what the benchmarks measured."""

from typing import Annotated

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, print_json, stop


def plan(
    questions: Annotated[int, typer.Option(help="How many questions are to be answered.")],
    budget: Annotated[float, typer.Option(help="Minutes that reading or training may take.")],
    as_json: AsJson = False,
) -> None:
    """Say whether sources alone, teaching, or a larger base answers most within a budget.

    It reckons with the figures in docs/results, or those that ship, on whatever machine they were measured.
    """
    from agent.growth.plan import growth_plan, known_coefficients
    from api.cli.screen import table

    try:
        made = growth_plan(questions, budget, known_coefficients())
    except ValueError as error:
        stop(str(error), BAD_INPUT)
    if as_json:
        print_json([made.model_dump(mode="json")])
        return
    fits = {True: "yes", False: "no", None: "not known"}
    rows = [
        (
            option.way,
            "-" if option.minutes is None else f"{option.minutes:,.1f}",
            "-" if option.right is None else f"{option.right:.0%}",
            fits[option.fits],
            option.why,
        )
        for option in made.options
    ]
    columns = ("way", "minutes", "right", "fits", "why")
    console().print(table(columns, rows, prose=("why",)))
    console().print(f"\nTake: {made.choice or 'none'} ({made.because})", markup=False, soft_wrap=True)
    for each in made.coefficients:
        value = "not measured" if each.value is None else f"{each.value:g}"
        line = f"  {value}: {each.figure} ({each.file}, `{each.command}`)"
        console().print(line, markup=False, soft_wrap=True)
