"""Find the files of a data set and read them as they are, or say in one line why that fails."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.config import DATA_SUFFIXES, DataSource, local_path
from labkit.errors import LabError
from labkit.plumbing import hub
from labkit.plumbing.digests import file_digest, fingerprint
from labkit.plumbing.reading import parse_json
from labkit.profiles import DISTILBERT

if TYPE_CHECKING:
    import datasets

CORPUS = Path(__file__).parent / "corpus"
BLOCK = 2**20
DEEPEST = 500  # levels of JSON
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
READERS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class DataFiles:
    """A data set's folder or file, what a person calls it, and the SHA-256 of each data file."""

    path: Path
    name: str
    digests: Mapping[str, str]

    @property
    def content(self) -> Mapping[str, str]:
        return self.digests

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all files together."""
        return fingerprint(dict(self.digests))


def locate(source: DataSource) -> DataFiles:
    """The local folder or file of a data set; a Hub id is fetched into the Hub cache."""
    path = find(source)
    return DataFiles(path, source.name, content_digests(path))


def find(source: DataSource) -> Path:
    """Where the data set lies, fetched where it must be."""
    if source.source == "labkit:corpus":
        return CORPUS
    if path := local_path("--lab-dataset", source.source):
        if not (path.is_dir() or path.is_file()):
            raise LabError(f"--lab-dataset {source.source}: is neither a file nor a folder")
        if not path.is_dir() and path.suffix.lower() not in READERS:
            known = ", ".join(DATA_SUFFIXES)
            raise LabError(f"--lab-dataset {source.source}: is none of {known}")
        return path
    patterns = [f"*{suffix}" for suffix in DATA_SUFFIXES]
    repository = hub.Repository(source.source, "dataset", source.revision)
    own = source == DISTILBERT.data
    return hub.fetch(repository, patterns, f"data set {source.source}", go_offline=own)


def data_files(path: Path) -> list[Path]:
    """The data files of a folder, or the one file that `path` is.

    Raises LabError for one that has no end or no beginning: a pipe, a device, a broken link.
    """
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in READERS)
    for file in found:
        if not file.exists():
            raise LabError(f"{file}: is a link that leads nowhere; mend it, or take it away")
        if not (file.is_file() or file.is_dir()):
            raise LabError(f"{file}: is neither a file nor a folder")
    return [file for file in found if file.is_file()]


def content_digests(path: Path) -> dict[str, str]:
    """SHA-256 of each data file of a folder, or of the file: the fingerprint of the data."""
    folder = path.parent if path.is_file() else path
    return {str(file.relative_to(folder)): file_digest(file) for file in data_files(path)}


def read(path: Path, cache: Path, verbatim: Sequence[str] = ()) -> "dict[str, datasets.Dataset]":
    """The splits of a folder, or of one file as `train`; `cache` takes the Arrow files.

    The columns `verbatim` of CSV files are text as it stands there: 01 is not 1, NA not nothing.
    Raises LabError that names the file and, where there is one, the line.
    """
    files = data_files(path)
    if not files:
        raise LabError(f"{path}: holds no {', '.join(DATA_SUFFIXES)} file")
    for file in files:
        check_bytes(file)
        check_nesting(file)
    import datasets

    level = datasets.logging.get_verbosity()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what fails is told below
    try:
        # Links to the very files that the digests stand for: a folder's README.md could name
        # others, and a name with brackets in it would be taken for a pattern.
        links = cache / "files"
        for file in files:
            name = file.relative_to(path) if path.is_dir() else f"posts{file.suffix}"
            (links / name).parent.mkdir(parents=True, exist_ok=True)
            if not (links / name).is_symlink():
                (links / name).symlink_to(file.resolve())
        kinds = {READERS[file.suffix.lower()] for file in files}
        options: dict[str, Any] = {"cache_dir": str(cache)}
        if kinds == {"csv"}:
            options |= {"converters": dict.fromkeys(verbatim, str), "keep_default_na": False}
        if path.is_dir():
            return dict(datasets.load_dataset(str(links), **options))
        return dict(datasets.load_dataset(*kinds, data_files=str(links / name), **options))
    except Exception as error:
        for file in files:
            check_records(file)
        reason = str(error.__cause__ or error).strip().partition("\n")[0] or type(error).__name__
        raise LabError(f"{path}: cannot be read as a data set: {reason}") from error
    finally:
        datasets.logging.set_verbosity(level)


def check_bytes(file: Path) -> None:
    """Raise LabError for an empty file, and for text that is not UTF-8, with the line."""
    binary = file.suffix.lower() == ".parquet"
    decode = codecs.getincrementaldecoder("utf-8")().decode
    line, filled = 1, False
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            filled = filled or bool(block.strip())
            if binary:
                break
            try:
                decode(block)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise LabError(
                    f"{file}: line {line} is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
                    "save the file as UTF-8"
                ) from None
            line += block.count(b"\n")
    if not filled:
        raise LabError(f"{file}: is empty")


def check_nesting(file: Path) -> None:
    """Raise LabError for JSON that is nested deeper than its readers can follow; they would crash."""
    if READERS[file.suffix.lower()] != "json":
        return
    with file.open("rb") as stream:
        start = stream.read(1)
        stream.seek(0)
        texts = [stream.read()] if start == b"[" else stream
        for number, text in enumerate(texts, start=1):
            if text.count(b"[") + text.count(b"{") > DEEPEST and depth(text) > DEEPEST:
                raise LabError(f"{file}: line {number} is nested more than {DEEPEST} deep")


def depth(text: bytes) -> int:
    """How deep a JSON text is nested, brackets within its strings left out."""
    marks = np.frombuffer(STRING.sub(b"", text), np.uint8)
    steps = np.isin(marks, list(b"[{")).astype(int) - np.isin(marks, list(b"]}"))
    return int(steps.cumsum().max(initial=0))


def check_records(file: Path) -> None:
    """Raise LabError with the line where a JSON file breaks off; other formats pass.

    Called where reading has failed, to find out why: it reads every line.
    """
    if READERS[file.suffix.lower()] != "json":
        return
    for number, record in _json_records(file):
        if not isinstance(record, dict):
            raise LabError(f"{file}: line {number} is not an object in {{ }}: {record!r:.40}")


def _json_records(file: Path) -> Iterator[tuple[int, Any]]:
    """Each record of JSON lines with its line number, or of one JSON list with its position."""
    with file.open(encoding="utf-8") as stream:
        if stream.read(1) == "[":
            stream.seek(0)
            yield from enumerate(_parsed(file, stream.read()), start=1)
            return
        stream.seek(0)
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield number, _parsed(file, line, number)


def _parsed(file: Path, text: str, number: int | None = None) -> Any:
    """The value of a JSON text, which is one line of a file, or all of it."""
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        column = f" (column {error.colno})" if number else ""
        raise LabError(
            f"{file}: line {number or error.lineno} is not JSON: {error.msg}{column}"
        ) from None
    except ValueError as error:
        reason = str(error).partition(";")[0]  # behind it Python tells programmers what to do
        where = f"line {number}" if number else "it"
        raise LabError(f"{file}: {where} is not JSON that can be read: {reason}") from None
