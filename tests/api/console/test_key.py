"""The key in a browser: it survives a reload in its tab, is in no other store, and can be forgotten."""

import pytest

from graphs.state import Runtime
from tests.api.console.conftest import Browse
from tests.support.keys import key_maker

pytestmark = pytest.mark.services
STORED = "Object.values({...sessionStorage})"


async def test_a_key_survives_a_reload_in_its_tab_alone_until_it_is_forgotten(
    browse: Browse, runtime: Runtime
) -> None:
    secret = (await key_maker(runtime)("ada", "chat"))["x-api-key"]
    async with browse() as console:
        page = console.page
        await console.use_key("nsk_wrong")
        await page.get_by_text("the key is unknown or was revoked").wait_for()
        await page.wait_for_function(f"!{STORED}.includes('nsk_wrong')")

        await console.use_key(secret)
        await page.get_by_text("You are ada. You may: chat.").wait_for()
        assert await page.get_by_label("API key").input_value() == ""
        await page.reload()
        await page.get_by_text("You are ada. You may: chat.").wait_for()
        assert await page.get_by_role("checkbox", name="The key was refused").count() == 0
        assert secret in await page.evaluate(STORED)
        assert secret not in await page.evaluate("JSON.stringify(localStorage) + document.cookie")

        other = await page.context.new_page()
        await other.goto(f"{console.url}/ui")
        await other.get_by_text("This service asks for an API key.").wait_for()
        await other.close()

        await page.get_by_role("button", name="Forget this key").click()
        await page.get_by_text("This service asks for an API key.").wait_for()
        assert secret not in await page.evaluate(STORED)
