"""The page of access: keys are listed and not made there, domains are closed and opened by grants."""

import pytest

from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.support.keys import key_maker

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.access import all_keys, is_last, question


def test_keys_that_work_come_first_and_are_shown_as_text() -> None:
    key = {"owner": "<b>ada", "scope": "learn", "created_at": "2026-01-01T10:00:00Z", "revoked_at": None}
    page = all_keys([key | {"id": "old", "revoked_at": "2026-01-02T10:00:00Z"}, key | {"id": "new"}])
    assert page.index("<td>new</td>") < page.index("<td>old</td>")
    assert "&lt;b&gt;ada" in page
    assert "nightschool keys create" in page


def test_only_the_removal_of_a_domains_last_grant_asks_to_open_it() -> None:
    grants = [{"domain": "lamps", "owner": "a/b"}, {"domain": "boats", "owner": "ben"}]
    assert is_last(grants, "lamps/a/b")
    assert not is_last([*grants, {"domain": "lamps", "owner": "cem"}], "lamps/a/b")
    assert "a/b on lamps? It is the last one" in question("lamps/a/b", reopens=True)
    assert "lamps stays closed" in question("lamps/a/b", reopens=False)


@pytest.mark.services
async def test_a_domain_is_closed_by_grants_and_opened_after_a_question(
    browse: Browse, runtime: Runtime
) -> None:
    made = key_maker(runtime)
    admin = (await made("olga", "admin"))["x-api-key"]
    await made("ada", "learn")
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        await console.use_key(admin)
        await console.open_tab("Access")
        keys = page.get_by_role("region", name="Keys")
        await keys.get_by_text("ada").wait_for()
        assert admin not in await page.content()
        await page.get_by_role("button", name="Grant the domain").click()
        await page.get_by_text("name an owner and a domain first").wait_for()
        for owner, domain, said in (
            ("ada", "No Domain", "pattern"),
            ("ada", "lamps", "was open to every key; now only: ada"),
            ("ben<b>", "lamps", "is open to: ada, ben<b>"),
        ):
            await page.get_by_label("Owner", exact=True).fill(owner)
            await page.keyboard.press("Enter")
            await page.get_by_label("Domain to grant").fill(domain)
            await page.get_by_role("button", name="Grant the domain").click()
            await page.get_by_text(said).first.wait_for()
        await page.get_by_role("region", name="Grants").get_by_text("ben<b>").wait_for()
        for owner, asks in (("ben<b>", "lamps stays closed"), ("ada", "It is the last one")):
            await page.get_by_label("Grant", exact=True).click()
            await page.get_by_role("option", name=f"{owner} on lamps").click()
            await page.get_by_role("button", name="Remove the grant").click()
            await page.get_by_text(asks).wait_for()
            await page.get_by_role("button", name="Yes, remove it").locator("visible=true").click()
            await page.get_by_text(f"{owner} has no grant on lamps any more").wait_for()
        await page.get_by_text("Grants: none yet.").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        assert console.dialogs == []
