"""The description of the task lists ids with their labels, those of rows that are kept apart too.

Outcome: succeeds; stated in docs/security.md. The text is what a person wants agents to read.
"""

from pathlib import Path

from tests.abuse.attempts.helpers_score import Rows, steal


def write(folder: Path, rows: Rows) -> None:
    text = f"# Animals\n\n## Evaluation\nAccuracy.\n\n## Notes\n{rows.lines(': ')}\n"
    (folder / "task.md").write_text(text)


def test_agents_read_what_a_description_says(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, lambda folder, ids: {})
    rows = outcome.task.train.rows.iloc[outcome.holdout.withheld]
    named = [
        f"{row}: {label}" in outcome.task.description for row, label in zip(rows["id"], rows["label"], strict=True)
    ]
    assert any(named)
    assert not (outcome.staged / "task.md").exists()
