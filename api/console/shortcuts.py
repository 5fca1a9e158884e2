"""Single keys that press buttons and enter fields, for pages that are worked by keyboard alone.

The button with the id `press-a` is pressed by the key A, and the field with the id `focus-c` is entered by C
and left by Escape, each while it is shown. Keys that are typed into a field are text. The checkbox with the
id `single-keys` turns them off, for speech input and others who press keys by accident.
"""

PRESS, FOCUS, SWITCH = "press-", "focus-", "single-keys"
SCRIPT = """
<script>
document.addEventListener("keydown", event => {
  const at = event.target, field = at.closest?.("[id^=focus-]");
  if (event.key === "Escape" && field) at.blur();
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (at.matches?.("textarea, select, input:not([type=checkbox], [type=radio])")) return;
  if (!/^[a-z]$/i.test(event.key) || document.querySelector("#single-keys input")?.checked === false) return;
  const key = event.key.toLowerCase();
  const button = document.getElementById("press-" + key);
  const text = document.querySelector("#focus-" + key + " textarea");
  if (button?.offsetParent && !button.disabled) button.click();
  else if (text?.offsetParent) text.focus();
  else return;
  event.preventDefault();
});
</script>
"""
