"""Rewriting blocks: adding, wrapping and replacing functions, and changing numbers."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mlestar.offline.rendering import template
from mlestar.offline.surgery import functions, rename, replace_function

Rewrite = Callable[[str], str]
"""Takes a block and returns the new one."""
ROUNDS = r"n_estimators|iterations|max_iter"
"""Arguments of the libraries for the number of trees or epochs."""
_NUMBER = re.compile(r"(?<!< )(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


def add_features(name: str, path: str, imports: Sequence[str] = ()) -> Rewrite:
    """Return a rewrite that adds a function for features and calls it before the features are returned.

    Args:
        name: of the function.
        path: of its template.
        imports: lines that it needs.
    """

    def rewrite(block: str) -> str:
        call = f"    features = {name}(features)\n    return tidy("
        body = block.replace("    return tidy(", call, 1)
        return f"{_head(imports)}{template(path)}\n\n\n{body}"

    return rewrite


def _head(imports: Sequence[str]) -> str:
    return "\n".join(imports) + "\n\n\n" if imports else ""


def wrap_fit(path: str, imports: Sequence[str] = ()) -> Rewrite:
    """Return a rewrite that renames the block's function and calls it from a new function with the old name."""

    def rewrite(block: str) -> str:
        function = next(name for name in functions(block) if re.fullmatch(r"fit_predict(_[a-z])?", name))
        inner = _unused_name(f"{function}_once", block)
        text = template(path).replace("FUNCTION", function).replace("ONCE", inner)
        renamed = replace_function(block, function, rename(functions(block)[function], {function: inner}))
        import_lines, body = _lift_imports(renamed)
        head = "\n".join([*imports, *import_lines])
        return f"{head}\n\n\n{body}\n\n\n{text}"

    return rewrite


def _unused_name(name: str, block: str) -> str:
    """Return a name that does not occur in the block: names that it reads may be defined elsewhere in the script."""
    while re.search(rf"\b{name}\b", block):
        name += "_more"
    return name


def _lift_imports(block: str) -> tuple[list[str], str]:
    """Return the import lines of a block, and the block without them."""
    lines = block.split("\n")
    imports = [line for line in lines if re.match(r"(?:import|from) ", line)]
    return imports, "\n".join(line for line in lines if line not in imports).strip("\n")


def scale_numbers(factors: dict[str, float]) -> Rewrite:
    """Return a rewrite that multiplies the numbers in keyword arguments; numbers in comparisons stay."""

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


def insert(path: str, old: str, new: str, imports: Sequence[str] = ()) -> Rewrite:
    """Return a rewrite that adds a function and replaces a piece of the block by code that calls it."""

    def rewrite(block: str) -> str:
        return f"{_head(imports)}{template(path)}\n\n\n{block.replace(old, new, 1)}"

    return rewrite


def replace_functions(paths: Mapping[str, str], imports: Sequence[str] = ()) -> Rewrite:
    """Return a rewrite that replaces functions of the block, also those that belong to a merged model.

    Args:
        paths: templates of the new code, by the function that each replaces.
        imports: lines that they need.
    """

    def rewrite(block: str) -> str:
        for name in list(functions(block)):
            plain_name = re.sub(r"_[a-z]$", "", name)
            path = paths.get(name) or paths.get(plain_name)
            if path:
                block = replace_function(block, name, rename(template(path), {plain_name: name}))
        return f"{_head(imports)}{block}"

    return rewrite


def symmetric_log(block: str) -> str:
    """Return the block with the target on a logarithmic scale that keeps the sign."""
    block = replace_function(block, "to_scale", _SYMMETRIC_LOG[0])
    return replace_function(block, "from_scale", _SYMMETRIC_LOG[1])


_SYMMETRIC_LOG = (
    '''def to_scale(y):
    """Return the target on a scale that reduces the weight of large values."""
    return np.sign(y) * np.log1p(np.abs(y))''',
    '''def from_scale(values):
    """Return predictions in the unit of the target."""
    return np.sign(values) * np.expm1(np.abs(values))''',
)


def square_root(block: str) -> str:
    """Return the block with the square root of the target, which keeps the sign."""
    return (
        symmetric_log(block)
        .replace("np.log1p(np.abs(y))", "np.sqrt(np.abs(y))")
        .replace("np.expm1(np.abs(values))", "values**2")
    )


def bag_tuning(block: str) -> str:
    """Return the block with its tuning repeated on random draws of the rows."""
    name = _unused_name("tune_once", block)
    renamed = replace_function(block, "tune", functions(block)["tune"].replace("def tune(", f"def {name}(", 1))
    inner = functions(renamed)[name]
    bagged = template("tables/ideas/bagged_tuning.py.jinja").replace("tune_once", name)
    return renamed.replace(inner, f"{inner}\n\n\n{bagged}", 1)


def snap(block: str) -> str:
    """Return the block with predictions moved to the nearest value that the target takes."""
    tune = '''def tune(values, y):
    """Return the range of the target, and its values where most of them repeat."""
    seen, counts = np.unique(y, return_counts=True)
    repeated = counts[counts > 1].sum() > 0.5 * len(y)
    return y.min(axis=0), y.max(axis=0), seen if repeated else seen[:0]'''
    return replace_function(replace_function(block, "tune", tune), "decide", template("tables/ideas/snap.py.jinja"))


def temper(block: str) -> str:
    """Return the block with probabilities raised to a tuned power."""
    decide = functions(block)["decide"]
    sharpened = decide.replace('"""\n', '"""\n    probabilities = sharpen(probabilities, rule)\n', 1)
    block = replace_function(block, "tune", template("tables/ideas/temperature.py.jinja"))
    return replace_function(block, "decide", sharpened)


def fewer_rounds(code: str, share: float = 0.3) -> str:
    """Return code whose models get fewer rounds, or stronger regularization where they have none."""
    return scale_numbers({ROUNDS: share, "C": 0.01})(code)


EDITS: Mapping[str, Rewrite] = {
    "bag_tuning": bag_tuning,
    "snap": snap,
    "square_root": square_root,
    "symmetric_log": symmetric_log,
    "temper": temper,
}
"""Rewrites that a recipe names, by that name."""
