"""The artifact store under anything that can happen to a folder: never a wrong or half entry.

A rule-based state machine (`hypothesis.stateful`) trains, reuses, damages, deletes, changes a
hyperparameter and dies half-way through a write, in any order, with a build that costs nothing.
"""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from labkit.plumbing.store import MANIFEST, Store

RATES = st.sampled_from([1e-6, 5e-5, 5e-3])
FILES = st.sampled_from(["weights.bin", "sub/history.json", MANIFEST])


def contents(rate: float) -> dict[str, bytes]:
    """What a training with this rate writes."""
    return {"weights.bin": f"{rate:.17g}".encode() * 50, "sub/history.json": b'{"rate": %g}' % rate}


class StoredModels(RuleBasedStateMachine):
    """`whole` are the rates whose entries lie on disk as they were written."""

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="labkit-store-"))
        self.whole: set[float] = set()
        self.places: dict[float, Path] = {}

    def get(self, rate: float, *, fresh: bool = False, dies_after: int = 99) -> None:
        """Ask for a model; the build dies after so many files."""
        built = []

        def build(folder: Path) -> None:
            for name, content in list(contents(rate).items())[:dies_after]:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(content)
                built.append(name)
            if dies_after < len(contents(rate)):
                raise KeyboardInterrupt

        entry = Store(self.root, fresh=fresh).get("model", {"rate": rate}, build)
        assert {name: (entry.path / name).read_bytes() for name in contents(rate)} == contents(rate)
        assert entry.reused == (not built) == (rate in self.whole and not fresh)
        assert not list(self.root.glob(f"model/building-{entry.key}-*"))
        self.whole.add(rate)
        self.places[rate] = entry.path

    @rule(rate=RATES)
    def train_or_reuse(self, rate: float) -> None:
        self.get(rate)

    @rule(rate=RATES)
    def train_afresh(self, rate: float) -> None:
        self.get(rate, fresh=True)

    @rule(rate=RATES, files=st.integers(0, 1))
    def die_half_way(self, rate: float, files: int) -> None:
        """Stopped while it writes: what was there before is still there, and nothing new."""
        if rate not in self.whole:
            with pytest.raises(KeyboardInterrupt):
                self.get(rate, dies_after=files)
            assert not (self.places.get(rate, self.root / "none") / MANIFEST).exists()

    @rule(rate=RATES, files=st.integers(0, 2))
    def killed_half_way(self, rate: float, files: int) -> None:
        """Killed while it writes: nobody cleaned up, the temporary folder stays."""
        if rate in self.places:
            left = self.places[rate].with_name(f"building-{self.places[rate].name}-dead")
            left.mkdir(exist_ok=True)
            for name, content in list(contents(rate).items())[:files]:
                (left / name).parent.mkdir(exist_ok=True)
                (left / name).write_bytes(content[:7])

    @rule(rate=RATES, name=FILES, at=st.integers(0, 40))
    def flip_a_bit(self, rate: float, name: str, at: int) -> None:
        if rate in self.whole:
            file = self.places[rate] / name
            content = bytearray(file.read_bytes())
            content[at % len(content)] ^= 0x80
            file.write_bytes(content)
            self.whole.discard(rate)

    @rule(rate=RATES, name=FILES, share=st.floats(0, 0.9))
    def truncate(self, rate: float, name: str, share: float) -> None:
        if rate in self.whole:
            file = self.places[rate] / name
            file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
            self.whole.discard(rate)

    @rule(rate=RATES, name=FILES)
    def delete_a_file(self, rate: float, name: str) -> None:
        if rate in self.whole:
            (self.places[rate] / name).unlink()
            self.whole.discard(rate)

    @rule(rate=RATES)
    def delete_the_entry(self, rate: float) -> None:
        if rate in self.whole:
            shutil.rmtree(self.places[rate])
            self.whole.discard(rate)

    @rule(rate=RATES, other=RATES)
    def swap_two_models(self, rate: float, other: float) -> None:
        """The file of another model, whole in itself."""
        if rate != other and {rate, other} <= self.whole:
            shutil.copyfile(self.places[other] / "weights.bin", self.places[rate] / "weights.bin")
            self.whole.discard(rate)

    @invariant()
    def no_entry_has_a_manifest_that_lies_and_passes(self) -> None:
        for rate in self.whole:
            manifest = json.loads((self.places[rate] / MANIFEST).read_text())
            assert set(manifest["files"]) == set(contents(rate))

    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)


TestStoredModels = StoredModels.TestCase
TestStoredModels.settings = settings(
    max_examples=settings().max_examples // 3, stateful_step_count=15
)
