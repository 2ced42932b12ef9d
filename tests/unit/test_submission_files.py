"""Which of several exports is in the run folder, whenever each of them ends."""

from pathlib import Path

from mlestar.runtime.submission import SubmissionFiles, SubmittedSolution
from mlestar.state import Solution, Verdict
from mlestar.store import Blobs, Ledger, RunFolder


def solution(score: float) -> Solution:
    verdict = Verdict(status="ok", holdout=score)
    return Solution(id=f"s{score}", origin="candidate", track=0, title="", script="", verdict=verdict)


def test_an_export_that_ends_later_replaces_no_better_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs", "run")
    folder.path.mkdir(parents=True)
    blobs, ledger = Blobs(folder.blobs), Ledger(folder.ledger)
    files = SubmissionFiles(folder, blobs, ledger)
    for score in (0.6, 0.9, 0.7):
        mine = SubmittedSolution(solution(score), blobs.put(f"# {score}"), final=False)
        files.write(mine, None, lambda current, score=score: score > (current.score or 0))  # type: ignore[misc]  # mypy knows no defaults of a lambda
    assert folder.solution.read_text(encoding="utf-8") == "# 0.9"
    files.write(SubmittedSolution(solution(0.7), blobs.put("# chosen"), final=True), None)
    assert folder.solution.read_text(encoding="utf-8") == "# chosen"
    ledger.close()
