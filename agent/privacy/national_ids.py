"""Ids that states give to persons, by shape and check digits (python-stdnum); plain digits need a label."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from agent.privacy.finds import Find
from agent.privacy.labels import has_label

_ID = (
    r"national (?:id|insurance|number)|identi(?:ty|fication)|social (?:security|insurance)|tax(?:payer)?\b"
    r"|citizen|resident|health|patient"
)


class _Kind(NamedTuple):
    """One country's ids: the module of stdnum that checks them, their shape, and the labels they need."""

    module: str
    shape: re.Pattern[str]
    label: re.Pattern[str] | None = None


def _kind(module: str, shape: str, label: str | None = None) -> _Kind:
    whole = re.compile(rf"(?<![\w.+-])(?:{shape})(?![\w-]|\.\d)", re.IGNORECASE)
    return _Kind(module, whole, None if label is None else re.compile(f"{_ID}|{label}", re.IGNORECASE))


_KINDS = (
    _kind("ar.cuit", r"(?:20|2[3-7]|30|33)-\d{8}-\d"),
    _kind("au.tfn", r"\d{3} ?\d{3} ?\d{2,3}", r"\btfn\b"),
    _kind("be.nn", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d"),
    _kind("be.nn", r"\d{11}", r"rijksregister|registre national"),
    _kind("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d"),
    _kind("br.cpf", r"\d{11}", r"\bcpf\b"),
    _kind("ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", r"\bsin\b|\bnas\b"),
    _kind("cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]"),
    _kind("cn.ric", r"\d{17}[\dX]"),
    _kind("de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", r"steuer|\btin\b|idnr"),
    _kind("dk.cpr", r"\d{6}-?\d{4}", r"\bcpr\b|personnummer"),
    _kind("es.dni", r"\d{8}-?[A-Z]"),
    _kind("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _kind("fi.hetu", r"\d{6}[-+ABCDEFUVWXY]\d{3}[\dA-Y]"),
    _kind("fr.nir", r"[12] ?\d\d ?[01]\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d"),
    _kind("gb.nhs", r"\d{3} ?\d{3} ?\d{4}", r"\bnhs\b"),
    _kind("ie.pps", r"\d{7}[A-W][A-IW]?", r"\bpps"),
    _kind("in_.aadhaar", r"\d{4}[ -]?\d{4}[ -]?\d{4}", r"aadhaar"),
    _kind("in_.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", r"\bpan\b"),
    _kind("it.codicefiscale", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"),
    _kind("kr.rrn", r"\d{6}-[1-8]\d{6}"),
    _kind("mx.curp", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[\dA-Z]\d"),
    _kind("nl.bsn", r"\d{9}|\d{4}[.]\d\d[.]\d{3}", r"\bbsn\b|burgerservice|sofi"),
    _kind("no.fodselsnummer", r"\d{6} ?\d{5}", r"f[øo]dselsnummer|personnummer"),
    _kind("pl.pesel", r"\d{11}", r"pesel"),
    _kind("pt.cc", r"\d{8} ?\d ?[A-Z\d]{2}\d", r"cart[aã]o de cidad|\bcc\b"),
    _kind("se.personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", r"person(?:nummer|number)"),
    _kind("tr.tckimlik", r"\d{11}", r"kimlik|\btc\b"),
    _kind("us.ssn", r"\d{9}", r"\bssn\b"),
    _kind("za.idnr", r"\d{13}", r"south africa"),
)
_GB_NINO = re.compile(
    r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D](?![\w-])"
)
"""A British national insurance number, which has no check digit but a shape of its own."""


def national_ids(text: str) -> Iterator[Find]:
    """National ids in the text: NATIONAL_ID, and US_SSN for those of the United States."""
    for kind in _KINDS:
        for match in kind.shape.finditer(text):
            if kind.label is not None and not has_label(text, match.span(), kind.label):
                continue
            if import_module(f"stdnum.{kind.module}").is_valid(match[0].upper()):
                type_ = "US_SSN" if kind.module == "us.ssn" else "NATIONAL_ID"
                yield Find(*match.span(), 0.95, type_)
    for match in _GB_NINO.finditer(text):
        yield Find(*match.span(), 0.9, "NATIONAL_ID")
