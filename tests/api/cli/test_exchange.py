"""`nightschool memory stats|show|export|import` towards a running service."""

import asyncio
from pathlib import Path

from graphs.state import Runtime
from memory.records.access import EVERYTHING
from tests.api.conftest import Listen
from tests.support.commands import run
from tests.support.documents import passage
from tests.support.facts import fact


async def command(url: str, *arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(run, "memory", *arguments, port=int(url.rpartition(":")[2]))
    return done.returncode, done.stdout + done.stderr


async def test_an_export_is_imported_elsewhere_once(listen: Listen, runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "library.jsonl"
    for each in await runtime.episodic.documents(access=EVERYTHING):
        await runtime.episodic.remove(each.source, domain=each.domain, owner=each.owner)
    await runtime.episodic.add([passage(f"Text {n}.", source=f"{n}.md") for n in range(3)])
    async with listen() as url:
        assert await command(url, "export", str(file)) == (0, f"Wrote 3 documents to {file}.\n")
        assert "already here" in (await command(url, "import", str(file)))[1]
        await runtime.episodic.remove("1.md", domain="rust")
        code, said = await command(url, "import", str(file))
        assert (code, said) == (0, "1 documents were stored, 2 were already here.\n")
        assert "documents in rust" in (await command(url, "stats"))[1]
        await runtime.semantic.add(
            [fact("lamp", "burns", "oil", "Text 1.", within=passage("Text 1.", source="1.md"))]
        )
        said = (await command(url, "show", "1.md"))[1]
        assert "Text 1." in said
        assert "(confidence 0.95, support 1)" in " ".join(said.split())
        assert (await command(url, "show", "9.md"))[0] == 2
    assert "library.jsonl.part" not in {each.name for each in folder(tmp_path)}


async def test_a_bad_line_is_named_and_nothing_is_imported(
    listen: Listen, runtime: Runtime, tmp_path: Path
) -> None:
    file = tmp_path / "library.jsonl"
    for each in await runtime.episodic.documents(access=EVERYTHING):
        await runtime.episodic.remove(each.source, domain=each.domain, owner=each.owner)
    await runtime.episodic.add([passage(f"Text {n}.", source=f"{n}.md") for n in range(3)])
    async with listen() as url:
        await command(url, "export", str(file))
        for n in range(3):
            await runtime.episodic.remove(f"{n}.md", domain="rust")
        lines = file.read_text().splitlines()
        for bad in ('{"source": "x"', lines[0], lines[2].replace("Text 2.", "Forged.")):
            file.write_text("\n".join([lines[0], "", bad]))
            code, said = await command(url, "import", str(file))
            assert code == 2
            assert "line 3:" in said
            assert "nothing was imported" in said
    assert await runtime.episodic.documents(access=EVERYTHING) == ()


async def test_a_missing_file_says_what_to_check(tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, "memory", "import", str(tmp_path / "none.jsonl"))
    assert done.returncode == 1
    assert "none.jsonl" in done.stderr


def folder(path: Path) -> list[Path]:
    return list(path.iterdir())
