#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plant a bug of each kind in libupcall, and require that the explorer finds it and repeats it.

As tests/mutants/run.py, for the explorer alone: each bug is found by a scenario that is not told what
to look for, and the schedule that it prints must fail again. Exit 0 when every bug was found.
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from planted_bugs import BUGS

HERE = "tests/explore"
FLAGS = ["-std=gnu11", "-O1", "-w", "-D_GNU_SOURCE", "-Iinclude", "-I.",
         "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__"]
STEPPED = ["acts", "scenarios_raise", "scenarios_control", "scenarios_hostile"]
CPU_S = 60


class Tree:
    """A copy of the sources, and the objects built from it."""

    def __init__(self, root, source, cc):
        self.root, self.cc = root, cc
        for part in ("include", "lib", "tests/unit/lib", HERE):
            shutil.copytree(source / part, root / part)
        self.library = sorted(p.relative_to(root) for p in (root / "lib").rglob("*.c"))
        own = sorted(p.relative_to(root) for p in (root / HERE).glob("*.c"))
        self.stepped = [*self.library, pathlib.Path("tests/unit/lib/fixture.c"),
                        *(p for p in own if p.stem in STEPPED)]
        self.plain = [p for p in own if p.stem not in STEPPED]

    def object(self, source):
        return str(source).replace("/", "_") + ".o"

    def compile(self, sources, *extra):
        running = [subprocess.Popen([self.cc, *FLAGS, *extra, "-c", str(s), "-o", self.object(s)],
                                    cwd=self.root) for s in sources]
        if any([p.wait() for p in running]):
            sys.exit("planted.py: does not compile")

    def compile_stepped(self, sources):
        for at in range(0, len(sources), 2):
            self.compile(sources[at:at + 2], "-include", f"{HERE}/access.h")

    def build(self):
        for at in range(0, len(self.plain), 2):
            self.compile(self.plain[at:at + 2])
        self.compile_stepped(self.stepped)
        self.link()

    def link(self):
        objects = [self.object(s) for s in (*self.stepped, *self.plain)]
        subprocess.run([self.cc, *objects, "-o", "explore"], cwd=self.root, check=True)

    def explore(self, *args):
        """(exit status, what it printed)"""
        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
        done = subprocess.run(["./explore", *args], cwd=self.root, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              preexec_fn=limit)
        return done.returncode, done.stdout

    def change(self, bug):
        path = self.root / bug["file"]
        text = path.read_text()
        for old, new in bug["change"]:
            if text.count(old) != 1:
                sys.exit(f"planted.py: {bug['file']}: found {text.count(old)} times: {old!r}")
            text = text.replace(old, new)
        path.write_text(text)
        self.compile_stepped([pathlib.Path(bug["file"])] if path.suffix == ".c" else self.stepped)
        self.link()


def hunt(tree, bug):
    """None when it is found and repeated, else what is amiss."""
    kept = (tree.root / bug["file"]).read_text()
    try:
        tree.change(bug)
        status, said = tree.explore(*bug["scenarios"])
        again = re.search(r"^  explore (\S+) --replay (\S+)$", said, re.M)
        if status != 1 or not again:
            return f"not found (exit status {status})", ""
        what = said[:again.start()].strip().splitlines()[-1]
        status, said = tree.explore(again[1], "--replay", again[2])
        if status != 1:
            return f"found, but not repeated by --replay {again[2]}", what
        return None, f"{what} [{again[2]}]"
    finally:
        (tree.root / bug["file"]).write_text(kept)
        is_source = bug["file"].endswith(".c")
        tree.compile_stepped([pathlib.Path(bug["file"])] if is_source else tree.stepped)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--only", default="", help="only bugs whose name has this in it")
    args = parser.parse_args()
    wanted = [b for b in BUGS if args.only in b["name"]]
    missed = 0

    with tempfile.TemporaryDirectory(prefix="upcall-planted-") as work:
        tree = Tree(pathlib.Path(work), pathlib.Path(args.source).resolve(), args.cc)
        tree.build()
        scenarios = sorted({s for b in BUGS for s in b["scenarios"]})
        status, said = tree.explore("--limit", "1", *scenarios)
        if status:
            print(f"the unchanged library fails:\n{said}")
            return 1
        for bug in wanted:
            start = time.monotonic()
            amiss, what = hunt(tree, bug)
            missed += amiss is not None
            print(f"{bug['kind']:<14} {bug['name']:<52} {time.monotonic() - start:5.1f}s  "
                  f"{'NOT FOUND: ' + amiss if amiss else what}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} planted bugs found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
