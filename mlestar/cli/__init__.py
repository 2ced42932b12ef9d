"""Command line: parses options, calls the API, shows progress. Slow imports are inside the commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mlestar import __version__
from mlestar.cli.bench import bench
from mlestar.cli.exits import Commands
from mlestar.cli.lessons import lessons as lessons_app
from mlestar.cli.logs import configure_logging
from mlestar.cli.reading import compare, diff, runs, show
from mlestar.cli.sandbox import sandbox
from mlestar.cli.terminal import starting
from mlestar.cli.values import read_items, read_layers, resolve_settings, without_none
from mlestar.cli.weights import weights as weights_app
from mlestar.errors import SettingsError

app = typer.Typer(
    name="mlestar",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sandbox, name="sandbox")
app.add_typer(weights_app, name="weights")
app.add_typer(bench, name="bench")
app.add_typer(lessons_app, name="lessons")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mlestar {__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="Log what happens; -vv in detail. Or MLESTAR_LOG=debug.")
    ] = 0,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Machine-learning engineering: a task folder in, a graded solution and a valid submission out."""
    configure_logging(verbose)


RunsDir = Annotated[Path | None, typer.Option("--runs-dir", help="Folder that holds the run folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
AsEvents = Annotated[
    bool,
    typer.Option(
        "--json", help="Print an event per line as JSON on standard output, the result as the last; the rest on stderr."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only the result.")]
Folder = Annotated[
    Path, typer.Argument(help="Folder with a task description and its data, or the file of one labelled table.")
]
Target = Annotated[list[str] | None, typer.Option("--target", help="Column to predict. Repeatable.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column that identifies a row.")]
Split = Annotated[
    str | None,
    typer.Option("--split", help="random, stratified, time:COLUMN, series:COLUMN:TIME, group:COLUMN or space:X+Y."),
]
Goal = Annotated[str | None, typer.Option(help="What to predict, when the folder has no description.")]
MetricName = Annotated[str | None, typer.Option("--metric", help="Metric name or file.py:function.")]
ModelName = Annotated[str | None, typer.Option("--model", help="offline, ask, or provider:name.")]
ProfileName = Annotated[str | None, typer.Option("--profile", help="quick, standard or paper.")]
Trust = Annotated[bool, typer.Option("--trust", help="Execute metric.py in this process, without limits.")]
RunnerName = Annotated[str | None, typer.Option("--runner", help="auto, docker, local, or package.module:Name.")]
WeightsPolicy = Annotated[
    str | None, typer.Option("--weights", help="Pretrained weights that scripts may declare: local, ask or auto.")
]
WeightsDir = Annotated[Path | None, typer.Option("--weights-dir", help="Folder that keeps weights for all runs.")]
WeightsFolder = Annotated[
    list[Path] | None,
    typer.Option("--weights-folder", help="Folder with your own weights, which every script can read. Repeatable."),
]
Packages = Annotated[
    str | None,
    typer.Option("--packages", help="Which packages may be added for scripts: image (none), ask, auto, or a file."),
]
MaxHours = Annotated[float | None, typer.Option("--max-hours", help="Active hours the run may take.")]
MaxUsd = Annotated[float | None, typer.Option("--max-usd", help="US dollars all model calls may cost.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help="Tokens all model calls may use.")]
MaxExecutions = Annotated[int | None, typer.Option("--max-executions", help="Scripts that may be executed.")]
Parallel = Annotated[int | None, typer.Option("--parallel", help="Scripts that execute at once.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Do everything again, whatever the ledger of the run holds.")]
Review = Annotated[
    list[str] | None,
    typer.Option("--review", help="Ask a person at: models, ablation, block, plan, ensemble, submission. Repeatable."),
]
PromptsDir = Annotated[
    Path | None, typer.Option("--prompts", help="Folder whose prompt files override the built-in ones.")
]
LessonsDir = Annotated[
    Path | None, typer.Option("--lessons", help="Folder of lessons: those of earlier runs are used, this run's added.")
]
Cards = Annotated[list[Path] | None, typer.Option("--card", help="Markdown file with a model card. Repeatable.")]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="FILE", help="Your script or notebook, or RUN[:SOLUTION] of an earlier run."),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any other setting as key=value. Repeatable.")]


@app.command()
def run(
    folder: Folder,
    model: ModelName = None,
    profile: ProfileName = None,
    runner: RunnerName = None,
    packages: Packages = None,
    goal: Goal = None,
    metric: MetricName = None,
    target: Target = None,
    id_: IdColumn = None,
    split: Split = None,
    runs_dir: RunsDir = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Name of the run folder.")] = None,
    max_hours: MaxHours = None,
    max_usd: MaxUsd = None,
    max_tokens: MaxTokens = None,
    max_executions: MaxExecutions = None,
    parallel: Parallel = None,
    fresh: Fresh = False,
    review: Review = None,
    start: Start = None,
    card: Cards = None,
    prompts: PromptsDir = None,
    lessons: LessonsDir = None,
    weights: WeightsPolicy = None,
    weights_dir: WeightsDir = None,
    weights_folder: WeightsFolder = None,
    trust: Trust = False,
    set_: Set = None,
    quiet: Quiet = False,
    as_json: AsEvents = False,
) -> None:
    """Solve a task."""
    task = {"goal": goal, "metric": metric, "target": target, "id_column": id_, "split": split}
    caps = {"max_hours": max_hours, "max_usd": max_usd, "max_tokens": max_tokens, "max_executions": max_executions}
    supplies = {"packages": packages, "weights": weights, "weights_dir": weights_dir, "weights_folder": weights_folder}
    agents = {"review": review, "start": start, "cards": card, "prompts": prompts, "lessons": lessons}
    place = {"runner": runner, "runs_dir": runs_dir, "parallel": parallel, "trust": trust or None}
    options = {"model": model, "profile": profile, **task, **caps, **supplies, **agents, **place}
    settings = resolve_settings(options, set_)
    with starting(quiet=quiet):
        from mlestar.api import solve
        from mlestar.cli.showing import finish

    finish(
        lambda live: solve(folder, settings=settings, run_id=run_id, fresh=fresh, **live), as_json=as_json, quiet=quiet
    )


@app.command("resume")
def resume_run(
    run_id: str,
    runs_dir: RunsDir = None,
    answer: Annotated[Path | None, typer.Option("--answer", help="Edited copy of the run's questions.json.")] = None,
    max_hours: MaxHours = None,
    max_usd: MaxUsd = None,
    max_tokens: MaxTokens = None,
    max_executions: MaxExecutions = None,
    parallel: Parallel = None,
    fresh: Fresh = False,
    quiet: Quiet = False,
    as_json: AsEvents = False,
) -> None:
    """Resume a run where it stopped; caps may be raised."""
    with starting(quiet=quiet):
        from mlestar.api import resume
        from mlestar.cli.showing import finish
        from mlestar.session.questions import read_answers

    caps = {
        "max_hours": max_hours,
        "max_usd": max_usd,
        "max_tokens": max_tokens,
        "max_executions": max_executions,
        "parallel": parallel,
    }
    answers = read_answers(answer) if answer else None
    options: dict[str, Any] = {"settings": without_none(caps), "fresh": fresh, "answers": answers}
    finish(lambda live: resume(run_id, runs_dir=runs_dir, **options, **live), as_json=as_json, quiet=quiet)


@app.command("fork")
def fork_run(
    run_id: str,
    at: Annotated[str, typer.Option("--at", help="Decision to replace, e.g. plan:t0.r1.2, or `settings`.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="text=..., file=PATH, card=PATH, action=..., or a setting as key=value."),
    ] = None,
    fork_id: Annotated[str | None, typer.Option("--run-id", help="Name of the new run folder.")] = None,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
    as_json: AsEvents = False,
) -> None:
    """Run again with one decision replaced; finished work is free."""
    with starting(quiet=quiet):
        from mlestar.api import fork
        from mlestar.cli.review_prompt import read_answer_items
        from mlestar.cli.showing import finish

    answer, settings = read_answer_items(set_ or [])
    options: dict[str, Any] = {"at": at, "answer": answer, "settings": read_items(settings), "fork_id": fork_id}
    finish(lambda live: fork(run_id, runs_dir=runs_dir, **options, **live), as_json=as_json, quiet=quiet)


@app.command()
def demo(
    model: ModelName = None,
    runner: RunnerName = None,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
    as_json: AsEvents = False,
) -> None:
    """Solve a built-in task and grade the submission on labels that were never in its folder."""
    with starting(quiet=quiet):
        from mlestar.api import solve
        from mlestar.cli.demo import grade_demo, make_demo
        from mlestar.cli.showing import finish

    settings = resolve_settings({"model": model, "runner": runner, "runs_dir": runs_dir, "profile": "quick"})
    folder = make_demo(settings.runs_dir / "demo-task")
    finish(lambda live: solve(folder, settings=settings, **live), as_json=as_json, quiet=quiet, after=grade_demo)


@app.command()
def watch(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run that another process works on.")],
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
    as_json: AsEvents = False,
) -> None:
    """Follow a run of another process until it ends, by what is in its folder; nothing is changed there."""
    with starting(quiet=quiet):
        from mlestar.cli.watch import watch_run

    watch_run(resolve_settings({"runs_dir": runs_dir}).runs_dir, run_id, as_json=as_json, quiet=quiet)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 chooses a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open the address in the browser.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Serve a page for this machine alone: follow, review, start, stop, resume, fork and compare runs."""
    from mlestar.cli.page import serve_page

    serve_page(resolve_settings({"runs_dir": runs_dir}).runs_dir, port, browser=browser)


@app.command()
def check(
    folder: Folder,
    model: ModelName = None,
    profile: ProfileName = None,
    goal: Goal = None,
    metric: MetricName = None,
    target: Target = None,
    id_: IdColumn = None,
    split: Split = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be predicted, which rows would be withheld and what a run may cost, without running anything."""
    from mlestar.cli.check import check_task

    options: dict[str, Any] = {"model": model, "profile": profile, "goal": goal, "metric": metric}
    options |= {"target": target, "id_column": id_, "split": split}
    check_task(folder, resolve_settings(options, set_), as_json=as_json)


app.command()(runs)
app.command()(show)
app.command()(diff)
app.command()(compare)


@app.command()
def predict(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a finished run.")],
    rows: Annotated[
        Path,
        typer.Argument(metavar="ROWS", help="New rows: a table, an array file, or a folder or archive of files."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, as CSV.")],
    files: Annotated[
        Path | None, typer.Option(help="Folder or archive of the files that the rows of a table have.")
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Add the columns lower and upper, or set, that contain the truth for this share of rows: 0.5 to 0.99."
        ),
    ] = None,
    runner: RunnerName = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Train again, also where the run has a packaged predictor.")
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Predict new rows: with the packaged predictor of the run, or else by executing the winner's script again."""
    from mlestar.cli.predict import predict_file

    predict_file(
        resolve_settings({"runs_dir": runs_dir}).runs_dir,
        run_id,
        rows,
        output,
        runner,
        coverage,
        replay=replay,
        files=files,
    )


@app.command()
def package(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a finished run.")],
    model: Annotated[
        str | None, typer.Option(help="Model that splits the script, in place of that of the run.")
    ] = None,
    max_usd: Annotated[float | None, typer.Option(help="US dollars the calls of the packager may cost.")] = None,
    runner: RunnerName = None,
    runs_dir: RunsDir = None,
) -> None:
    """Package the winner: split it into fitting and predicting, and keep the result if it predicts the same."""
    from mlestar.cli.predict import package_run

    folder = resolve_settings({"runs_dir": runs_dir}).runs_dir
    if not package_run(folder, run_id, model, max_usd, runner):
        raise typer.Exit(1)


@app.command()
def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a finished run.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; it does not exist or is empty.")],
    runner: RunnerName = None,
    runs_dir: RunsDir = None,
) -> None:
    """Write a folder that works without mlestar: the packaged winner, a model card, a service, files for MLflow."""
    from mlestar.cli.export import export_folder

    export_folder(resolve_settings({"runs_dir": runs_dir}).runs_dir, run_id, folder, runner)


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run that has ended or stopped.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write, in place of report.html of the run.")
    ] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Write the report of a run again, from its folder alone, also while the run works."""
    from mlestar.cli.report import report_run

    report_run(resolve_settings({"runs_dir": runs_dir}).runs_dir, run_id, output)


@app.command()
def track(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run that has ended or stopped.")],
    mlflow: Annotated[str | None, typer.Option(help="Address of an MLflow server, or env.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Name of the experiment in MLflow.")] = None,
    otel: Annotated[bool, typer.Option("--otel", help="Send OpenTelemetry spans.")] = False,
    follow: Annotated[float | None, typer.Option(hidden=True)] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Send a run to MLflow or an OpenTelemetry collector; by default to where its settings say."""
    from mlestar.cli.track import track_run
    from mlestar.store import RunFolder

    folder = RunFolder(resolve_settings({"runs_dir": runs_dir}).runs_dir, run_id)
    track_run(folder, {"mlflow": mlflow, "experiment": experiment, "otel": otel}, follow)


@app.command("settings")
def show_settings(
    profile: ProfileName = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show every setting with its value, and whether an option, the environment, mlestar.toml or a default sets it."""
    from mlestar.cli.show_settings import show

    show(read_layers({"profile": profile}, set_), as_json=as_json)


@app.command()
def graph(
    name: Annotated[str, typer.Argument(help="pipeline, track, evaluation or ensemble.")] = "pipeline",
    xray: Annotated[bool, typer.Option(help="Draw subgraphs too.")] = False,
) -> None:
    """Print a graph as Mermaid text."""
    from mlestar.graph import build_ensemble, build_evaluation, build_graph, build_track_alone

    builders: dict[str, Callable[[], Any]] = {
        "pipeline": build_graph,
        "track": build_track_alone,
        "evaluation": build_evaluation,
        "ensemble": build_ensemble,
    }
    if name not in builders:
        msg = f"no graph {name!r}: choose one of {', '.join(builders)}"
        raise SettingsError(msg)
    typer.echo(builders[name]().compile(name=name).get_graph(xray=xray).draw_mermaid())


@app.command()
def mcp(
    model: ModelName = None,
    profile: ProfileName = None,
    runner: RunnerName = None,
    runs_dir: RunsDir = None,
    set_: Set = None,
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder whose task folders clients may open. Default: the current one.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="TOML file that states what clients may set; see docs/embedding.md.")
    ] = None,
) -> None:
    """Serve runs to clients of the Model Context Protocol, over standard input and output."""
    settings = resolve_settings({"model": model, "profile": profile, "runner": runner, "runs_dir": runs_dir}, set_)
    try:
        from mlestar.integrations.clients import ClientRules
        from mlestar.integrations.mcp import make_server
    except ModuleNotFoundError as error:
        msg = "`mlestar mcp` needs a package: pip install 'mlestar[mcp]'"
        raise SettingsError(msg) from error

    allowed = ClientRules.read(rules) if rules else ClientRules()
    make_server(settings, allowed.with_roots(tuple(root or ()))).run("stdio")


@app.command()
def doctor(
    run_id: Annotated[str | None, typer.Argument(help="A run to check for damage and to repair.")] = None,
    model: ModelName = None,
    runs_dir: RunsDir = None,
    set_: Set = None,
) -> None:
    """Check key, model, price, retrieval, engine, image, disk and memory; ask the model that --model names.

    With the name of a run: look for damage in its folder and repair what can be repaired.
    """
    from mlestar.cli.doctor import examine, examine_run

    if run_id is not None:
        examine_run(resolve_settings({"runs_dir": runs_dir}).runs_dir, run_id)
        return
    examine(resolve_settings({"model": model}, set_))


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Exception as error:
        from mlestar.cli.terminal import print_defect

        print_defect(error)
        raise SystemExit(1) from None
