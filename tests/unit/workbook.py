"""A workbook written by hand, so that tests need no library that writes one."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> Path:
    """Write sheets of texts and numbers."""
    numbers = range(1, len(sheets) + 1)
    names = zip(numbers, sheets, strict=True)
    entries = "".join(f'<sheet name="{escape(name)}" sheetId="{number}" r:id="r{number}"/>' for number, name in names)
    relation = '<Relationship Id="r{0}" Type="{1}/{2}" Target="{3}"/>'
    with zipfile.ZipFile(path, "w") as archive:
        overrides = f'<Override PartName="/xl/workbook.xml" ContentType="{_BOOK}"/>'
        overrides += "".join(f'<Override PartName="/xl/s{number}.xml" ContentType="{_SHEET}"/>' for number in numbers)
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_TYPES}">{overrides}</Types>')
        top = relation.format(1, _OFFICE, "officeDocument", "xl/workbook.xml")
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_RELATIONS}">{top}</Relationships>')
        book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        links = "".join(relation.format(number, _OFFICE, "worksheet", f"s{number}.xml") for number in numbers)
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_RELATIONS}">{links}</Relationships>')
        for number, rows in zip(numbers, sheets.values(), strict=True):
            archive.writestr(f"xl/s{number}.xml", _sheet(rows))
    return path


def _sheet(rows: Sequence[Sequence[str | float]]) -> str:
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
