"""Pretrained weights beside the data: they are not rows of a task, whatever their files are called."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath

_WEIGHTS = {".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".gguf", ".tflite", ".msgpack", ".mlmodel"}
_NAMED_WEIGHTS = re.compile(
    r"(pytorch_model|diffusion_pytorch_model|model|adapter_model|training_args)[\w.-]*\.bin|tf_model\.h5"
)
_SETTINGS = {
    *("config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt"),
    *("merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "model_index.json", "modules.json"),
    *("trainer_state.json", "label2id.json", "id2label.json", "chat_template.json", "all_results.json"),
}
"""Files that come with weights; a table of rows has none of these names."""
_NAMED_SETTINGS = re.compile(r"[\w.-]*_config\.json|[\w.-]*\.index\.json")
_FEW = 20
"""Most files in a folder of weights; more are rows, each saved as a tensor. Chosen by judgement; not
measured."""


def without_weights(files: Iterable[str], kept: Collection[str] = ()) -> list[str]:
    """Return the files that may be data: neither weights, nor what comes with them, nor all of a folder of weights.

    Weights may have names such as `training_args.bin`, and their settings are in JSON files, which look like tables.

    Args:
        files: paths below the input folder.
        kept: names without suffix that are data in any case, as `train.pt`.
    """
    names = list(files)
    folders: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folders[str(PurePosixPath(name).parent)].append(name)
    dropped = {name for folder, inside in folders.items() for name in _of_weights(folder, inside)}
    return [name for name in names if name not in dropped or PurePosixPath(name).stem.lower() in kept]


def _of_weights(folder: str, files: Sequence[str]) -> list[str]:
    weights = [name for name in files if _is_weights(PurePosixPath(name).name.lower())]
    if len(weights) > _FEW:
        weights = []
    settings = [name for name in files if _is_settings(PurePosixPath(name).name.lower())]
    others = len(files) - len(weights) - len(settings)
    if weights and folder != "." and others <= _FEW:
        return list(files)
    return [*weights, *settings]


def _is_weights(name: str) -> bool:
    return PurePosixPath(name).suffix in _WEIGHTS or bool(_NAMED_WEIGHTS.fullmatch(name))


def _is_settings(name: str) -> bool:
    return name in _SETTINGS or bool(_NAMED_SETTINGS.fullmatch(name))
