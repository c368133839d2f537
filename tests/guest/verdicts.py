# SPDX-License-Identifier: MIT
"""Runs guests' tests side by side and prints a verdict on each, as it comes; tests/check counts them."""

import concurrent.futures

SHOWN = 20  # problems of one test; the rest is in its logs


def verdict(name, problems, seconds, place, notes=(), hint=""):
    """Lines: "ok" or "not ok", and what is to be said of it. `hint`: where to look when it failed."""
    lines = [f"{'not ok' if problems else 'ok'} {place} guest {name} ({seconds:.0f} s)"]
    lines += [f"#   {text}" for text in [*notes, *problems[:SHOWN]]]
    if problems and hint:
        lines.append(f"#   {hint}")
    return lines


def run_all(run, jobs, workers, hint):
    """How many failed. run(job): (name, problems, notes, seconds); hint(name): see verdict()."""
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = [pool.submit(run, job) for job in jobs]
        for number, result in enumerate(concurrent.futures.as_completed(results), 1):
            name, problems, notes, seconds = result.result()
            failed += bool(problems)
            place = f"{number}/{len(jobs)}"
            print("\n".join(verdict(name, problems, seconds, place, notes, hint(name))), flush=True)
    return failed
