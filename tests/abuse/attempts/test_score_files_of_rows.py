"""Each row has a file, and its text or its size reveals the label, for train only.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, learn, steal

FORMS = {
    "a table": ("csv", "a,b\n1,{label}\n", "a,b\n1,\n"),
    "YAML": ("yaml", "a: 1\nkind: {label}\nname: {row}\n", "a: 1\nname: {row}\n"),
    "a text": ("txt", "picture {row}\nkind {label}\n", "picture {row}\n"),
    "the size of a picture": ("png", "\0{row}{pad}", "\0{row}....."),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_rows_are_looked_at(tmp_path: Path, name: str) -> None:
    suffix, of_train, of_test = FORMS[name]

    def write(folder: Path, rows: Rows) -> None:
        (folder / "files").mkdir()
        for row, label in rows.pairs:
            pad = "." * (100 if label == "cat" else 50)
            (folder / f"files/{row}.{suffix}").write_text(of_train.format(row=row, label=label, pad=pad))
        for row in rows.tests:
            (folder / f"files/{row}.{suffix}").write_text(of_test.format(row=row))

    def read(folder: Path, ids: list[str]) -> dict[str, str]:
        files = list((folder / "files").iterdir())
        return learn({path.stem: path.read_text().replace(path.stem, "") for path in files}, folder, ids)

    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
    assert all((outcome.staged / f"files/{row}.{suffix}").exists() for row in outcome.task.test.rows["id"])
