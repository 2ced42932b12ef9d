"""A run whose model calls are answered by your own code. Run: python examples/external.py"""

import mlestar
from mlestar.data.examples import write_example
from mlestar.offline import OfflineEngineer

model = OfflineEngineer()  # stands for your own agent: anything that turns a prompt into a text


async def answer(call: mlestar.ModelCall) -> str:
    reply = await model.ainvoke([("system", call.system), ("user", call.prompt)])
    print(f"{call.id} {call.role:20} {len(call.prompt):7} characters asked, {len(reply.text):6} answered")
    return reply.text


def main() -> None:
    folder = write_example("wine", mlestar.Settings().runs_dir / "wine")
    settings = {"model": "ask", "runner": "local", "profile": "quick", "outer_steps": 0}
    result = mlestar.solve(folder, settings=settings, on_model_call=answer)
    print(f"{result.status}: {result.metric} {result.score.fresh:.4g} on fresh rows; {result.spend}")


if __name__ == "__main__":
    main()
