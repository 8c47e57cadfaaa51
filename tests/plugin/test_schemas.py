"""Records of the format before this one are read; one of a later is refused in one line."""

import json
import shutil
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.release.lineage import Lineage
from labkit.release.model_folder import find_stranger
from labkit.runs import history

OLD = Path(__file__).parent / "schema_1"  # as labkit 0.1.0 wrote them, without numbers
LATER = {"schema": 2, "measured": "otherwise"}


def later(path: Path) -> None:
    """Make every record of a file one of a later schema."""
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(document | LATER) + "\n" for document in documents))


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "records"
    shutil.copytree(OLD, folder)
    return folder


def test_the_old_records_have_no_number():
    assert not [path for path in OLD.iterdir() if '"schema"' in path.read_text()]


def test_an_old_history_and_baseline_are_read(records):
    baseline, _ = history.find("", records)
    found, remarks = history.find("20260131T1", records)
    assert baseline == found
    assert (found.schema, remarks) == (1, ())
    assert found.values["fine_tune"]["fine_tuned_accuracy"] == 0.8625


def test_a_record_keeps_what_a_later_labkit_of_its_schema_added(records):
    path = records / history.BASELINE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    assert history.find("", records)[0].run == "20260131T120000Z"


def test_a_later_baseline_is_refused(records):
    later(records / history.BASELINE)
    with pytest.raises(LabError, match=r"baseline.json is of schema 2, and this labkit reads up"):
        history.find("", records)


def test_later_records_in_a_history_are_left_out_and_told(records):
    path = records / history.FILE
    old = path.read_text()
    later(path)
    path.write_text(path.read_text() + old)
    found, remarks = history.find("20260131", records)
    assert found.schema == 1
    (remark,) = remarks
    assert "line 1 is of schema 2" in remark


def test_an_old_lineage_is_read(records):
    record = Lineage.load(records)
    assert record.schema == 1
    assert record.metrics["fine_tuned_accuracy"] == 0.8625


def test_a_later_lineage_is_refused_and_its_model_not_replaced(records):
    later(records / "lineage.json")
    with pytest.raises(LabError, match=r"lineage.json is of schema 2"):
        Lineage.load(records)
    with pytest.raises(LabError, match=r"lineage.json is of schema 2"):
        find_stranger(records)


@pytest.mark.parametrize("number", [0, "1", None, 1.5, [1]], ids=str)
def test_a_number_that_is_none_is_refused(records, number):
    path = records / history.BASELINE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": number}))
    with pytest.raises(LabError, match="is of schema"):
        history.find("", records)
