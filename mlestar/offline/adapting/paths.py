"""Where a script reads its data: every path of a file of the task becomes that of `./input`."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from mlestar.offline.adapting.texts import (
    READS,
    UNKNOWN,
    file_name,
    is_path_object,
    known_texts,
    last_name,
    read_texts,
    text_of,
)
from mlestar.offline.facts import Facts
from mlestar.syntax import first_statement, insert_before, parse, replace_nodes

INPUT = "./input"
_PACKED = re.compile(r"\.(?:zip|gz|bz2|xz|7z)$")
_INPUT_FOLDER = re.compile(r"(?:/kaggle/input|(?:\.\./)+input)(?:/[\w-]+)*/?")
_WORKING_FOLDER = re.compile(r"/kaggle/(?:working|temp)(/.*)?")
_FOLDER = re.compile(r".*/.*|~.*|\.|data|input|inputs|dataset|datasets")
_WORDS = re.compile(r"[a-z]+")
_NEW = frozenset({"new", "unseen", "unlabelled", "unlabeled"})
"""Words for rows to predict, beside those that begin with `test`."""
_SHOWS = frozenset({"print", "info", "debug", "warning", "error", "exit"})

Change = tuple[ast.expr | ast.stmt, str]


def read_input(script: str, facts: Facts) -> str:
    """Return the script with the paths of the task's files below `./input`."""
    tree = parse(script)
    reader = _Reader(script, tree, tuple(facts.files), _roles(facts), facts.spec.name)
    changes = [*reader.visit(tree)]
    script = replace_nodes(script, changes)
    if any(text.startswith("Path(") for _, text in changes) and not _binds_path(tree):
        script = insert_before(script, first_statement(tree), "from pathlib import Path\n")
    return script


def _roles(facts: Facts) -> dict[str, str]:
    """Return the main files of a task, by the word for each in names of variables and files."""
    spec = facts.spec
    roles = {"sample": spec.sample_submission, "test": spec.test, "train": spec.train}
    return {word: name for word, name in roles.items() if name and name in facts.files}


def _binds_path(tree: ast.Module) -> bool:
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "pathlib"]
    return any(alias.name == "Path" and alias.asname in (None, "Path") for node in imports for alias in node.names)


class _Reader:
    """Finds what to replace in one script."""

    def __init__(
        self, script: str, tree: ast.Module, files: tuple[str, ...], roles: Mapping[str, str], task: str
    ) -> None:
        self._script = script
        self._task = task.casefold()
        self._texts = known_texts(tree)
        self._files = files
        self._roles = roles
        self._train = roles.get("train", "")
        self._written = {file_name(text) for text in self._written_texts(tree)}
        self._replaced: set[str] = set()
        """Names of variables whose path is replaced where it is assigned."""
        self._folders = _folders_of(tree, self._texts)
        self._read = {self._find_file(text) for text in read_texts(tree, self._texts)}
        """Files of the task that the script reads by their own names."""

    def _written_texts(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and last_name(node.func).startswith("to_") and node.args:
                text = text_of(node.args[0], self._texts)
                if text:
                    yield text

    def visit(self, node: ast.AST) -> Iterator[Change]:
        """Yield the outermost expressions to replace below a node."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and last_name(node.func) in _SHOWS):
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.Constant | ast.JoinedStr):
                    yield from self.visit(child)
            return
        if isinstance(node, ast.expr) and not isinstance(node, ast.Name | ast.Attribute):
            text = self._replacement(node)
            if text is not None:
                yield node, text
                return
        if isinstance(node, ast.JoinedStr):  # not every version of Python has the positions of its parts
            return
        if isinstance(node, ast.Call) and (role := self._read_by_role(node)):
            yield role
            rest = [*node.args[1:], *node.keywords]
            for child in rest:
                yield from self.visit(child)
            return
        if isinstance(node, ast.Call):
            yield from self._arguments(node)
        for child in ast.iter_child_nodes(node):
            yield from self.visit(child)

    def _replacement(self, node: ast.expr) -> str | None:
        """Return the replacement of a path of the task; None for other expressions."""
        text = text_of(node, self._texts)
        if text is None:
            return None
        name = self._find_file(text)
        if name:
            path = f'"{INPUT}/{name}"'
            return f"Path({path})" if is_path_object(node) else path
        if isinstance(node, ast.JoinedStr):
            return self._with_folder(node)
        if not isinstance(node, ast.Constant):
            return None
        if _INPUT_FOLDER.fullmatch(text) or id(node) in self._folders:
            # A file name that the script completes at run time stays; it may be at the end of the same text.
            name = file_name(text) if re.search(r"[{%]", file_name(text)) else ""
            return repr(INPUT + ("/" + name if name or text.endswith("/") else ""))
        working = _WORKING_FOLDER.fullmatch(text)
        return repr("." + (working[1] or "")) if working else None

    def _with_folder(self, node: ast.JoinedStr) -> str | None:
        """Return an f-string that begins with a folder of files, with `./input` in its place."""
        first = node.values[0] if node.values else None
        if not isinstance(first, ast.Constant) or "/" not in str(first.value):
            return None
        folder = str(first.value).rpartition("/")[0]
        source = ast.get_source_segment(self._script, node)
        if source is None or not (_INPUT_FOLDER.fullmatch(folder) or id(first) in self._folders):
            return None
        return source.replace(folder, INPUT, 1)

    def _find_file(self, text: str) -> str:
        """Return the file of the task that a path refers to; empty where there is none."""
        # An unknown folder may already end with a slash, so that its mark is part of the file name.
        name = _PACKED.sub("", file_name(text).removeprefix(UNKNOWN)).casefold()
        if not name or UNKNOWN in name or file_name(text) in self._written:
            return ""
        same = [file for file in self._files if _PACKED.sub("", file_name(file)).casefold() == name]
        if not same and name == self._task + PurePosixPath(_PACKED.sub("", self._train)).suffix.casefold():
            return self._train  # a run of one table is named like its file, which its input holds by another name
        parts = re.split(r"[/\\]", text.casefold())
        return max(same, key=lambda file: _common_end(file.casefold().split("/"), parts), default="")

    def _read_by_role(self, node: ast.Call) -> Change | None:
        """Return the change of a call that reads a file by another name than the task's."""
        if not node.args or not READS.fullmatch(last_name(node.func)):
            return None
        argument = node.args[0]
        text = text_of(argument, self._texts)
        if text is not None and self._find_file(text):
            return None  # replaced where the text is assigned
        if text is not None and (UNKNOWN in file_name(text) or file_name(text) in self._written):
            return None
        shown = file_name(text) if text is not None else ast.unparse(argument)
        file = self._file_of_role(shown)
        # Where the script reads that file by its own name too, another name is that of another file.
        if text is not None and file in self._read:
            return None
        return (argument, f'"{INPUT}/{file}"') if file else None

    def _file_of_role(self, text: str) -> str:
        """Return the file of the only role that a text names; `sample` or `submission` name the sample submission."""
        words = _WORDS.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower().replace("_", " "))
        joined = " ".join(words)
        if "sample" in joined or "submission" in joined:
            return self._roles.get("sample", "")
        named = [role for role in ("train", "test") if any(word.startswith(role) for word in words)]
        if not named and _NEW & set(words):
            named = ["test"]
        return self._roles.get(named[0], "") if len(named) == 1 else ""

    def _arguments(self, node: ast.Call) -> Iterator[Change]:
        """Yield the change that gives a command-line argument a default value if it has none."""
        if last_name(node.func) != "add_argument" or not node.args:
            return
        name, option = node.args[0], node.args[-1]
        if not isinstance(name, ast.Constant) or not isinstance(option, ast.Constant):
            return
        keywords = {keyword.arg: keyword for keyword in node.keywords}
        required = keywords.get("required")
        positional = not str(name.value).startswith("-")
        default = keywords.get("default")
        missing = default is None or (isinstance(default.value, ast.Constant) and default.value.value is None)
        file = self._file_of_argument(str(option.value))
        if not file or not missing or keywords.keys() & {"action", "choices"}:
            return
        if default is not None:
            yield default.value, f'"{file}"'
            return
        extra = f', default="{file}"' + (', nargs="?"' if positional and "nargs" not in keywords else "")
        if required is not None:
            yield required.value, f"False{extra}"
        elif node.keywords:
            last = node.keywords[-1].value
            yield last, f"{ast.unparse(last)}{extra}"
        else:
            yield option, f"{ast.unparse(option)}{extra}"

    def _file_of_argument(self, name: str) -> str:
        """Return the path that a command-line argument refers to; empty where it is not a path of the task."""
        words = _WORDS.findall(name.lower().replace("_", " ").replace("-", " "))
        if {"out", "output", "submission", "sub", "pred", "predictions"} & set(words) and "sample" not in words:
            return "." if {"dir", "folder", "directory"} & set(words) else "./submission.csv"
        file = self._file_of_role(" ".join(words))
        if file and not {"size", "rows", "ratio", "frac", "fraction", "epochs", "steps", "batch"} & set(words):
            return f"{INPUT}/{file}"
        if {"data", "input", "inputs"} & set(words) and {"dir", "folder", "path", "root", "directory"} & set(words):
            return INPUT
        return ""


def _common_end(left: list[str], right: list[str]) -> int:
    """Return how many parts two paths have in common at their ends."""
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count


def _folders_of(tree: ast.Module, texts: Mapping[str, str]) -> set[int]:
    """Return the ids of the constants that are folders of files whose names are known only at run time."""
    used: set[str] = set()
    found: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not READS.fullmatch(last_name(node.func)):
            continue
        text = text_of(node.args[0], texts)
        if text is None or UNKNOWN not in file_name(text):
            continue
        first = _first_part(node.args[0])
        if isinstance(first, ast.Name | ast.Attribute):
            used.add(last_name(first))
        elif isinstance(first, ast.Constant):
            found.add(id(first))
    return {one for one in found} | {id(node) for node in _assigned(tree, used)}


def _first_part(node: ast.expr) -> ast.expr:
    """Return the beginning of a path."""
    while True:
        if isinstance(node, ast.BinOp):
            node = node.left
        elif isinstance(node, ast.JoinedStr) and node.values:
            node = node.values[0]
        elif isinstance(node, ast.FormattedValue):
            node = node.value
        elif isinstance(node, ast.Call) and node.args and last_name(node.func) in ("join", "Path", "str"):
            node = node.args[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return node


def _assigned(tree: ast.Module, names: Iterable[str]) -> Iterator[ast.Constant]:
    """Yield the constants of folders that are assigned to variables."""
    variables = set(names)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not {last_name(target) for target in node.targets} & variables:
            continue
        value = _first_part(node.value)
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and _FOLDER.fullmatch(value.value):
            yield value
