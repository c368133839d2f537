#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Break libupcall on purpose, one line at a time, and require that its tests notice.

Builds the library and its tests once unchanged (they must pass), then each mutant of mutants.py in a
copy, and runs the tests until one fails. Exit 0 when every mutant was noticed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from mutants import MUTANTS

PLAIN = ["abi", "setup", "deliver", "fifo", "poll", "lifecycle", "endpoint", "hostile", "route", "handover", "told", "affinity_op",
         "pirq", "reset", "virq", "limits", "controls", "advisories", "advisories_reset"]
# Cheap ones first: most mutants are noticed by the first that looks.
PROGRAMS = [(t, "plain") for t in PLAIN] + [
    ("steps", "stepped"),
    ("steps_route", "stepped"),
    ("steps_reset", "stepped"),
    ("advisories_races", "stepped"),
    ("stress", "stepped"),
    ("moves", "stepped"),
    ("stress", "plain"),
    ("moves", "plain"),
]
# What a program is linked with besides the library.
HELPERS = {"steps": ["fixture", "play"], "steps_route": ["fixture", "play"],
           "steps_reset": ["fixture", "play"], "advisories_races": ["fixture", "play"]}
FLAGS = ["-std=gnu11", "-O1", "-w", "-D_GNU_SOURCE", "-Iinclude", "-I."]
TESTS = "tests/unit/lib"
# Threads decide what these come across: a mutant is missed only when so many runs have missed it.
BY_CHANCE = {"stress", "moves"}
TRIES = 12
# What tells a hang: CPU time, which other work on this machine does not change, and a long wait.
CPU_S = {"stress": 80, "moves": 80}
WALL = 12


def limit_cpu(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


ARGS = {("stress", "stepped"): ["60000"], ("moves", "stepped"): ["60000"]}


class Tree:
    """A copy of the sources and what was built from it."""

    def __init__(self, root, source, cc):
        self.root, self.cc = root, cc
        for part in ("include", "lib", TESTS):
            shutil.copytree(source / part, root / part)
        self.sources = sorted(p.relative_to(root) for p in (root / "lib").rglob("*.c"))

    def compile(self, source, output, *extra):
        command = [self.cc, *FLAGS, *extra, "-c", str(source), "-o", str(output)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{source} does not compile:\n{done.stderr}")

    def build_library(self, only=None):
        for source in only or self.sources:
            name = str(source).replace("/", "_")
            self.compile(source, self.root / f"plain-{name}.o", "-ffreestanding")
            self.compile(source, self.root / f"stepped-{name}.o", "-ffreestanding",
                         "-include", f"{TESTS}/step.h")

    def build_tests(self):
        for name in {"fixture", "play", *(t for t, _ in PROGRAMS)}:
            self.compile(f"{TESTS}/{name}.c", self.root / f"test-{name}.o")

    def run(self, test, variant):
        """None when the test passes, else what happened."""
        program = self.root / f"{test}-{variant}"
        objects = [str(p) for p in self.root.glob(f"{variant}-*.o")]
        parts = [f"test-{p}.o" for p in (test, *HELPERS.get(test, ["fixture"]))]
        subprocess.run([self.cc, *parts, *objects, "-lcmocka", "-lpthread", "-o", str(program)],
                       cwd=self.root, check=True)
        try:
            done = subprocess.run([str(program), *ARGS.get((test, variant), [])], cwd=self.root, capture_output=True, text=True,
                                  errors="replace", timeout=WALL * CPU_S.get(test, 10),
                                  preexec_fn=lambda: limit_cpu(CPU_S.get(test, 10)))
        except subprocess.TimeoutExpired:
            return "hangs"
        if done.returncode == 0:
            return None
        if done.returncode == -signal.SIGXCPU:
            return "spins"
        failed = [l.split("] ", 1)[1] for l in (done.stdout + done.stderr).splitlines()
                  if l.startswith("[  FAILED  ] ") and "test(s)" not in l]
        return failed[0] if failed else f"dies ({done.returncode})"

    def first_failure(self, by=None, tries=1):
        """`by`: only these tests look."""
        for attempt in range(tries):
            for test, variant in PROGRAMS:
                if (by and test not in by) or (attempt and test not in BY_CHANCE):
                    continue
                what = self.run(test, variant)
                if what:
                    return f"{test}{'' if variant == 'plain' else ' (stepped)'}: {what}"
        return None


def mutate(tree, mutant):
    path = tree.root / mutant["file"]
    text = path.read_text()
    for old, new in mutant["change"]:
        if text.count(old) != 1:
            raise RuntimeError(f"{mutant['file']}: found {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    path.write_text(text)
    is_source = mutant["file"].endswith(".c")
    tree.build_library([pathlib.Path(mutant["file"])] if is_source else None)


def try_mutant(base, mutant):
    """(mutant, the test that noticed or None, seconds)"""
    start = time.monotonic()
    root = pathlib.Path(tempfile.mkdtemp(prefix="mutant-", dir=base.root.parent))
    tree = Tree.__new__(Tree)
    tree.root, tree.cc, tree.sources = root / "t", base.cc, base.sources
    shutil.copytree(base.root, tree.root)
    try:
        mutate(tree, mutant)
        return mutant, tree.first_failure(mutant["by"], TRIES), time.monotonic() - start
    finally:
        shutil.rmtree(root)


def report(mutant, noticed, seconds):
    verdict = f"noticed by {noticed}" if noticed else "NOT NOTICED"
    print(f"{mutant['name']:<52} {seconds:5.1f}s  {verdict}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--only", help="only mutants whose name has this in it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    wanted = [m for m in MUTANTS if not args.only or args.only in m["name"]]
    missed = 0

    with tempfile.TemporaryDirectory(prefix="upcall-mutants-") as work:
        base = Tree(pathlib.Path(work) / "base", pathlib.Path(args.source).resolve(), args.cc)
        base.build_library()
        base.build_tests()
        failure = base.first_failure()
        if failure:
            print(f"the unchanged tree fails: {failure}")
            return 1
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for mutant, noticed, seconds in pool.map(lambda m: try_mutant(base, m), wanted):
                report(mutant, noticed, seconds)
                missed += not noticed
    print(f"{len(wanted) - missed} of {len(wanted)} mutants noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
