"""Two runs of the benchmark: `make bench BENCH='--against FILE'` compares with an earlier JSON.

Machines differ and the same one does from hour to hour, so no seconds are compared but what each run
measured against itself: the lab against the plain recipe, its steps against matrix products, a warm lab
against bare imports, large against small. Memory and bytes are compared as they are.
"""

import statistics
from collections.abc import Mapping
from typing import Any

NOTICED = 0.1  # share of a ratio that is put down to the machine


def ratios(results: Mapping[str, Any]) -> dict[str, tuple[float, bool]]:
    """Every ratio of a run that has its parts, and whether more of it is better."""
    found: dict[str, tuple[float, bool]] = {}
    gemm = results.get("gemm")
    imports = results.get("lab", {}).get("import_seconds")
    if training := results.get("training"):
        found["training: times as fast as the plain recipe"] = training["speedup"], True
        runs = [run["lab"] for run in training["runs"]]
        if gemm:
            limit = gemm["bf16" if results["about"]["hardware"]["bf16"] else "fp32"]
            flops = statistics.median(run["flops_per_second"] for run in runs)
            found["training: steps, share of the limit"] = flops / limit, True
        found["training: peak, MiB"] = max(run["peak_mib"] for run in runs), False
    if (run := results.get("inference")) and gemm:
        share = 1e9 * run["tokens_per_second"] / gemm["fp32"]
        found["inference: tokens for a thousand million operations"] = share, True
    if scaling := results.get("scaling"):
        # One of before had all posts as well.
        eighth, _, half, *_ = (run["seconds"] / run["posts"] for run in scaling)
        found["fine-tune: seconds a post, of a half to an eighth"] = half / eighth, False
    if data := results.get("data"):
        first, last = (run["seconds"] / run["rows"] for run in (data[0], data[-1]))
        found["data path: seconds a post, most posts to fewest"] = last / first, False
        found["data path: peak, MiB"] = data[-1]["peak_mib"], False
        if imports:
            found["data path: times the imports"] = data[-1]["seconds"] / imports, False
    if lab := results.get("lab"):
        found["cold lab: times the imports"] = lab["cold"]["seconds"] / imports, False
        found["cold lab: peak, MiB"] = lab["cold"]["peak_mib"], False
        found["warm lab: times the imports"] = lab["warm_seconds"] / imports, False
    if scale := results.get("scale"):
        fewest, most = (pick(scale, key=lambda run: run["posts"]) for pick in (min, max))
        growth = most["seconds"] / fewest["seconds"] / (most["posts"] / fewest["posts"])
        found["scale: seconds a post, most posts to fewest"] = growth, False
        found["scale: highest peak, MiB"] = max(run["peak_mib"] for run in scale), False
        found["scale: largest page, kB"] = max(run["page_bytes"] for run in scale) / 1000, False
    return found


def comparison(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """The ratios of two runs as Markdown; one that is worse by more than `NOTICED` says so.

    A run with other data, posts or epochs measured another thing, and that is said first.
    """
    lines = [
        f"Not the same {name}: {before['about'].get(name)} then, {now['about'].get(name)} now."
        for name in ("data", "posts", "epochs")
        if before["about"].get(name) != now["about"].get(name)
    ]
    lines += [
        f"| against {before['about'].get('commit')} | then | now | change | |",
        "|---" * 5 + "|",
    ]
    then, ours = ratios(before), ratios(now)
    for name, (value, more_is_better) in ours.items():
        if name not in then:
            continue
        old = then[name][0]
        change = value / old - 1
        worse = (-change if more_is_better else change) > NOTICED
        verdict = "WORSE" if worse else ""
        lines.append(f"| {name} | {old:.4g} | {value:.4g} | {100 * change:+.0f} % | {verdict} |")
    return "\n".join(lines)
