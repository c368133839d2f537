#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plant a bug of each kind in libupcall; require that the explorer, or the fuzz target, finds it.

As tests/mutants/run.py, for these two alone: they are not told what to look for, and the schedule or
the input that they print must fail again. Exit 0 when every bug was found.
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

from planted_bugs import BUGS, FUZZ_BUGS

HERE = "tests/explore"
FLAGS = ["-std=gnu11", "-O1", "-w", "-D_GNU_SOURCE", "-Iinclude", "-I.",
         "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
CPU_S = 60


class Program:
    """How one of the two programs is built, and how its findings look."""

    def __init__(self, name, stepped, plain, flags, again, repeat):
        self.name, self.stepped, self.plain, self.flags = name, stepped, plain, flags
        self.again, self.repeat = re.compile(again, re.M), repeat


EXPLORE = Program(
    "explore",
    ["tests/unit/lib/fixture.c", *(f"{HERE}/{n}.c" for n in ("acts", "scenarios_raise", "scenarios_control", "scenarios_reset",
                                                            "scenarios_hostile"))],
    [f"{HERE}/{n}.c" for n in ("main", "search", "engine", "coroutine", "meet", "moves", "names", "scene", "truth", "flips",
                               "records", "asserts")],
    [], r"^  explore (\S+) --replay (\S+)$", lambda m: [m[1], "--replay", m[2]])
FUZZ = Program(
    "fuzz-ops", [], ["fuzz/ops.c", "fuzz/guest.c", "fuzz/standalone.c", f"{HERE}/records.c"],
    SANITIZERS, r"^again: \S+ (--seed \d+ --first \d+ --runs 1)$", lambda m: m[1].split())


class Tree:
    """A copy of the sources, and the objects built from it."""

    def __init__(self, root, source, cc, program):
        self.root, self.cc, self.program = root, cc, program
        for part in ("include", "lib", "tests/unit/lib", HERE, "fuzz"):
            shutil.copytree(source / part, root / part)
        library = sorted(p.relative_to(root) for p in (root / "lib").rglob("*.c"))
        self.stepped = [*library, *map(pathlib.Path, program.stepped)]
        self.plain = [pathlib.Path(p) for p in program.plain]

    def object(self, source):
        return str(source).replace("/", "_") + ".o"

    def compile(self, sources, *extra):
        for at in range(0, len(sources), 2):
            running = [subprocess.Popen([self.cc, *FLAGS, *self.program.flags, *extra, "-c", str(s), "-o",
                                         self.object(s)], cwd=self.root) for s in sources[at:at + 2]]
            if any([p.wait() for p in running]):
                sys.exit("planted.py: does not compile")

    def compile_stepped(self, sources):
        self.compile(sources, "-include", f"{HERE}/access.h")

    def build(self):
        self.compile(self.plain)
        self.compile_stepped(self.stepped)
        self.link()

    def link(self):
        objects = [self.object(s) for s in (*self.stepped, *self.plain)]
        subprocess.run([self.cc, *self.program.flags, *objects, "-o", self.program.name], cwd=self.root, check=True)

    def run(self, *args):
        """(exit status, what it printed)"""
        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
        done = subprocess.run([f"./{self.program.name}", *args], cwd=self.root, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=limit)
        return done.returncode, done.stdout

    def sources_of(self, bug):
        return [pathlib.Path(bug["file"])] if bug["file"].endswith(".c") else self.stepped

    def change(self, bug):
        path = self.root / bug["file"]
        text = path.read_text()
        for old, new in bug["change"]:
            if text.count(old) != 1:
                sys.exit(f"planted.py: {bug['file']}: found {text.count(old)} times: {old!r}")
            text = text.replace(old, new)
        path.write_text(text)
        self.compile_stepped(self.sources_of(bug))
        self.link()


def what_was_said(said, again):
    """The line that says what is wrong: the sanitizers' has a name of its own."""
    of_sanitizer = re.search(r"ERROR: \w+: (.*)|runtime error: (.*)", said)
    if of_sanitizer:
        return (of_sanitizer[1] or of_sanitizer[2])[:60]
    return said[:again.start()].strip().splitlines()[-1]


def hunt(tree, bug):
    """None when it is found and repeated, else what is amiss; and what was said."""
    kept = (tree.root / bug["file"]).read_text()
    try:
        tree.change(bug)
        status, said = tree.run(*bug["args"])
        again = tree.program.again.search(said)
        if not status or not again:
            return f"not found (exit status {status})", ""
        repeat = tree.program.repeat(again)
        what = f"{what_was_said(said, again)} [{repeat[-1] if tree.program is EXPLORE else ' '.join(repeat[2:4])}]"
        status, said = tree.run(*repeat)
        return None if status else f"found, but not repeated: {repeat}", what
    finally:
        (tree.root / bug["file"]).write_text(kept)
        tree.compile_stepped(tree.sources_of(bug))


def hunt_all(args, program, bugs, check):
    """The number of bugs that were missed. `check`: the unchanged library passes this."""
    wanted = [b for b in bugs if args.only in b["name"]]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="upcall-planted-") as work:
        tree = Tree(pathlib.Path(work), pathlib.Path(args.source).resolve(), args.cc, program)
        tree.build()
        status, said = tree.run(*check)
        if status:
            print(f"the unchanged library fails:\n{said}")
            return 1
        for bug in wanted:
            start = time.monotonic()
            amiss, what = hunt(tree, bug)
            missed += amiss is not None
            print(f"{bug['kind']:<14} {bug['name']:<52} {time.monotonic() - start:5.1f}s  "
                  f"{'NOT FOUND: ' + amiss if amiss else what}", flush=True)
    print(f"{program.name}: {len(wanted) - missed} of {len(wanted)} planted bugs found")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--only", default="", help="only bugs whose name has this in it")
    parser.add_argument("--program", default="both", choices=["explore", "fuzz-ops", "both"])
    args = parser.parse_args()
    missed = 0
    if args.program != "fuzz-ops":
        scenarios = sorted({s for b in BUGS for s in b["args"]})
        missed += hunt_all(args, EXPLORE, BUGS, ["--limit", "1", *scenarios])
    if args.program != "explore":
        missed += hunt_all(args, FUZZ, FUZZ_BUGS, ["--runs", "2000"])
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
