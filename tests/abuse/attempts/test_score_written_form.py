"""The label is how a line of a side file is written: its quotes, its line end, its key in capitals.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, learn, steal

FORMS = {
    "quotes": ('"{row}",5\n', "{row},5\n"),
    "line ends": ("{row},5\r\n", "{row},5\n"),
    "capitals": ("{upper},5\n", "{row},5\n"),
    "two records": ("{row},5\n{row},5\n", "{row},5\n"),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_lines_is_looked_at(tmp_path: Path, name: str) -> None:
    marked, plain = FORMS[name]

    def write(folder: Path, rows: Rows) -> None:
        forms = [(row, marked if label == "cat" else plain) for row, label in rows.pairs]
        forms += [(row, plain) for row in rows.tests]
        text = "id,x\n" + "".join(form.format(row=row, upper=row.upper()) for row, form in forms)
        (folder / "extra.csv").write_bytes(text.encode())

    def read(folder: Path, ids: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in (folder / "extra.csv").read_bytes().decode().split("\n")[1:-1]:
            row = line.split(",")[0].strip('"').lower()
            found[row] = found.get(row, "") + line.replace(row, "id").replace(row.upper(), "ID")
        return learn(found, folder, ids)

    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
