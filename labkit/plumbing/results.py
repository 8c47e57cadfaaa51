"""Results as data: dataclasses to and from plain values, files, and digests of what they hold.

One converter for all. `plain` and `rebuild` are for JSON: records, lineage, answers, and the way
from a worker to its controller. `save` and `load` are for the store, and keep what is large beside
the JSON: arrays as safetensors, tables as Arrow files, paths relative to the folder.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.plumbing.digests import file_digest

if TYPE_CHECKING:
    import datasets
    from cattrs import Converter

T = TypeVar("T")
DOCUMENT, ARRAYS = "result.json", "arrays.safetensors"
FORMAT = 1  # of these files; another number computes everything anew


@cache
def converter() -> "Converter":
    """The one converter; made when it is first needed, for its imports."""
    import numpy as np
    from cattrs import Converter

    made = Converter(detailed_validation=False)
    for leaf in (np.ndarray, Path):
        made.register_unstructure_hook(leaf, _as_it_is)
        made.register_structure_hook(leaf, _as_it_is)
    made.register_unstructure_hook_func(_is_table, _as_it_is)
    made.register_structure_hook_func(_is_table, _as_it_is)
    return made


def _as_it_is(value: Any, _: Any = None) -> Any:
    return value


def _is_table(kind: Any) -> bool:
    return getattr(kind, "__module__", "").startswith("datasets.") and kind.__name__ == "Dataset"


def plain(value: Any) -> Any:
    """A dataclass, or whatever holds some, as dicts, lists and scalars."""
    return _lists(converter().unstructure(value))


def rebuild(kind: type[T], value: Any) -> T:
    """The inverse of `plain` for values of type `kind`.

    Raises whatever a wrong value makes a constructor raise, KeyError for a missing field.
    """
    return converter().structure(value, kind)


def save(result: Any, folder: Path) -> None:
    """Write a result, which may hold arrays, tables, and paths below `folder`."""
    import numpy as np
    from safetensors.numpy import save_file

    arrays: dict[str, np.ndarray] = {}
    names: set[str] = set()

    def put(leaf: Any, name: str) -> Any:
        if isinstance(leaf, Path):
            return {"$path": str(leaf.relative_to(folder))}
        while name.lower() in names:  # of keys that differ only in what no file is called by
            name += "_"
        names.add(name.lower())
        if isinstance(leaf, np.ndarray):
            arrays[name] = np.asarray(leaf, order="C")
            return {"$array": name}
        with (folder / f"{name}.arrow").open("wb") as file:
            write_table(leaf, file)
        return {"$table": f"{name}.arrow"}

    document = _walk(converter().unstructure(result), put)
    if arrays:
        save_file(arrays, str(folder / ARRAYS))
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1))


def load(kind: Any, folder: Path) -> Any:
    """Read what `save` wrote as a value of type `kind`; tables stay on disk, memory-mapped."""
    from safetensors.numpy import load_file

    arrays = load_file(str(folder / ARRAYS)) if (folder / ARRAYS).exists() else {}

    def take(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"$array"}:
                return arrays[value["$array"]]
            if value.keys() == {"$path"}:
                return folder / value["$path"]
            if value.keys() == {"$table"}:
                return read_table(folder / value["$table"])
            return {key: take(item) for key, item in value.items()}
        return [take(item) for item in value] if isinstance(value, list) else value

    return converter().structure(take(json.loads((folder / DOCUMENT).read_text())), kind)


def content_digest(value: Any) -> str:
    """SHA-256 (hex) of what a value holds.

    A path says where something lies and not what it is: the files that lie there count. A value
    with a `content` says itself what counts.
    """
    import numpy as np

    def put(leaf: Any, name: str) -> Any:
        if isinstance(leaf, Path):
            files = [file for file in (leaf, *leaf.rglob("*")) if file.is_file()]
            return {str(file.relative_to(leaf)): file_digest(file) for file in sorted(files)}
        digest = hashlib.sha256()
        if isinstance(leaf, np.ndarray):
            digest.update(f"{leaf.dtype.str} {leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).data)
        else:
            sink = io.BytesIO()
            write_table(leaf, sink)
            digest.update(sink.getbuffer())
        return digest.hexdigest()

    counted = getattr(value, "content", value)
    document = _walk(converter().unstructure(counted), put)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def write_table(table: "datasets.Dataset", file: Any) -> None:
    """The rows of a data set as an Arrow stream; the same rows give the same bytes."""
    import pyarrow

    # Without the fingerprint that a table keeps beside it, which tells how the rows came about; and
    # without `flatten_indices`, which leaves a file of its own where those of the data set lay.
    schema = table.features.arrow_schema
    with pyarrow.ipc.new_stream(file, schema) as writer:
        for rows in table.with_format("arrow").iter(batch_size=1000):
            # Taken anew, since rows that are cut out of others are laid out in another way.
            writer.write_table(
                rows.cast(schema).combine_chunks().take(pyarrow.array(range(len(rows))))
            )


def read_table(path: Path) -> "datasets.Dataset":
    import datasets

    return datasets.Dataset.from_file(str(path))


def _walk(value: Any, put: Callable[[Any, str], Any], name: str = "") -> Any:
    """A JSON-able copy in which `put(leaf, name)` stands for each array, table and path."""
    if isinstance(value, Mapping):
        return {str(key): _walk(item, put, _below(name, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(item, put, _below(name, str(i))) for i, item in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if hasattr(value, "dtype") and not hasattr(value, "__len__"):  # a NumPy scalar
        return value.item()
    return put(value, name or "result")


def _below(name: str, key: str) -> str:
    """The name of a part, safe as a file name."""
    key = re.sub(r"[^\w-]", "_", key)
    return f"{name}.{key}" if name else key


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
