"""The literals of a script: one by one, in sequences, inside of texts, and encoded."""

import ast
import base64
import binascii
import bz2
import io
import lzma
import math
import re
import tokenize
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from mlestar.agents.script import parse_tree

SEPARATORS = re.compile(r"[^\w.+\-/@]+")
"""Separates the values of a text."""
LINE_SEPARATORS = re.compile(r"[\n;|]+")
ENCODED_TOKEN = 40
"""Characters without a separator from which a text counts as encoded: names and words are shorter. Chosen by judgement;
not measured."""
CHUNK = 16
"""Likewise on the average of a container of texts, where their letters are as mixed as those of encoded data."""
MIXED = 5.2
"""Bits per character of such texts: English has 4.2, names of columns 4.0 to 4.8, base64 of compressed data 6. Chosen
by judgement; not measured."""
LARGE_CONTAINER = 20_000
"""Characters from which a container of texts may be encoded data."""
MAX_DECODED = 4_000_000
"""Bytes that are decoded of one literal. Chosen by judgement; not measured."""
MIN_PAYLOAD = 64
"""Bytes or characters from which a literal is decoded. Chosen by judgement; not measured."""
MIN_TEXT = 20
"""Characters from which a text is divided at its separators. Chosen by judgement; not measured."""
Container = ast.List | ast.Tuple | ast.Set | ast.Dict


_LONG_INTEGER = 4096
"""Bits."""


def value_key(value: object) -> str:
    """Return the form in which literals and cells are compared: 7, 7.0, "7" and "007" are one number."""
    if isinstance(value, int) and value.bit_length() > _LONG_INTEGER:
        return f"{value:x}"  # Python refuses to write it in decimal digits
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


@dataclass(frozen=True)
class Literals:
    """The literals of a script."""

    tree: ast.Module
    code: str

    @cached_property
    def constants(self) -> list[str | bytes | int | float]:
        """Every constant in the order of the script, without names, docstrings apart."""
        return list(_constants(self.tree))

    @cached_property
    def texts(self) -> list[str]:
        """Every text, decoded ones included."""
        plain = [*(value for value in self.constants if isinstance(value, str)), "\n".join(self.comments)]
        payloads = [*self.constants, *("".join(texts) for texts in self._text_containers)]
        return plain + [text for payload in payloads for text in decode(payload)]

    @cached_property
    def stream(self) -> list[str]:
        """Every literal in the order of the script, texts divided at their separators; decoded texts follow."""
        values: list[str] = []
        for value in self.constants:
            values += split_text(value) if isinstance(value, str) else [value_key(value)]
        plain = {value for value in self.constants if isinstance(value, str)}
        return values + [item for text in self.texts if text not in plain for item in split_text(text)]

    @cached_property
    def comments(self) -> list[str]:
        """The comments, which a script can read from its own file."""
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(self.code).readline))
        except (tokenize.TokenError, SyntaxError):
            return []
        return [token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def named_stream(self) -> list[str]:
        """Every literal and every name of the script in its order, names with underscores also by their parts."""
        values: list[str] = []
        for value in _names_and_constants(self.tree):
            if isinstance(value, _Name):
                values += [value.text, *(part for part in value.text.split("_") if part != value.text)]
            else:
                values.append(value_key(value))
        return values

    @cached_property
    def values(self) -> frozenset[str]:
        """Every literal, and every part of a text that a single separator divides."""
        parts = {part for text in self.texts for part in _parts(text)}
        return frozenset(self.stream) | frozenset(self.named_stream) | parts

    @cached_property
    def sequences(self) -> list[list[str]]:
        """The items of each container and their columns, the columns of texts, and the characters of texts."""
        sequences: list[list[str]] = []
        for container in self._containers:
            sequences += _container_sequences(container)
        for text in self.texts:
            sequences += _text_sequences(text)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arguments):
                sequences += _parameter_sequences(node)
        return sequences

    @cached_property
    def lists(self) -> list[list[str]]:
        """The items of each list, tuple and set, and the values and the characters of each text."""
        containers = [node for node in self._containers if not isinstance(node, ast.Dict)]
        lists = [_container_sequences(node)[0] for node in containers]
        return lists + [items for text in self.texts for items in (split_text(text), _characters(text))]

    @cached_property
    def zipped(self) -> list[list[str]]:
        """Sequences of equal length beside each other, one item of each in turn."""
        by_length: dict[int, list[list[str]]] = {}
        for sequence in self.sequences:
            if len(sequence) > _MIN_ZIPPED:
                by_length.setdefault(len(sequence), []).append(sequence)
        zipped = []
        for group in by_length.values():
            for number, left in enumerate(group[:_MOST_ZIPPED]):
                for right in group[number + 1 : _MOST_ZIPPED]:
                    zipped.append([item for pair in zip(left, right, strict=True) for item in pair])
        return zipped

    @cached_property
    def encoded_characters(self) -> int:
        """How many characters of the literals are encoded data."""
        single = sum(_encoded_size(value) for value in [*self.constants, *self.comments])
        numbers = sum(_encoded_in_numbers(node) for node in self._outer_containers)
        return single + numbers + sum(_encoded_in_chunks(texts) for texts in self._text_containers)

    @cached_property
    def largest_statement(self) -> str:
        """The lines of the statement with most characters of literals."""
        statements = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
        if not statements:
            return self.code
        largest = max(statements, key=lambda node: (node.end_lineno or 0) - node.lineno + _size(node) / 1000)
        return "\n".join(self.code.split("\n")[largest.lineno - 1 : largest.end_lineno])

    @cached_property
    def _containers(self) -> list[Container]:
        """The containers with literals, the outer ones with those inside of them."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Container)]

    @cached_property
    def _outer_containers(self) -> list[Container]:
        """The containers that are not inside another one."""
        inner = {id(node) for outer in self._containers for node in ast.walk(outer) if node is not outer}
        return [node for node in self._containers if id(node) not in inner]

    @cached_property
    def _text_containers(self) -> list[list[str]]:
        containers = [[value for value in _constants(node) if isinstance(value, str)] for node in self._containers]
        return [texts for texts in containers if len(texts) > 1]


_MIN_ZIPPED = 200
_MOST_ZIPPED = 8


def read_literals(code: str) -> Literals | None:
    """Return the literals of a script; None when it does not parse."""
    tree = parse_tree(code)
    return Literals(tree, code) if tree else None


def split_text(text: str) -> list[str]:
    """Return the values in a text, divided at every separator."""
    if len(text) < MIN_TEXT:
        return [value_key(text)]
    return [value_key(part) for part in SEPARATORS.split(text) if part]


def decode(payload: str | bytes | int | float) -> Iterator[str]:
    """Yield the texts that a literal may be an encoded form of."""
    if isinstance(payload, float) or (isinstance(payload, int) and payload.bit_length() < 8 * MIN_PAYLOAD):
        return
    if isinstance(payload, int):
        data = [abs(payload).to_bytes((payload.bit_length() + 7) // 8, "big")]
    elif len(payload) < MIN_PAYLOAD:
        return
    elif isinstance(payload, bytes):
        data = [payload, *_decoded_ascii(payload)]
    else:
        compact = re.sub(r"\s+", "", payload)
        data = _decoded_ascii(compact.encode()) if compact.isascii() else []
        with_codes = payload.encode("latin-1", "ignore")
        data += [with_codes] if not payload.isascii() and len(with_codes) == len(payload) else []
    for item in data:
        for plain in (item, *_decompressed(item)):
            text = _as_text(plain)
            if text:
                yield text


def _decoded_ascii(data: bytes) -> list[bytes]:
    decoders: tuple[Callable[[bytes], bytes], ...] = (
        binascii.unhexlify,
        lambda text: base64.b64decode(text + b"=" * (-len(text) % 4), validate=True),
        lambda text: base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True),
        lambda text: base64.b32decode(text + b"=" * (-len(text) % 8)),
        base64.b85decode,
        base64.a85decode,
    )
    decoded = []
    for decoder in decoders:
        try:
            decoded.append(decoder(data))
        except (ValueError, OverflowError):
            continue
    return decoded


def _decompressed(data: bytes) -> list[bytes]:
    """Return what compressed data holds, at most `MAX_DECODED` bytes of it."""
    results = []
    for window in (zlib.MAX_WBITS, zlib.MAX_WBITS | 16, -zlib.MAX_WBITS):
        try:
            results.append(zlib.decompressobj(window).decompress(data, MAX_DECODED))
        except zlib.error:
            continue
    for decompressor in (bz2.BZ2Decompressor, lzma.LZMADecompressor):
        try:
            results.append(decompressor().decompress(data, MAX_DECODED))
        except (OSError, lzma.LZMAError, EOFError):
            continue
    return results


def _as_text(data: bytes) -> str:
    """Return data as a text, empty when it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return text if sum(character.isprintable() or character.isspace() for character in text) == len(text) else ""


def _constants(node: ast.AST) -> Iterator[str | bytes | int | float]:
    """Yield the constants below a node in the order of the script, negative numbers with their sign."""
    pending = [node]
    while pending:
        item = pending.pop()
        negative = _negative_number(item)
        if negative is not None:
            yield negative
            continue
        if isinstance(item, ast.Constant):
            if isinstance(item.value, str | bytes | int | float):
                yield int(item.value) if isinstance(item.value, bool) else item.value
            continue
        if isinstance(item, ast.Dict):
            pairs = [part for pair in zip(item.keys, item.values, strict=True) for part in pair if part is not None]
            pending += reversed(pairs)
            continue
        pending += reversed(list(ast.iter_child_nodes(item)))


@dataclass(frozen=True)
class _Name:
    """A name that a script gives or uses."""

    text: str


_NAME_FIELDS = ("name", "id", "attr", "arg", "asname")
"""Fields of the nodes of a syntax tree that hold a name."""


def _names_and_constants(tree: ast.AST) -> Iterator[_Name | str | bytes | int | float]:
    """Yield the names and constants of a script in its order."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Constant):
            yield from _constants(node)
            continue
        names = (getattr(node, name, None) for name in _NAME_FIELDS)
        yield from (_Name(name) for name in names if isinstance(name, str))
        pending += reversed(list(ast.iter_child_nodes(node)))


def _parameter_sequences(node: ast.arguments) -> list[list[str]]:
    """Return the names of parameters that have defaults, and these."""
    positional = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
    pairs = [*zip(positional, node.defaults, strict=True), *zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    given = [(parameter.arg, list(_constants(default))) for parameter, default in pairs if default is not None]
    return [[name for name, _ in given], [value_key(value) for _, values in given for value in values]]


def _negative_number(node: ast.AST) -> int | float | None:
    """Return the number of a node that is a minus in front of a constant."""
    if not (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
        return None
    value = node.operand.value
    return -value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _container_sequences(container: Container) -> list[list[str]]:
    if isinstance(container, ast.Dict):
        halves = [[key for key in container.keys if key], container.values]
        return [[value_key(value) for item in half for value in _constants(item)] for half in halves]
    items = [[value_key(value) for value in _constants(item)] for item in container.elts]
    flat = [value for item in items for value in item]
    return [flat, *_columns(items)]


def _text_sequences(text: str) -> list[list[str]]:
    """Return the values of a text, the columns of its lines, and its characters."""
    if len(text) < MIN_PAYLOAD:
        return []
    lines = [split_text(line.ljust(MIN_TEXT)) for line in LINE_SEPARATORS.split(text) if line.strip()]
    sequences = [split_text(text), *_columns(lines), *_columns(lines[1:])]
    return [*sequences, _characters(text)]


def _characters(text: str) -> list[str]:
    """Return the characters of a text of few different ones, without spaces; nothing of another text."""
    characters = re.sub(r"\s+", "", text)
    return list(characters) if len(set(characters)) <= _FEW_CHARACTERS else []


_FEW_CHARACTERS = 36
"""Letters and digits."""


def _columns(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the columns of lines that are equally long and have more than one cell."""
    widths = {len(line) for line in lines}
    if len(widths) != 1 or not 1 < (width := widths.pop()) <= _MOST_COLUMNS:
        return []
    return [[line[position] for line in lines] for position in range(width)]


_MOST_COLUMNS = 50


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of a text between each of its separators, for values that contain the other ones."""
    if len(text) < MIN_PAYLOAD:
        yield text.strip()
        return
    for separator in {character for character in text if not character.isalnum()}:
        for part in text.split(separator):
            yield value_key(part)
            yield value_key(part.strip(" \t\"'"))


def _encoded_size(value: str | bytes | int | float) -> int:
    """Return how many characters of a literal have no separator for long."""
    if isinstance(value, float):
        return 0
    if isinstance(value, int):
        digits = value.bit_length() // 4
        return digits if digits >= ENCODED_TOKEN else 0
    if isinstance(value, bytes):
        return len(value)
    unprintable = sum(not character.isprintable() and not character.isspace() for character in value)
    spaces = sum(character.isspace() for character in value)
    is_mixed = len(value) > ENCODED_TOKEN and _bits_per_character(value) >= MIXED
    if unprintable > _UNPRINTABLE * len(value) or (is_mixed and spaces < _SPACES * len(value)):
        return len(value)
    return sum(len(part) for part in re.split(r"[\s,;|]+", value) if len(part) >= ENCODED_TOKEN)


_UNPRINTABLE, _SPACES = 0.05, 0.03
"""Shares of the characters: text has hardly any that cannot be printed, and a space after every word; encoded data is
divided into lines at most. Chosen by judgement; not measured."""


def _encoded_in_chunks(texts: Sequence[str]) -> int:
    """Return how many characters a container of short pieces of encoded data has."""
    pieces = [text for text in texts if len(text) < ENCODED_TOKEN and not re.search(r"\s", text)]
    size = sum(len(piece) for piece in pieces)
    if size <= LARGE_CONTAINER or size < CHUNK * len(pieces):
        return 0
    joined = "".join(pieces)
    is_hexadecimal = re.fullmatch(r"[0-9a-fA-F]+", joined) is not None
    return size if is_hexadecimal or _bits_per_character(joined) >= MIXED else 0


def _encoded_in_numbers(container: Container) -> int:
    """Return how many characters a large container of irregular numbers has, such as packed rows."""
    numbers = [value for value in _constants(container) if not isinstance(value, str | bytes)]
    size = sum(len(str(value)) if not isinstance(value, int) else value.bit_length() // 3 + 1 for value in numbers)
    if size <= LARGE_CONTAINER:
        return 0
    steps = [second - first for first, second in pairwise(numbers)]
    return size if len(set(steps)) > _FEW_STEPS else 0


_FEW_STEPS = 20
"""Different steps between the numbers of a long regular list. Chosen by judgement; not measured."""


def _bits_per_character(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _size(node: ast.stmt) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 1 for value in _constants(node))
