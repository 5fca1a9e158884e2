"""The console's application, without a browser."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from starlette.routing import Mount

from api.console.app import IDLE_SECONDS, PATH, create_app


def test_an_idle_console_sleeps_instead_of_looking_for_work_a_thousand_times_a_second() -> None:
    app = create_app(lambda: "http://127.0.0.1:9")
    (gradio,) = [route.app for route in app.routes if isinstance(route, Mount) and route.path == PATH]
    queue = gradio.get_blocks()._queue
    assert queue.sleep_when_free == queue.progress_update_sleep_when_free == IDLE_SECONDS
    assert IDLE_SECONDS >= 0.05
