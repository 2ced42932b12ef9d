"""Names of columns, classes, cards and tasks hold HTML, scripts and template code, for the report that a browser opens.

Outcome: prevented.
"""

import json
import re
from pathlib import Path

import pandas as pd

from tests.unit.hostile import hidden_marks
from tests.unit.scenario import Scenario, cards, make_task, solve

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{ 7 * 191 }}\u202e"


async def test_no_markup_reaches_the_page(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "<b onclick='x()'>signs")
    for name in ("train", "test"):
        frame = pd.read_csv(folder / f"{name}.csv").rename(columns={"z": f"z{MARKUP}"})
        if "label" in frame:
            frame["label"] = frame["label"].replace({"no": f"no{MARKUP}"})
        frame.to_csv(folder / f"{name}.csv", index=False)
    sample = pd.read_csv(folder / "sample_submission.csv").assign(label=f"no{MARKUP}")
    sample.to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f"name = {json.dumps('n' + MARKUP)}\n")
    result = await solve(tmp_path, Scenario(retriever=cards(f"A{MARKUP}", "B")), task=folder)
    assert result.report is not None
    page = Path(result.report).read_text(encoding="utf-8")
    assert re.search(r"<(script|img|b)\b[^>]*(alert|onerror|onclick|src=x)|<script>alert", page) is None
    assert "1337" not in page
    assert hidden_marks(page) == []
    assert "&lt;script&gt;alert(1)" in page
