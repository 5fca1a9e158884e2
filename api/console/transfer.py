"""Files between the browser and the api: the page itself sends and saves them, with the key of its tab.

None passes through the console's process. Gradio's own upload would take files from anybody, and keep them
on the disk.
"""

from collections.abc import Mapping

from api.console.key_store import NAME
from api.console.markup import block, status, text
from api.console.service import failure

MOST_FILES = 1000
"""Most files that are sent at once; the report on each is shown."""
SCRIPT = """
<script>
const nightschool = (() => {
  const call = async (path, query, options = {}) => {
    const url = new URL(path, location.origin);
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    const headers = {...options.headers}, key = sessionStorage.getItem("KEY_NAME");
    if (key) headers.Authorization = `Bearer ${key}`;
    const reply = await fetch(url, {...options, headers, credentials: "omit"});
    if (reply.ok) return {reply};
    const error = (await reply.json().catch(() => null))?.error;
    const problem = error?.message || `the service answered with status ${reply.status}: see its log`;
    return {status: reply.status, problem};
  };

  const save = async (path, query, name) => {
    try {
      const {reply, problem} = await call(path, query);
      if (problem) return problem;
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await reply.blob());
      link.download = name;
      link.click();
      URL.revokeObjectURL(link.href);
      return "";
    } catch {
      return "the file did not arrive whole: see whether the service runs, and save it again";
    }
  };

  const chosen = form => [...form.querySelectorAll("input[type=file]")].flatMap(input => [...input.files])
    .filter(file => !file.webkitRelativePath.split("/").some(part => part.startsWith(".")));

  const sendOne = async (file, path, query, types) => {
    const source = file.webkitRelativePath || file.name;
    const extension = source.split(".").pop().toLowerCase();
    const type = Object.hasOwn(types, extension) ? types[extension] : "application/octet-stream";
    try {
      const {reply, status, problem} = await call(
        path, {...query, source}, {method: "POST", body: file, headers: {"Content-Type": type}});
      return problem ? {source, status, problem} : {source, report: await reply.json()};
    } catch {
      const reason = "the file cannot be read, it is larger than the service takes, or the service is away";
      return {source, problem: `it did not arrive: ${reason}`};
    }
  };

  const send = async (id, path, query, types = {}) => {
    const form = document.getElementById(id), inputs = form.querySelectorAll("input[type=file]");
    const files = chosen(form), queue = files.entries(), results = [];
    const said = form.querySelector("[role=status]");
    if (files.length > MOST_FILES || inputs[0].disabled) return JSON.stringify({chosen: files.length});
    let done = 0, refused = "";
    const work = async () => {
      for (const [number, file] of queue) {
        results[number] = refused
          ? {source: file.webkitRelativePath || file.name, problem: `not sent: ${refused}`}
          : await sendOne(file, path, query, types);
        if ([401, 403, 429, 503].includes(results[number].status)) refused = results[number].problem;
        said.textContent = `${++done} of ${files.length} files`;
      }
    };
    inputs.forEach(input => { input.disabled = true; });
    await Promise.all([work(), work(), work()]);
    const complete = results.every(result => result.report);
    inputs.forEach(input => { input.disabled = false; if (complete) input.value = ""; });
    said.textContent = "";
    return JSON.stringify({chosen: files.length, results});
  };
  return {save, send};
})();
</script>
""".replace("KEY_NAME", NAME).replace("MOST_FILES", str(MOST_FILES))
"""`save` saves what the api sends as a file, and returns what went wrong or nothing.

`send` posts the files that are chosen in the form with the id, three at a time, and returns as JSON how many
were `chosen`, and the `results` in their order: each has its `source`, and a `report` or a `problem`. It
stops at a refusal that would meet all the others. Hidden files of a folder are left out. `types` are media
types by extension; the service finds the others itself, since browsers take a table for Excel's.
"""


def file_form(id: str, inputs: Mapping[str, str]) -> str:
    """The form whose files `send` posts: inputs by their labels, each with its attribute, or none."""
    shown = "".join(
        f'<label>{text(label)} <input type="file" {attribute}></label>' for label, attribute in inputs.items()
    )
    return f'<div class="ns files" id="{id}">{shown}<p role="status"></p></div>'


def saved_as(name: str, problem: str) -> str:
    """What the page says after `save`. Raises gr.Error for a problem."""
    if problem:
        raise failure(problem)
    return block(status(f"Saved as {name}."))
