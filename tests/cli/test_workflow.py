"""The GitHub Actions workflows: well-formed, and they do what the docs promise of them."""

import re

import pytest
import yaml

from tests.running import ROOT, run_python

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOW = ROOT / ".github" / "workflows" / "lab.yml"


@pytest.fixture(scope="module")
def steps():
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_it_is_a_valid_workflow(workflow):
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    schema = ("--builtin-schema", "vendor.github-workflows")
    run = run_python("-m", "check_jsonschema", *schema, str(workflow))
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_profile_is_pinned_and_failing_gates_fail_the_job(steps):
    (lab,) = (step for step in steps if "pytest" in step.get("run", ""))
    assert '--lab-profile "$PROFILE"' in lab["run"]
    assert "continue-on-error" not in lab
    assert "||" not in lab["run"]


def test_report_and_summary_are_kept_also_when_gates_fail(steps):
    kept = [step for step in steps if "reports/summary.md" in str(step)]
    assert len(kept) == 3
    assert all(step["if"].startswith("always()") for step in kept)


def test_a_pull_request_keeps_one_comment_by_the_jobs_own_token(steps):
    (step,) = (step for step in steps if "gh api" in step.get("run", ""))
    assert step["env"]["GH_TOKEN"] == "${{ github.token }}"
    permissions = yaml.safe_load(WORKFLOW.read_text())["permissions"]
    assert permissions == {"contents": "read", "pull-requests": "write"}
    assert "uses" not in step


def test_check_and_test_run_on_every_python_that_is_promised():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert jobs["tests"]["strategy"]["matrix"]["python"] == promised
    said = [step.get("run", "") for step in jobs["tests"]["steps"]]
    assert {"make check", "make test"} <= set(said)
    assert jobs["exercises"]["runs-on"].startswith("macos")


def test_store_and_hub_are_cached(steps):
    paths = [step["with"]["path"] for step in steps if "cache@" in step.get("uses", "")]
    assert paths == [".pytest_cache/d/labkit", "~/.cache/huggingface/hub"]
