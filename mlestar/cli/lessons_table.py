"""How lessons look in a terminal."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mlestar.cli.tables import make_console
from mlestar.cli.terminal import echo_json
from mlestar.lessons import Content, RunLessons, Stored, Trial, find_run
from mlestar.store.text import to_json


def print_runs(content: Content, *, as_json: bool) -> None:
    """Print each run with its facts and the number of its records, then how many runs there are of each kind."""
    runs = [one.lessons for one in content.stored]
    if as_json:
        echo_json(to_json([{**_facts(run), "records": len(run.trials) + len(run.failures)} for run in runs], indent=2))
        return
    console = make_console()
    if not runs:
        console.print(Text("no lessons"))
        return
    table = Table(box=None, header_style="dim")
    table.add_column("run", no_wrap=True)
    for column in ("kind", "problem", "metric", "rows", "ideas", "parts", "models", "failures"):
        table.add_column(column, overflow="fold")
    for run in runs:
        kinds = Counter(trial.kind for trial in run.trials)
        counts = (kinds["idea"], kinds["part"], kinds["model"], len(run.failures))
        facts = (run.facts.kind, run.facts.problem, run.facts.metric, run.facts.rows)
        table.add_row(Text(run.run), *map(Text, facts), *map(str, counts))
    console.print(table)
    total = ", ".join(f"{count} {kind}" for kind, count in Counter(run.facts.kind for run in runs).most_common())
    console.print(Text(f"{len(runs)} runs: {total}"))


def choose(content: Content, what: str) -> list[RunLessons]:
    """Return the lessons of a run, else those whose facts contain a text; all without one."""
    found: Sequence[Stored] = find_run(content, what)
    if not found:
        text = what.casefold()
        found = [one for one in content.stored if text in " ".join(_words(one.lessons)).casefold()]
    return [one.lessons for one in found]


def _words(run: RunLessons) -> list[str]:
    return [str(value) for value in run.facts.model_dump().values()]


def print_records(runs: Sequence[RunLessons], *, as_json: bool) -> None:
    """Print what each run tried and how its scripts failed."""
    if as_json:
        echo_json(to_json([run.model_dump(mode="json") for run in runs], indent=2))
        return
    console = make_console()
    for run in runs:
        facts = run.facts
        console.print(Text(f"{run.run}: {facts.kind}, {facts.problem}, {facts.metric}, {facts.rows} of rows", "bold"))
        table = Table(box=None, header_style="dim")
        for column in ("tried", "where", "what", "effect", "seconds"):
            table.add_column(column, overflow="fold")
        for trial in run.trials:
            table.add_row(*map(Text, (trial.kind, trial.component, trial.idea, _effect(trial), f"{trial.seconds:g}")))
        console.print(table)
        for failure in run.failures:
            scripts = f"{failure.met} script{'s' if failure.met > 1 else ''}"
            fixed = f"; repaired: {failure.fixed_by}" if failure.fixed_by else ""
            console.print(Text(f"failed in {scripts}: {failure.error}{fixed}"))


def _effect(trial: Trial) -> str:
    if trial.status != "ok" or trial.effect is None:
        return "-" if trial.status == "ok" else trial.status
    return f"{trial.effect:+.3g} ± {trial.error or 0:.2g}"


def _facts(run: RunLessons) -> dict[str, object]:
    return {"run": run.run, "status": run.status, **run.facts.model_dump()}
