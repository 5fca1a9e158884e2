"""The caller's key in the browser: kept in the tab's session storage, so that a reload does not ask again.

Never in local storage, which all tabs share and which stays on the disk, and never in a cookie, which the
browser would send with every request. See docs/console.md.
"""

NAME = "nightschool-key"
RESTORE = f"() => [sessionStorage.getItem('{NAME}') || '']"
"""The page's load: the key of this tab, if it has one."""
KEEP = f"(key) => {{ sessionStorage.setItem('{NAME}', (key || '').trim()); return [key]; }}"
"""Before a key is tried."""
DROP_REFUSED = f"(refused) => {{ if (refused) sessionStorage.removeItem('{NAME}'); return []; }}"
"""After it was tried."""
FORGET = f"() => {{ sessionStorage.removeItem('{NAME}'); location.reload(); return []; }}"
"""Forgets the key, and with the page's session also what the console's process knew of it."""
