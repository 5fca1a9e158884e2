"""The dashboard and the alert rules in `deploy/grafana` are valid, and name metrics and labels that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from api.metrics import catalogue
from api.metrics.catalogue import Metric
from tests.contracts.test_imports import ROOT

FOLDER = ROOT / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
BY_NAME = {each.name: each for each in catalogue.ALL}
FROM_PROMETHEUS = frozenset({"job", "instance", "le"})
OTHERS = frozenset(
    {
        "up",
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
    }
)
"""Metrics of Prometheus itself and of its Python client."""
KINDS = {"row", "timeseries", "heatmap", "state-timeline"}
COLUMNS = 24


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, with where it stands."""
    for panel in PANELS:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for rule in RULES:
        yield rule["alert"], rule["expr"]


EXPRESSIONS = dict.fromkeys(expressions())


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "param", "vector_selector", "args"):
        part = getattr(node, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None and type(each).__module__.startswith("promql_parser"):
                yield from selectors(each)


def metric_of(name: str) -> Metric | None:
    """Our metric with this name or, for a histogram, with the name of its series."""
    return BY_NAME.get(name) or BY_NAME.get(re.sub(r"_(bucket|sum|count)$", "", name))


def parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$__rate_interval", "5m").replace("$job", ".*"))


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=lambda value: value[:40])
def test_an_expression_is_valid_and_names_metrics_and_labels_that_exist(place: str, expression: str) -> None:
    found = list(selectors(parsed(expression)))
    assert found, place
    names = set(re.findall(r"\b(?:nightschool|process)_\w+", expression))
    assert names <= {each.name for each in found}, "the walk over the expression misses a metric"
    for each in found:
        metric = metric_of(each.name)
        assert metric is not None or each.name in OTHERS, f"no metric {each.name}: {place}"
        labels = {matcher.name for matcher in each.matchers.matchers}
        allowed = FROM_PROMETHEUS | frozenset(metric.labels if metric is not None else ())
        assert labels <= allowed, f"{each.name} has no labels {labels - allowed}: {place}"


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=lambda value: value[:40])
def test_what_is_shown_by_is_a_label_of_the_metric(place: str, expression: str) -> None:
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        labels = {label.strip() for label in grouped.split(",")}
        known = FROM_PROMETHEUS.union(
            *(metric.labels for each in selectors(parsed(expression)) if (metric := metric_of(each.name)))
        )
        assert labels <= known, place


def test_a_wrong_metric_or_label_would_be_found() -> None:
    (selector,) = selectors(parsed('sum(rate(nightschool_turn_total{outcom="x"}[5m]))'))
    assert metric_of(selector.name) is None
    with pytest.raises(ValueError):
        parsed("sum(rate(nightschool_turns_total[5m])")


def test_panels_have_ids_titles_places_and_no_overlap() -> None:
    assert DASHBOARD["uid"] == "nightschool"
    assert DASHBOARD["schemaVersion"] >= 39
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert panel["type"] in KINDS
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references) > 0
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([panel.get("targets") for panel in PANELS])))
    assert used - {"__rate_interval"} <= variables


def test_every_metric_is_on_the_dashboard() -> None:
    text = json.dumps(PANELS)
    assert [each.name for each in catalogue.ALL if each.name not in text] == []


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) >= 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "action"} <= rule["annotations"].keys()
        assert re.fullmatch(r"\d+[mh]", rule["for"])


def test_the_scrape_configuration_names_the_job_that_the_rules_expect() -> None:
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    assert job["job_name"] == "nightschool"
    assert all('job="nightschool"' in rule["expr"] for rule in RULES)
    assert configuration["rule_files"] == ["alerts.yml"]
