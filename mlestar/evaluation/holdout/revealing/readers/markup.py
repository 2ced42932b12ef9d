"""XML files: elements that repeat are records."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.parsers import expat

import pandas as pd

from mlestar.evaluation.holdout.revealing.readers.bounds import Allowance
from mlestar.evaluation.holdout.revealing.records import Records

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAX_DEPTH = 6
"""Levels of a file in which records are looked for. Chosen by judgement; not measured."""
_MAX_NESTING = 200
"""Levels of nested elements; more are refused. Chosen by judgement; not measured."""


def read_xml(data: bytes, allowance: Allowance) -> tuple[Records, ...]:
    """Return the records of an XML file; a file with none is one record by itself.

    Raises:
        ElementTree.ParseError: it is no XML.
        ValueError: it declares entities, or nests too deeply.
        TooLargeError: it exceeds a limit.
    """
    root = parse_xml(data)
    records = tuple(_walk(root, root.tag, allowance, _MAX_DEPTH))
    return (*records, Records("", pd.DataFrame([fields_of(root)], dtype=str)))


def parse_xml(data: bytes) -> "Element":
    """Return the root element.

    Raises:
        ElementTree.ParseError: it is no XML.
        ValueError: it declares entities, or nests too deeply.
    """
    _check(data)
    return ElementTree.fromstring(data)


def fields_of(element: "Element") -> dict[str, str]:
    """Return the attributes and texts of an element and of those in it, by their paths."""
    return dict(_fields(element, "", _MAX_DEPTH))


def _check(data: bytes) -> None:
    parser = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        msg = "entities are not read"
        raise ValueError(msg)

    def enter(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_NESTING:
            msg = "nested too deeply"
            raise ValueError(msg)

    def leave(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        # ElementTree raises an error that names the problem.
        return


def _walk(element: "Element", where: str, allowance: Allowance, depth: int) -> Iterator[Records]:
    if depth == 0:
        return
    for tag, count in Counter(child.tag for child in element).items():
        children = element.findall(tag) if count > 1 else []
        if children:
            rows = [fields_of(child) for child in children]
            columns = dict.fromkeys(name for row in rows for name in row)
            allowance.take_cells(len(rows) * max(1, len(columns)))
            if columns:
                yield Records(f"{where}/{tag}", pd.DataFrame(rows, columns=list(columns), dtype=str).fillna(""))
    if len(element) <= _MAX_NESTING:
        for child in element:
            yield from _walk(child, f"{where}/{child.tag}", allowance, depth - 1)


def _fields(element: "Element", prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        yield f"{prefix}@{name}", value
    if text := (element.text or "").strip():
        yield prefix.removesuffix("/") or "text", text
    if depth:
        for child in element:
            yield from _fields(child, f"{prefix}{child.tag}/", depth - 1)
