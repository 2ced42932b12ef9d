"""Rewriting blocks: functions added, wrapped, replaced or given other numbers."""

import re
from collections.abc import Callable
from functools import partial

from mlestar.offline.surgery import functions, rename, replace_function
from mlestar.offline.tables.recipes import template

Rewrite = Callable[[str], str]
"""Takes a block and returns the new one."""
ROUNDS = r"n_estimators|iterations|max_iter"
"""What the libraries call the number of trees or epochs."""
_NUMBER = re.compile(r"(?<!< )(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


def add_features(name: str, imports: str = "") -> Rewrite:
    def rewrite(block: str) -> str:
        head = f"{imports}\n\n\n" if imports else ""
        call = f"    features = {name}(features)\n    return tidy("
        return f"{head}{template(f'ideas/{name}.py.jinja')}\n\n\n{block.replace('    return tidy(', call, 1)}"

    return rewrite


def wrap_fit(name: str, imports: str = "") -> Rewrite:
    """Keep the block's function under another name and call it from one that does more."""

    def rewrite(block: str) -> str:
        own = next(found for found in functions(block) if re.fullmatch(r"fit_predict(_[a-z])?", found))
        once = _free(f"{own}_once", block)
        text = template(f"ideas/{name}.py.jinja").replace("FUNCTION", own).replace("ONCE", once)
        kept = replace_function(block, own, rename(functions(block)[own], {own: once}))
        head, body = _lift_imports(kept)
        return "\n".join([*imports.split("\n"), *head]).strip("\n") + f"\n\n\n{body}\n\n\n{text}"

    return rewrite


def _free(name: str, block: str) -> str:
    """Return a name that the block neither defines nor reads: what it reads may stand elsewhere in the script."""
    while re.search(rf"\b{name}\b", block):
        name += "_more"
    return name


def _lift_imports(block: str) -> tuple[list[str], str]:
    lines = block.split("\n")
    head = [line for line in lines if re.match(r"(?:import|from) ", line)]
    return head, "\n".join(line for line in lines if line not in head).strip("\n")


def scale_numbers(factors: dict[str, float]) -> Rewrite:
    """Multiply keyword arguments; a comparison with the number of rows keeps its own number."""

    def rewrite(block: str) -> str:
        for name, factor in factors.items():
            block = re.sub(rf"\b({name})=([^\n]+?)(,?)$", partial(_scaled, factor), block, flags=re.MULTILINE)
        return block

    return rewrite


def _scaled(factor: float, match: re.Match[str]) -> str:
    def scale(number: re.Match[str]) -> str:
        value = float(number[0]) * factor
        return f"{value:.4g}" if "." in number[0] else str(max(1, round(value)))

    return f"{match[1]}={_NUMBER.sub(scale, match[2])}{match[3]}"


def insert(name: str, old: str, new: str) -> Rewrite:
    def rewrite(block: str) -> str:
        return f"{template(f'ideas/{name}.py.jinja')}\n\n\n{block.replace(old, new, 1)}"

    return rewrite


def symmetric_log(block: str) -> str:
    block = replace_function(block, "to_scale", _SYMMETRIC_LOG[0])
    return replace_function(block, "from_scale", _SYMMETRIC_LOG[1])


_SYMMETRIC_LOG = (
    '''def to_scale(y):
    """Return the target on a scale on which large values count less."""
    return np.sign(y) * np.log1p(np.abs(y))''',
    '''def from_scale(values):
    """Return predictions in the target's own unit."""
    return np.sign(values) * np.expm1(np.abs(values))''',
)


def square_root(block: str) -> str:
    return (
        symmetric_log(block)
        .replace("np.log1p(np.abs(y))", "np.sqrt(np.abs(y))")
        .replace("np.expm1(np.abs(values))", "values**2")
    )


def bag_tuning(block: str) -> str:
    name = _free("tune_once", block)
    kept = replace_function(block, "tune", functions(block)["tune"].replace("def tune(", f"def {name}(", 1))
    once = functions(kept)[name]
    bagged = template("ideas/bagged_tuning.py.jinja").replace("tune_once", name)
    return kept.replace(once, f"{once}\n\n\n{bagged}", 1)


def snap(block: str) -> str:
    tune = '''def tune(values, y):
    """Return the range of the known values, and the values themselves where most of them repeat."""
    seen, counts = np.unique(y, return_counts=True)
    repeated = counts[counts > 1].sum() > 0.5 * len(y)
    return y.min(axis=0), y.max(axis=0), seen if repeated else seen[:0]'''
    return replace_function(replace_function(block, "tune", tune), "decide", template("ideas/snap.py.jinja"))


def temper(block: str) -> str:
    decide = functions(block)["decide"]
    whole = decide.replace('"""\n', '"""\n    probabilities = sharpen(probabilities, rule)\n', 1)
    return replace_function(replace_function(block, "tune", template("ideas/temperature.py.jinja")), "decide", whole)


def fewer_rounds(code: str, share: float = 0.3) -> str:
    """Return code whose models get fewer rounds, or a coarser fit where they have none."""
    return scale_numbers({ROUNDS: share, "C": 0.01})(code)
