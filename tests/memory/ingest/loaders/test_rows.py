"""Rows of CSV and JSON lines become tables, or sections where they hold texts."""

import json
from string import ascii_lowercase

import pytest

from memory.errors import IngestError
from memory.ingest.documents import RawDocument
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.rows import MOST_NAMED, load_csv, load_json_lines, load_triples
from memory.ingest.loaders.tables import MAX_COLUMNS, MAX_FACT_COLUMNS, MAX_ROWS, with_repeated_headers
from memory.ingest.passages import passages
from memory.ingest.pipeline import read


def csv(text: str) -> str:
    return load_csv(Source("a.csv", text.encode())).text


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_told(mark: str) -> None:
    text = csv(f"name{mark}oil\nzorble{mark}fish\nfentack{mark}none\n")
    assert text == "| name | oil |\n| --- | --- |\n| zorble | fish |\n| fentack | none |"


def test_cells_may_hold_delimiters_bars_and_lines() -> None:
    text = csv('name,oil\nzorble,"fish, cod | seal\nand whale"\n')
    assert text.splitlines()[2] == "| zorble | fish, cod \\| seal and whale |"


def test_rows_of_unequal_length_are_filled_and_unnamed_columns_numbered() -> None:
    assert csv("name,oil,\nzorble\nfentack,none,blue\n").splitlines() == [
        "| name | oil | column 3 |",
        "| --- | --- | --- |",
        "| zorble |  |  |",
        "| fentack | none | blue |",
    ]


def test_a_long_table_repeats_its_header_where_a_passage_ends() -> None:
    rows = "".join(f"device {n},{n} kilograms of load at most\n" for n in range(60))
    text, unread = with_repeated_headers(csv(f"Device,Load\n{rows}"))
    assert unread == ()
    parts = text.split("\n\n")
    assert len(parts) > 3
    assert all(part.startswith("| Device | Load |\n| --- | --- |\n| device") for part in parts)
    assert [line for line in text.splitlines() if line.startswith("| device")] == [
        f"| device {n} | {n} kilograms of load at most |" for n in range(60)
    ]


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 12])
def test_no_passage_has_rows_without_their_header(columns: int) -> None:
    names = ",".join(f"n{number}" for number in range(columns))
    rows = "".join(",".join(f"r{row}" for _ in range(columns)) + "\n" for row in range(300))
    text, _ = with_repeated_headers(csv(f"{names}\n{rows}"))
    found = passages(text, source="a.csv", title="T", domain="d", owner=None, language="en", web=None)
    assert len(found) > 2
    assert all(passage.text.startswith("| n0 |") for passage in found)
    assert sum(passage.text.count("| r") for passage in found) >= 300


def test_a_table_is_read_up_to_a_limit_and_the_rest_is_named() -> None:
    rows = "".join(f"device {n},{n}\n" for n in range(MAX_ROWS + 5))
    text, (unread,) = with_repeated_headers(csv(f"Device,Load\n{rows}"))
    assert unread == f"5 of {MAX_ROWS + 5} rows of the table `Device | Load`: split it"
    assert f"device {MAX_ROWS - 1} " in text
    assert f"device {MAX_ROWS} " not in text


def wide(columns: int, rows: int, name: str = "property") -> str:
    header = ["device", *(f"{name} {number}" for number in range(1, columns))]
    records = [[f"Quorbin{row}", *(f"v{row}x{n}" for n in range(1, columns))] for row in range(rows)]
    return "".join(",".join(cells) + "\n" for cells in (header, *records))


@pytest.mark.parametrize("columns", [MAX_FACT_COLUMNS, MAX_COLUMNS, MAX_COLUMNS + 1, 700])
def test_a_table_of_any_width_is_read_whole(columns: int) -> None:
    document = RawDocument(source="a.csv", data=wide(columns, 4).encode(), media_type="text/csv")
    words = {word for each in read(document, "general").passages for word in each.text.split()}
    assert {f"v{row}x{n}" for row in range(4) for n in range(1, columns)} <= words
    records = [{f"p{n}": f"v{row}x{n}" for n in range(columns)} for row in range(4)]
    lines = "\n".join(map(json.dumps, records)).encode()
    document = RawDocument(source="a.jsonl", data=lines, media_type="application/x-ndjson")
    words = {word for each in read(document, "general").passages for word in each.text.split()}
    assert {f"v{row}x{n}" for row in range(4) for n in range(columns)} <= words


def test_a_row_of_a_wide_table_is_a_section_with_the_names_of_its_columns() -> None:
    columns = ",".join(["name", "load", "load", "", *(f"n{n}" for n in range(MAX_COLUMNS))])
    cells = ",".join(["Quorbin", "40 kg", "50 kg", "red", *([""] * (MAX_COLUMNS - 1)), "9", "more"])
    assert csv(f"{columns}\n\n{cells}\n") == (
        "## Quorbin\n\n- load: 40 kg\n- load (3): 50 kg\n- column 4: red\n- n99: 9\n- column 105: more"
    )


@pytest.mark.parametrize("header", ["column 2,", "x,x (3),x", ",,", "a"])
def test_no_cell_is_lost_whatever_its_column_is_called(header: str) -> None:
    text = csv(f"{header}{',' * (3 - header.count(','))}{'long ' * 500}\none,two,three,{'word ' * 500}\n")
    assert {"one", "two", "three"} <= set(text.replace("\n", " ").split())


def test_rows_that_begin_alike_have_titles_of_their_own() -> None:
    long = "word " * 500
    text = csv(f"country,year,text\nGermany,2018,{long}\nGermany,2019,{long}\nFrance,2018,{long}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Germany (row 1)", "## Germany (row 2)", "## France",
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["cell", "header", "only row", "title"])
def test_long_texts_in_a_table_are_read_whole(place: str) -> None:
    text = " ".join(f"word{n}" for n in range(600))
    rows = {
        "cell": f"device,story\nQuorbin,{text}\n",
        "header": f"device,{text}\nQuorbin,40\n",
        "only row": f"device,{text}\n",
        "title": f"title,{text}\nQuorbin,40\n",
    }
    document = RawDocument(source="a.csv", data=rows[place].encode(), media_type="text/csv")
    words = {word.rstrip(":") for each in read(document, "general").passages for word in each.text.split()}
    assert set(text.split()) <= words
    line = json.dumps({"title": text, "load": 40}).encode()
    document = RawDocument(source="a.jsonl", data=line, media_type="application/x-ndjson")
    words = {word.rstrip(":") for each in read(document, "general").passages for word in each.text.split()}
    assert set(text.split()) <= words


@pytest.mark.parametrize("long", ["in a cell", "beyond the widest table"])
@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_row_that_fits_into_no_table_is_a_section_and_the_others_stay_a_table(
    long: str, place: int
) -> None:
    rows = [["device", "load"], *([f"Quorbin{n}", f"{n} kg"] for n in range(8))]
    rows[place + 1] += ["word " * 500] if long == "in a cell" else [*[""] * MAX_COLUMNS, "beyond"]
    table, section = csv("".join(f"{','.join(row)}\n" for row in rows)).split("\n\n", 1)
    names = [f"Quorbin{n}" for n in range(8) if n != place]
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [f"| {name}" for name in names]
    assert section.splitlines()[0] == f"## Quorbin{place}"
    assert f"- load: {place} kg" in section


def test_trailing_columns_without_text_do_not_make_a_table_wide() -> None:
    blank = "," * (2 * MAX_COLUMNS)
    assert csv(f"name,oil{blank}\nzorble,fish{blank}\n").splitlines()[0] == "| name | oil |"


def test_a_wide_table_that_unpacks_to_too_much_says_so() -> None:
    with pytest.raises(IngestError, match=r"a.csv: its rows unpack to more than .*: split it"):
        csv(wide(MAX_COLUMNS + 1, 300, name="n" * 500))


@pytest.mark.parametrize(("columns", "named"), [(MAX_FACT_COLUMNS, False), (MAX_FACT_COLUMNS + 1, True)])
def test_a_table_that_is_too_wide_for_facts_is_named(columns: int, named: bool) -> None:
    header = ",".join(f"load {letter}" for letter in ascii_lowercase[: columns - 1])
    data = f"device|,{header}\nQuorbin{',4 kilograms' * (columns - 1)}\n".encode()
    document = RawDocument(source="a.csv", data=data, media_type="text/csv")
    contents = read(document, "general")
    assert bool(contents.facts) != named
    assert any("left out: the facts of the table" in note for note in contents.notes) == named


def test_records_of_the_same_short_fields_are_a_table() -> None:
    lines = (
        '{"device": "Quorbin", "load": 40, "new": true}\n\n{"device": "Plenty", "load": null, "new": false}\n'
    )
    loaded = load_json_lines(Source("a.jsonl", lines.encode()))
    assert loaded.text.splitlines()[2:] == ["| Quorbin | 40 | yes |", "| Plenty |  | no |"]


def test_records_that_do_not_fit_among_the_others_are_sections_and_the_others_stay_a_table() -> None:
    records = [
        {"device": "Quorbin", "load": 40},
        {"device": "Plenty"},
        {"device": "Marsk", "load": 70, "note": "It has a red lamp."},
        {"device": "Zorble", "load": "as much as " * 30},
        {"device": "Fentack", "load": [1, 2]},
    ]
    text = load_json_lines(Source("a.jsonl", "\n".join(map(json.dumps, records)).encode())).text
    table, *sections = text.split("\n\n")
    assert table.splitlines() == ["| device | load |", "| --- | --- |", "| Quorbin | 40 |", "| Plenty |  |"]
    assert [s for s in sections if s.startswith("##")] == ["## line 3", "## line 4", "## line 5"]
    assert "- note: It has a red lamp." in text
    assert "- load: 1, 2" in text


def test_records_with_texts_are_sections() -> None:
    records = [
        {"title": "Lamps", "text": "A zorble is a lamp.", "tags": ["oil", "fish"], "by": {"name": "Ann"}},
        {"text": "A fentack is a boat."},
        "A line alone.",
    ]
    text = load_json_lines(Source("a.jsonl", "\n".join(map(json.dumps, records)).encode())).text
    assert text == (
        "## Lamps\n\nA zorble is a lamp.\n\n- tags: oil, fish\n- by.name: Ann\n\n"
        "## line 2\n\nA fentack is a boat.\n\n## line 3\n\nA line alone."
    )


def test_a_line_that_is_not_json_is_named_and_the_others_are_read() -> None:
    deep = "[" * 100_000
    loaded = load_json_lines(Source("a.jsonl", f'{{"text": "A lamp."}}\n{{oops\n{deep}\n'.encode()))
    assert "A lamp." in loaded.text
    assert loaded.unread == ("line 2: not JSON", "line 3: not JSON")
    with pytest.raises(IngestError, match="no line of it is JSON"):
        load_json_lines(Source("a.jsonl", b"oops"))


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085"])
def test_texts_of_records_may_hold_other_line_separators(character: str) -> None:
    lines = '{"text": "A lamp' + character + ' burns."}' + "\r\n" * 2
    loaded = load_json_lines(Source("a.jsonl", lines.encode()))
    assert ("burns." in loaded.text, loaded.unread) == (True, ())


def test_lines_that_are_not_json_are_counted_beyond_the_first() -> None:
    lines = '{"text": "A lamp."}\n' + "oops\n" * (MOST_NAMED + 7)
    loaded = load_json_lines(Source("a.jsonl", lines.encode()))
    assert len(loaded.unread) == MOST_NAMED + 1
    assert loaded.unread[-1] == "7 more lines: not JSON"


@pytest.mark.parametrize("header", ["", "subject,relation,object\n", "Subject, Relation ,Object\n"])
def test_triples_are_rows_with_or_without_a_header(header: str) -> None:
    rows = 'dog,is a kind of,mammal\n\n dog ,eats,"meat, bones"\n'
    assert load_triples(Source("a.csv", (header + rows).encode())).text.splitlines() == [
        "| subject | relation | object |",
        "| --- | --- | --- |",
        "| dog | is a kind of | mammal |",
        "| dog | eats | meat, bones |",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("dog,is a,mammal\ndog,eats\n", "line 2 is no triple"),
        ("dog,is a,mammal\ndog,,meat\n", "line 2 is no triple"),
        ("dog,is a,mammal,today\n", "line 1 is no triple"),
        ("subject,relation,object\n", "no triples"),
    ],
)
def test_what_is_no_triple_is_named(rows: str, said: str) -> None:
    with pytest.raises(IngestError, match=said):
        load_triples(Source("a.csv", rows.encode()))
