"""What a terminal shows of a question to a person: texts and tables. What scripts and models wrote is no markup."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlestar.metrics.precision import format_score
from mlestar.session.review_words import ASKED, TITLES
from mlestar.state import Question

MAX_LINES = 40
"""Lines of a script that are shown; `edit` opens all of it. Chosen by judgement: two screens."""
CARD_LINES = 8
"""Lines of a card's example."""


def show_question(console: Console, question: Question) -> None:
    """Print what is asked and what is proposed, as a person reads it."""
    proposal = dict(question.proposal)
    track = proposal.pop("track", None)
    where = f" (track {track})" if isinstance(track, int) else ""
    console.print()
    console.print(Text(f"{ASKED.get(question.point, question.point)}{where}", style="bold"))
    if problem := proposal.pop("problem", ""):
        console.print(Text(f"The last answer could not be used: {problem}", style="yellow"))
    for name, value in proposal.items():
        shown = _SHOWN.get(name, _as_text)(value)
        console.print(Panel(shown, title=Text(TITLES.get(name, name)), title_align="left", border_style="cyan"))


def _as_text(value: Any) -> RenderableType:
    """Return any value as text: one item of a list per line."""
    if isinstance(value, Mapping):
        return Text("\n".join(f"{name}: {item}" for name, item in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Text("\n".join(str(item) for item in value) or "none")
    return Text(str(value))


def _as_code(value: Any) -> RenderableType:
    return Text(_first_lines(str(value), MAX_LINES))


def _as_cards(cards: Any) -> RenderableType:
    """Return model cards as paragraphs: name, where it was found, what it is, the beginning of its example."""
    text = Text()
    for number, card in enumerate(cards, 1):
        text.append(f"{number}. {card.get('name', '')}", style="bold")
        text.append(f"   {card.get('source', '')}\n", style="dim")
        facts = {"libraries": ", ".join(card.get("libraries", ())), "cannot be used": card.get("problem", "")}
        lines = [card.get("description", ""), *(f"{name}: {fact}" for name, fact in facts.items() if fact)]
        text.append("".join(f"   {line}\n" for line in lines if line))
        example = _first_lines(str(card.get("example_code", "")).strip(), CARD_LINES)
        text.append("".join(f"   | {line}\n" for line in example.splitlines()), style="dim")
    text.rstrip()
    return text if cards else Text("none was found")


def _as_variants(variants: Any) -> RenderableType:
    """Return the variants of an ablation as a table, with what each changes against the baseline."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("variant", "score", "against the baseline", "seconds"):
        table.add_column(name, overflow="fold")
    for variant in variants:
        gain, score, seconds = variant.get("gain"), variant.get("score"), variant.get("seconds")
        shown = "failed" if score is None else score if isinstance(score, str) else format_score(score)
        change = format_score(gain["difference"], gain["standard_error"]) if gain else ""
        took = "" if seconds is None else f"{seconds:.1f}"
        table.add_row(Text(str(variant.get("name", ""))), Text(shown), Text(change), Text(took))
    return table


def _first_lines(text: str, count: int) -> str:
    lines = text.splitlines()
    left_out = len(lines) - count
    return text if left_out <= 0 else "\n".join([*lines[:count], f"... {left_out} more lines"])


_SHOWN: Mapping[str, Callable[[Any], RenderableType]] = {
    "cards": _as_cards,
    "variants": _as_variants,
    "script": _as_code,
    "block": _as_code,
}
"""How the parts of a proposal are shown by their names; others as text."""
