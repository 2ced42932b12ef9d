"""Model calls that an MCP client answers with its own model, by sampling.

Up to revision 2025-11-25 of the protocol the server sends a request of its own. Since 2026-07-28 the tool returns the
requests, and the client calls it again with the results.
"""

from typing import Any

from langchain_core.messages import AIMessage
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    InputRequiredResult,
    SamplingMessage,
    TextContent,
)

from mlestar.integrations.open_calls import OpenCalls
from mlestar.llm.external import ModelCall, text_message

MAX_ROUNDS = 9
"""Times one call of a tool may return requests. The clients of the protocol's own SDKs give up after ten."""


def offers_sampling(ctx: Context[Any, Any]) -> bool:
    capabilities = ctx.client_capabilities
    return capabilities is not None and capabilities.sampling is not None


def sends_requests(ctx: Context[Any, Any]) -> bool:
    """Whether the protocol of this connection lets the server send requests while a tool works."""
    return bool(ctx.session.can_send_request)


async def sample(ctx: Context[Any, Any], calls: OpenCalls, call: ModelCall, max_tokens: int) -> None:
    """Have the client answer one call.

    Raises:
        ToolError: the client refuses.
    """
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    try:
        result = await ctx.session.send_request(_request(call, max_tokens), CreateMessageResult, metadata=related)
    except MCPError as error:
        msg = f"the client refused sampling ({error}): use `next_model_call` and `answer_model_call`"
        raise ToolError(msg) from error
    if call in calls.all:
        calls.answer(call.id, _reply(result))


def take_responses(ctx: Context[Any, Any], calls: OpenCalls) -> None:
    """Answer calls with the results that the client sends along; one that is no longer open is left alone."""
    still_open = {call.id for call in calls.all}
    for identity, result in (ctx.input_responses or {}).items():
        if identity in still_open and isinstance(result, CreateMessageResult):
            calls.answer(identity, _reply(result))


def rounds(ctx: Context[Any, Any]) -> int:
    """Return how often this call of a tool has returned requests."""
    state = ctx.request_state or ""
    return int(state) if state.isdigit() else 0


def require(ctx: Context[Any, Any], calls: OpenCalls, max_tokens: int) -> InputRequiredResult:
    """Return all open calls as requests that the client must answer first."""
    requests = {call.id: _request(call, max_tokens) for call in calls.all}
    return InputRequiredResult(input_requests={**requests}, request_state=str(rounds(ctx) + 1))


def _request(call: ModelCall, max_tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=call.prompt))
    params = CreateMessageRequestParams(
        messages=[message],
        system_prompt=call.system,
        max_tokens=max_tokens,
        metadata={"role": call.role, "track": call.track},
    )
    return CreateMessageRequest(params=params)


def _reply(result: CreateMessageResult) -> AIMessage:
    text = result.content.text if isinstance(result.content, TextContent) else ""
    return text_message(text, is_cut=result.stop_reason == "maxTokens")
