"""A first brief: what prompts contain of a task and of where its scripts execute."""

from mlestar.data.task import Task
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.runtime.context import RunContext
from mlestar.state import Brief


async def draft_brief(ctx: RunContext, task: Task, split: SplitPlan | None) -> Brief:
    """Return the brief of a task, without notes on its split and without what may be added to the sandbox."""
    environment, settings = await ctx.executor.environment(), ctx.settings
    return Brief(
        spec=task.spec,
        description=task.description,
        statistics=task.statistics,
        share=settings.share,
        split=split,
        fresh_share=settings.fresh_share,
        python=environment.python,
        packages=environment.packages,
        distributions=environment.distributions,
        modules=environment.modules,
        image=environment.image,
        cpus=environment.cpus,
        memory_mb=environment.memory_mb,
        gpu=environment.gpu,
        network=environment.network,
        seconds=settings.script_seconds,
        subsample_rows=settings.subsample_rows,
        seed=settings.seed,
    )
