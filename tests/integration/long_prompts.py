"""Errors about prompts that are too long, as public issue threads quote them."""

import json

from tests.integration.provider_errors import ANTHROPIC, OPENAI, Row, anthropic_error, openai_error, openrouter_error
from tests.integration.stub_gemini import MODEL

TOO_LONG = (
    Row(
        "https://github.com/rahul2002m/ChatPDF/issues/6",
        OPENAI,
        400,
        openai_error(
            "This model's maximum context length is 4097 tokens. However, your messages resulted in 6988 tokens. "
            "Please "
            "reduce the length of the messages.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        says="(6988 tokens, 4097 allowed)",
    ),
    Row(
        "https://github.com/cline/cline/issues/13194",
        OPENAI,
        400,
        openrouter_error(
            "Provider returned error",
            400,
            raw=json.dumps(
                openai_error(
                    "This model's maximum context length is 262144 tokens. However, your messages resulted in 262897 "
                    "tokens. Please reduce the length of the messages.",
                    "Bad Request",
                    400,
                )
            ),
            provider_name="Nvidia",
        ),
        says="(262897 tokens, 262144 allowed)",
    ),
    Row(
        "https://github.com/ggml-org/llama.cpp/pull/15780",
        OPENAI,
        400,
        {
            "error": {
                "code": 500,
                "message": "the request exceeds the available context size. try increasing the context size or enable "
                "context shift",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 1407,
                "n_ctx": 256,
            }
        },
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/oobabooga/textgen/issues/7257",
        OPENAI,
        200,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size. try increasing the context size or enable "
                "context shift",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 14429,
                "n_ctx": 8192,
            }
        },
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/anthropics/claude-code/issues/12186",
        ANTHROPIC,
        400,
        anthropic_error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
        says="(208310 tokens, 200000 allowed)",
    ),
    Row(
        "https://github.com/google-gemini/gemini-cli/issues/4118",
        MODEL,
        400,
        {
            "error": {
                "code": 400,
                "message": "The input token count (132478) exceeds the maximum number of tokens allowed (131072).",
                "status": "INVALID_ARGUMENT",
            }
        },
        says="(132478 tokens, 131072 allowed)",
    ),
    Row(
        "https://github.com/refly-ai/refly/issues/1177",
        OPENAI,
        400,
        openrouter_error(
            "This endpoint's maximum context length is 32768 tokens. However, you requested about 42832 tokens (42832 "
            'of text input). Please reduce the length of either one, or use the "middle-out" transform to compress '
            "your prompt automatically.",
            400,
            provider_name=None,
        ),
        says="(42832 tokens, 32768 allowed)",
    ),
    Row(
        "https://github.com/Aider-AI/aider/issues/3721",
        OPENAI,
        400,
        openrouter_error(
            "This endpoint's maximum context length is 32768 tokens. However, you requested about 45000 tokens (40904 "
            "of text input, 4096 in the output). Please reduce the length of either one, or use the "
            '"middle-out" transform to compress your prompt automatically.',
            400,
            provider_name="Chutes",
        ),
        says="(45000 tokens, 32768 allowed)",
    ),
    Row(
        "Mistral, code 3051, as reported; no public thread",
        OPENAI,
        400,
        {
            "object": "error",
            "message": "Prompt contains 40123 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_prompt",
            "param": None,
            "code": "3051",
        },
        says="(40123 tokens, 32768 allowed)",
    ),
    Row(
        "https://github.com/cline/cline/issues/3120",
        OPENAI,
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
        },
        says="(136973 tokens, 131072 allowed)",
    ),
    Row(
        "https://github.com/QwenLM/qwen-code/issues/371",
        OPENAI,
        400,
        openai_error(
            "the request exceeds the available context size. try increasing the context size or enable context shift",
            "invalid_request_error",
            400,
        ),
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/ggml-org/llama.cpp/issues/19774",
        OPENAI,
        500,
        openai_error("Context size has been exceeded.", "server_error", 500),
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/ggml-org/llama.cpp/issues/19774",
        OPENAI,
        400,
        openai_error(
            "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "exceed_context_size_error",
            400,
        ),
        says="(4390 tokens, 4096 allowed)",
    ),
    Row(
        "https://github.com/cline/cline/issues/3664",
        OPENAI,
        400,
        {
            "error": "Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded "
            "with context length of only 7866 tokens, which is not enough. Try to load the model with a larger "
            "context length, or provide a shorter input. Error Data: n/a, Additional Data: n/a"
        },
        says="(10136 tokens, 7866 allowed)",
    ),
    Row(
        "https://github.com/Gitlawb/openclaude/issues/353",
        OPENAI,
        400,
        {
            "error": "The number of tokens to keep from the initial prompt is greater than the context length "
            "(n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter "
            "input."
        },
        says="(13055 tokens, 4096 allowed)",
    ),
    Row(
        "https://github.com/aws-samples/assessment-generator/issues/2",
        OPENAI,
        400,
        {"message": "Input is too long for requested model."},
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/anthropics/anthropic-sdk-python/issues/938",
        ANTHROPIC,
        413,
        anthropic_error("request_too_large", "Request exceeds the maximum size"),
        says="longer than the model can read",
    ),
    Row(
        "https://github.com/anthropics/claude-code/issues/6380",
        ANTHROPIC,
        413,
        anthropic_error("invalid_request_error", "Request size exceeds model context window"),
        says="longer than the model can read",
    ),
)
"""Prompts that are too long for the model, or for what the account may send in a minute."""

REPLY_TOO_LONG = (
    Row(
        "https://github.com/vllm-project/vllm/issues/20409",
        OPENAI,
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 16384 tokens. However, you requested 19591 tokens "
            "(9591 in "
            "the messages, 10000 in the completion). Please reduce the length of the messages or completion. None",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        says="(19591 tokens, 16384 allowed)",
    ),
    Row(
        "https://github.com/ChatGPTNextWeb/NextChat/issues/3195",
        OPENAI,
        400,
        openai_error(
            "This model's maximum context length is 8192 tokens. However, you requested 8256 tokens (64 in the "
            "messages, "
            "8192 in the completion). Please reduce the length of the messages or completion.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        says="(8256 tokens, 8192 allowed)",
    ),
)
"""Prompts that fit, with a longest reply that does not fit beside them: a shorter prompt does not help."""

TOO_MUCH_A_MINUTE = (
    Row(
        "https://github.com/ITSpecialist111/ai_automation_suggester/issues/61",
        OPENAI,
        413,
        {
            "error": {
                "message": "Request too large for model `llama-3.3-70b-versatile` in organization `org_****` "
                "service tier "
                "`on_demand` on tokens per minute (TPM): Limit 6000, Requested 14810, please reduce your message "
                "size and "
                "try again.",
                "type": "tokens",
                "code": "rate_limit_exceeded",
            }
        },
        says="the request has 14810 tokens, its longest reply included, and the account may send 6000",
    ),
    Row(
        "https://github.com/TheR1D/shell_gpt/issues/653",
        OPENAI,
        429,
        openai_error(
            "Request too large for gpt-4o in organization org-**** on tokens per min (TPM): Limit 30000, Requested "
            "31538. "
            "The input or output tokens must be reduced in order to run successfully.",
            "tokens",
            "rate_limit_exceeded",
        ),
        says="the request has 31538 tokens, its longest reply included, and the account may send 30000",
    ),
)
"""Requests with more tokens than the account may send in a minute, which waiting does not change."""
