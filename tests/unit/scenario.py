"""Scenarios: scripted runs of the whole pipeline, without a model and without a container engine.

A `Scenario` answers prompts in place of a model and executes scripts in place of a sandbox. Its scripts are never run:
comments in them state what comes of them, and submissions are written accordingly, so that the real grader grades them
on the real holdout.

Comments in a script (of several qualities or claims the last one counts, so that a replaced block changes both)

    # quality 0.7        its predictions are right on 70 % of the rows
    # quality sample     it submits the sample submission unchanged
    # quality silent     it ends well and writes no file
    # quality slow       it prints `epoch 1` and exceeds its time limit
    # quality broken     any other word: it ends with `KeyError: 'x' (broken)`
    # claim 0.99         it reports this score; without the line, `claim=` of the scenario (0.5)
    # track {track}      the track that wrote it: leakage checks of its text belong to that track
    # variant plain 0.6  in an ablation study: the quality of a variant, or a word if the variant fails; without
                         any such line, one variant `plain` that is 0.1 worse than the baseline

`script(0.7, "title", claim=0.99)` and `study(0.7, ("plain", 0.6), ("other", "broken"))` write them; `fence` turns
them into a reply, and `block(0.8)` is a reply of the coder. A script that contains the word `variants` is executed as a
study: its quality is that of the baseline.

Replies by role (roles that are not given answer as in `DEFAULTS`; `{track}` becomes the number of the track that asks)

    Scenario(merger="no code")                  the same text each time
    Scenario(coder=[first, second])             in turn within each track; the last one is repeated
    Scenario(planner=lambda prompt: "A plan.")  a function of the prompt; it may raise, as a provider does
    Scenario(METHOD, merger="no code")          a mapping of replies, and one other reply

Where single tracks and executions differ

    Scenario(tracks={1: {"merger": "no code"}})  replies of track 1
    Scenario(jobs={"t0.a1": "broken"})           a quality by the name of the execution, in place of the script's

An execution belongs to the track in its name; rescorings, exports and ensembles belong to `NO_TRACK` (see `of`).

Names of executions

    t0.s0, t0.s1     the person's own script as given, and adapted
    t0.c1            candidate 1 of track 0
    t0.m1            its first merge
    t0.u             its script as the usage checker extended it
    t0.a1            the ablation study of its first outer step
    t0.r1.2          its first outer step, second plan
    e1               the first ensemble
    t0.r1.2-fresh1   the rescoring of a finalist on the first fresh split
    t0.r1.2-export   its run on all rows, which writes the submission; `early` lists those of the first valid
                     candidates (`t0.c1-export`), which run beside the search, and `ran` all other executions
    t0.r1.2.whole    the winner without its subsampling
    t0.r1.2.edited   the winner as a person edited it
    simple-holdout   the simple model on the input of the search, `simple-fresh1` on the first fresh split; only with
                     the setting `baselines=True`

Settings: `SMALL` is the quick profile (one track of two candidates, one outer step of two plans, one fresh split, no
ensemble); `FULL` has two tracks of three candidates, two outer steps of three plans, three ensembles, and three
finalists that are rescored on two fresh splits. `solve(folder, scenario, FULL, tracks=1)` changes one setting.
"""

import atexit
import json
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.report import Result
from mlestar.retrieval import Retriever
from mlestar.runners import Execution, Job, Runner, ScriptedRunner
from mlestar.runners.base import ExecutionStatus
from mlestar.runtime.options import RunOptions
from mlestar.settings import Settings
from mlestar.state import NO_TRACK

QUALITY = re.compile(r"# quality (\S+)")
CLAIM = re.compile(r"# claim (\S+)")
TRACK = re.compile(r"# track (-?\d+)")
ASKED_BY = re.compile(r"<track>(-?\d+)</track>")
VARIANT = re.compile(r"# variant (\w+) (\S+)")

SIMPLE_QUALITY = "0.55"
"""Of the simple model of the baselines, which is no script of an agent and states none."""
EARLY = re.compile(r"t(\d+)\.(?:c\d+|s1)-export")

Reply = str | list[str] | Callable[[str], str]


def make_task(folder: Path, rows: int = 400) -> Path:
    """Write a task whose target follows from one column."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"id": np.arange(rows), "x": rng.normal(size=rows).round(4), "z": rng.normal(size=rows).round(4)}
    )
    frame["label"] = np.where(frame["x"] > 0, "yes", "no")
    folder.mkdir(parents=True)
    (folder / "task.md").write_text("# Signs\n\n## Evaluation\nClassification accuracy.\n", encoding="utf-8")
    train, test = frame.iloc[: rows * 3 // 4], frame.iloc[rows * 3 // 4 :].drop(columns="label")
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(label="no").to_csv(folder / "sample_submission.csv", index=False)
    return folder


def count_rows(folder: Path, direction: str = "maximize") -> Path:
    """Give a task a metric that takes no time: the share of right rows, or of wrong ones where less is better."""
    measure = "==" if direction == "maximize" else "!="
    metric = f"def share(truth, predicted):\n    return float((truth {measure} predicted).mean())\n"
    (folder / "metric.py").write_text(metric, encoding="utf-8")
    spec = f'metric = "metric.py:share"\ndirection = "{direction}"\nprediction_kind = "label"\nsplit = "stratified"\n'
    (folder / "task.toml").write_text(spec, encoding="utf-8")
    return folder


@cache
def signs(direction: str = "maximize") -> mlestar.Task:
    """Return a small task that counts rows, read once per process: never change its folder."""
    folder = Path(tempfile.mkdtemp(prefix="mlestar-signs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return mlestar.Task.load(count_rows(make_task(folder / "signs"), direction))


def script(quality: float | str, title: str = "", *, claim: float | None = None) -> str:
    """Return a script of this quality; a word instead of a number names how it fails."""
    claim_line = "" if claim is None else f"# claim {claim}\n"
    return (
        f"# quality {quality} {title}\n{claim_line}# track {{track}}\n"
        "def load():\n    return 1\n\n\n"
        f"def model():\n    return '{title}'\n\n\n"
        "print('Final Validation Performance: 0.5')\nopen('submission.csv')\n"
    )


def study(quality: float | str, *variants: tuple[str, float | str]) -> str:
    """Return a study: the quality of its baseline and of every variant; a word names how one fails."""
    lines = [f"# variant {name} {value}" for name, value in variants]
    return "\n".join([f"# quality {quality}", "# track {track}", *lines, "# writes variants/NAME.csv", "print(1)"])


def fence(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def block(quality: float | str, lines: str = "") -> str:
    """Return the coder's reply: the block `load` with this quality, and other lines in front of it."""
    return fence(f"def load():\n    {lines}# quality {quality}\n    return '{quality}'")


def as_json(**values: object) -> str:
    return fence(json.dumps(values), "json")


def by_card(**replies: str) -> Callable[[str], str]:
    """Answer the initializer by the name of the card in its prompt."""
    return lambda prompt: next(reply for name, reply in replies.items() if f'"name": "{name}"' in prompt)


def lose_connection(prompt: str) -> str:
    """Answer as a provider that cannot be reached."""
    raise ConnectionError


class Scenario:
    """What models reply and how scripts end in one run; records what was asked and executed.

    Args:
        common: replies by role, for those that are shared by several scenarios; `replies` take precedence.
        claim: what scripts report that state no claim.
        tracks: replies of single tracks, in place of the ones for all.
        jobs: quality of single executions by name, in place of the script's own.
        replies: by role.
    """

    def __init__(
        self,
        common: Mapping[str, Reply] | None = None,
        /,
        *,
        claim: float = 0.5,
        tracks: Mapping[int, Mapping[str, Reply]] | None = None,
        jobs: Mapping[str, str] | None = None,
        **replies: Reply,
    ) -> None:
        self.replies = {**DEFAULTS, **(common or {}), **replies}
        self.tracks = tracks or {}
        self.jobs = jobs or {}
        self.claim = claim
        self.asked: list[str] = []
        self.prompts: defaultdict[str, list[str]] = defaultdict(list)
        self.ran: list[str] = []
        """Name of every execution in order, but for the early exports."""
        self.early: list[str] = []
        """Exports beside the search: of the first valid solution of each track, at no certain moment."""
        self.scripts: dict[str, str] = {}
        """Script of every execution by its name."""
        self.inputs: dict[str, dict[str, str]] = {}
        """Text of every file in `./input` by the execution's name."""
        self.events: list[tuple[int, str]] = []
        """Every question (its role) and execution (its name) with the track it belongs to, in order."""

    def model(self) -> ScriptedModel:
        return ScriptedModel(answer=self.answer)

    def runner(self) -> Runner:
        return ScriptedRunner(self.run)

    def options(self, **more: Unpack[RunOptions]) -> RunOptions:
        """Return the keyword arguments of a run with this model and runner."""
        return {"model": self.model(), "runner": self.runner(), **more}

    def count(self, track: int | None = None) -> Counter[str]:
        """Return how often each role was asked, in one track or in all."""
        return Counter(self.asked) if track is None else Counter(e for e in self.of(track) if e in DEFAULTS)

    def of(self, track: int) -> list[str]:
        """Return the events of a track in order."""
        return [event for owner, event in self.events if owner == track]

    def steps(self, track: int) -> list[str]:
        """Return the events of a track from the end of its candidates on, without the leakage checks."""
        events = self.of(track)
        starts = [i for i, event in enumerate(events) if event == "initializer" or re.search(r"\.c\d+$", event)]
        return [event for event in events[max(starts, default=-1) + 1 :] if event != "leakage_checker"]

    def answer(self, role: str, prompt: str) -> str:
        track = _owner(role, prompt)
        reply = self.tracks.get(track, {}).get(role, self.replies[role])
        turn = self.count(track)[role]
        self.asked.append(role)
        self.events.append((track, role))
        self.prompts[role].append(prompt)
        if callable(reply):
            text = reply(prompt)
        else:
            text = reply if isinstance(reply, str) else reply[min(turn, len(reply) - 1)]
        return text.replace("{track}", str(track))

    def run(self, job: Job) -> Execution:
        self.scripts[job.name] = job.script
        self.inputs[job.name] = {path.name: path.read_text(encoding="utf-8") for path in job.input.glob("*.*")}
        if EARLY.fullmatch(job.name):
            self.early.append(job.name)
        else:
            self.ran.append(job.name)
            self.events.append((_track(job.name), job.name))
        quality = self.jobs.get(job.name) or (QUALITY.findall(job.script) or [SIMPLE_QUALITY])[-1]
        if quality == "sample":
            shutil.copyfile(job.input / "sample_submission.csv", job.collect / "submission.csv")
            return success(("submission.csv",))
        if not _is_number(quality):
            return failure(quality)
        if "variants" in job.script:
            return _run_study(job, quality)
        write_submission(job, "submission.csv", float(quality))
        claims = CLAIM.findall(job.script)
        return success(("submission.csv",), f"Final Validation Performance: {claims[-1] if claims else self.claim}\n")


def _owner(role: str, prompt: str) -> int:
    """Return the track that asks; a leakage check, whose reply all tracks share, belongs to the track of its script."""
    if role == "analyst" or role.startswith("ensembl"):
        return NO_TRACK
    stated = TRACK.findall(prompt) if role == "leakage_checker" else []
    return int((stated or ASKED_BY.findall(prompt))[0])


def _track(job: str) -> int:
    return int(job[1]) if job.startswith("t") and not re.search("-(fresh|export)", job) else NO_TRACK


def _is_number(text: str) -> bool:
    return text.replace(".", "").isdigit()


def _run_study(job: Job, quality: str) -> Execution:
    """Write a submission for the baseline and for every variant that does not fail."""
    variants = [("baseline", quality), *(VARIANT.findall(job.script) or [("plain", str(float(quality) - 0.1))])]
    working = {name: float(value) for name, value in variants if _is_number(value)}
    for name, value in working.items():
        write_submission(job, f"variants/{name}.csv", value)
    stdout = "".join(f"Ablation {name}: {working.get(name, 'failed')}\n" for name, _ in variants)
    return success(tuple(f"variants/{name}.csv" for name in working), stdout)


def write_submission(job: Job, name: str, share: float) -> None:
    test = pd.read_csv(job.input / "test.csv")
    truth = np.where(test["x"] > 0, "yes", "no")
    wrong = np.arange(len(test)) >= round(share * len(test))
    label = np.where(wrong, np.where(truth == "yes", "no", "yes"), truth)
    target = job.collect / name
    target.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"id": test["id"], "label": label}).to_csv(target, index=False)


def success(files: tuple[str, ...], stdout: str = "") -> Execution:
    return Execution(status="ok", exit_code=0, stdout=stdout, stderr="", seconds=1.0, peak_memory_mb=10.0, files=files)


def failure(kind: str) -> Execution:
    """Return a failure: `slow` runs out of time, `silent` ends well and writes nothing, any other word is an error."""
    if kind == "silent":
        return success(())
    status: ExecutionStatus = "timeout" if kind == "slow" else "error"
    error = f"Traceback (most recent call last):\nKeyError: 'x' ({kind})"
    return Execution(
        status=status, exit_code=1, stdout="epoch 1\n", stderr=error, seconds=1.0, peak_memory_mb=10.0, files=()
    )


def cards(*names: str) -> str:
    return as_json(cards=[{"name": name, "libraries": []} for name in names])


def choose_block(prompt: str) -> str:
    """Answer the extractor with the first of two blocks that no earlier step refined."""
    refined = "<earlier_block>\ndef load" in prompt
    blocks = re.findall(r"^def (?:model|load)\(\):\n(?:    .*\n)+", prompt.split("<script>")[1], re.MULTILINE)
    return as_json(block=blocks[refined], plan="Write this block in a better way, with care.")


def rewrite(*qualities: float | str) -> Callable[[str], str]:
    """Answer the coder: the block of the prompt, with the quality at the position of the plan's number."""

    def answer(prompt: str) -> str:
        code = prompt.split("<block>\n")[1].split("\n</block>")[0]
        number = re.search(r"<plan>\s*Plan number (\d+)", prompt)
        quality = qualities[min(int(number[1]) - 1 if number else 0, len(qualities) - 1)]
        return fence(f"{code.rstrip()} or {len(code)}  # quality {quality}")

    return answer


DEFAULTS: dict[str, Reply] = {
    "analyst": fence("{}", "json"),
    "retriever": cards("A", "B"),
    "initializer": [fence(script(0.6, "A")), fence(script(0.7, "B"))],
    "adapter": fence(script(0.65, "adapted")),
    "merger": fence(script(0.75, "merged")),
    "usage_checker": "ALL USED",
    "leakage_checker": fence('{"leak": false}', "json"),
    "leakage_fixer": "I will not.",
    "ablator": fence(study(0.8)),
    "summarizer": "The plain variant is worse: the part helps.",
    "extractor": as_json(block="def load():\n    return 1", plan="Load better, by a better way."),
    "coder": [block(q) for q in (0.85, 0.9, 0.7, 0.6)],
    "planner": [f"Plan number {number} for the block." for number in range(2, 20)],
    "ensemble_planner": [f"Average in way {number}." for number in range(1, 20)],
    "ensembler": [fence(script(q, f"ensemble{q}")) for q in (0.8, 0.95, 0.85)],
    "bug_summarizer": "The column x is missing.",
    "debugger": fence(script(0.65, "repaired")),
    "subsampling_extractor": fence("{}", "json"),
    "subsampling_remover": "I will not.",
}

SMALL: dict[str, object] = {
    "profile": "quick",
    "retrieval": "none",
    "resamples": 40,
    "give_up_after": 100,
    "baselines": False,
    "importance": False,
}
FULL: dict[str, object] = {
    "retrieval": "none",
    "retrieved_models": 3,
    "outer_steps": 2,
    "inner_plans": 3,
    "tracks": 2,
    "ensemble_rounds": 3,
    "finalists": 3,
    "fresh_splits": 2,
    "baselines": False,
    "importance": False,
    "resamples": 40,
    "give_up_after": 100,
}


async def solve(
    folder: Path,
    scenario: Scenario,
    settings: Mapping[str, object] = SMALL,
    *,
    task: Path | mlestar.Task | None = None,
    run_id: str = "run",
    retrieval: Retriever | None = None,
    **more: object,
) -> Result:
    """Run a task, by default `signs`, with settings that differ from the given ones in `more`."""
    common = {"runs_dir": folder / "runs", "model_backoff": 0, "accept": "better"}
    resolved = Settings.resolve({**common, **settings, **more})
    return await mlestar.asolve(
        task or signs(), settings=resolved, run_id=run_id, **scenario.options(retrieval=retrieval)
    )


async def resume(
    folder: Path,
    scenario: Scenario,
    *,
    settings: Mapping[str, object] | None = None,
    **options: Unpack[RunOptions],
) -> Result:
    """Resume the run that `solve` began in this folder."""
    return await mlestar.aresume("run", runs_dir=folder / "runs", settings=settings, **scenario.options(**options))
