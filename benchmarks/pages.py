"""The row about the console: what every page costs the server at ten deliveries and at a million."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Figure

LITTLE, MUCH, MUCH_QUICK = 10, 1_000_000, 50_000
VISITS, VISITS_QUICK = 20, 5
QUERIES, MILLISECONDS = 25, 200


def pages(bench: Bench) -> Iterator[Figure]:
    """Each page's 95th percentile, its caches emptied before every visit. Fails for a page with too many queries, or
    with another number of them at ten rows; milliseconds depend on the machine and fail nothing."""
    rows = MUCH_QUICK if bench.quick else MUCH
    with bench.fresh(bench.ours):
        made = bench.ours.inside("prepare_pages")
        bench.ours.inside("fill_pages", made=made, rows=LITTLE, others=5)
        few = {one["page"]: one["queries"] for one in bench.ours.inside("look_at_pages", made=made, visits=0)}
        bench.ours.inside("fill_pages", made=made, rows=rows, others=60)
        found = bench.ours.inside("look_at_pages", made=made, visits=VISITS_QUICK if bench.quick else VISITS)
    found.sort(key=lambda one: -one["p95"])
    for one in found:
        words = f"ms p95, {one['p50']:.0f} p50, {one['queries']} queries ({few.get(one['page'], 0)} at {LITTLE})"
        yield Figure(f"{one['page']}", one["p95"], words, one["cpu"], more={"p50": one["p50"], "worst": one["worst"]})
    yield Figure(f"slowest of {len(found)} pages at {rows:,} deliveries", found[0]["p95"], "ms p95")
    yield Figure(f"  pages over {MILLISECONDS} ms", sum(one["p95"] > MILLISECONDS for one in found), "pages")
    yield Figure("  most queries", max(one["queries"] for one in found), "queries")
    bench.ours.empty()
    if grown := [one["page"] for one in found if one["queries"] != few.get(one["page"], one["queries"])]:
        raise RuntimeError(f"The number of queries grows with the rows: {', '.join(grown)}")
    if many := [one["page"] for one in found if one["queries"] > QUERIES]:
        raise RuntimeError(f"More than {QUERIES} queries: {', '.join(many)}")
