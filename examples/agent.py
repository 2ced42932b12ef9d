"""An agent that solves a task folder with mlestar as its tool. Run: python examples/agent.py"""

import os

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

import mlestar
from mlestar.data.examples import write_example


class ScriptedChat(GenericFakeChatModel):
    """Replies with its messages when no key is set: a call of the tool, then a closing line."""

    def bind_tools(self, tools, **kwargs):
        return self


def choose_model(folder: str) -> BaseChatModel:
    if os.environ.get("GOOGLE_API_KEY"):
        return init_chat_model("google_genai:gemini-2.5-pro")
    call = {"name": "solve_task", "args": {"folder": folder}, "id": "1"}
    return ScriptedChat(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("Done; the score is above.")]))


def main() -> None:
    folder = str(write_example("wine", mlestar.Settings().runs_dir / "wine").absolute())
    tool = mlestar.as_tool({"model": "offline", "runner": "local", "profile": "quick", "outer_steps": 0})
    agent = create_agent(choose_model(folder), [tool])
    request = {"messages": [("user", f"Solve the task in {folder} and report its score.")]}
    for mode, part in agent.stream(request, stream_mode=["custom", "values"]):
        if mode == "custom" and not part.role:
            print(f"{part.stage:14} {part.message}")
    for message in part["messages"][1:]:
        print(f"{message.type}: {message.text}")


if __name__ == "__main__":
    main()
