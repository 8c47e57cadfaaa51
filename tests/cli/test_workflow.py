"""The GitHub Actions workflow: well-formed, and it does what the docs promise of it."""

import pytest
import yaml

from tests.running import ROOT, run_python

WORKFLOW = ROOT / ".github" / "workflows" / "lab.yml"


@pytest.fixture(scope="module")
def steps():
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return job["steps"]


def test_it_is_a_valid_workflow():
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    schema = ("--builtin-schema", "vendor.github-workflows")
    run = run_python("-m", "check_jsonschema", *schema, str(WORKFLOW))
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_profile_is_pinned_and_failing_gates_fail_the_job(steps):
    (lab,) = (step for step in steps if "pytest" in step.get("run", ""))
    assert '--lab-profile "$PROFILE"' in lab["run"]
    assert "continue-on-error" not in lab
    assert "||" not in lab["run"]


def test_report_and_summary_are_kept_also_when_gates_fail(steps):
    kept = [step for step in steps if "reports/summary.md" in str(step)]
    assert len(kept) == 2
    assert all(step["if"] == "always()" for step in kept)


def test_store_and_hub_are_cached(steps):
    paths = [step["with"]["path"] for step in steps if "cache@" in step.get("uses", "")]
    assert paths == [".pytest_cache/d/labkit", "~/.cache/huggingface/hub"]
