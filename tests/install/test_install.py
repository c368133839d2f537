#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs into a temporary folder, and uses what is there as somebody else's program would.

Checked: every file is there; libupcall.so exports the functions of the public headers, each with a version, and
nothing else; programs in C and C++ that use all of them link by pkg-config, shared and static; examples/tinyhost
builds outside this tree and says what it should; the sizes in docs/embedding.md are right.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "api"))

import declared  # noqa: E402

# What a shared object of C needs of its surroundings, whatever is in it.
START_UP = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize", "__gmon_start__"}


def run(*command, env=None, cwd=None):
    """Standard output; a command that fails ends the test with all it said."""
    done = subprocess.run([str(c) for c in command], env=env, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


class Failures:
    count = 0

    @classmethod
    def unless(cls, good, text):
        if not good:
            print(text)
            cls.count += 1

    @classmethod
    def unless_equal(cls, what, got, want):
        got, want = set(got), set(want)
        cls.unless(got <= want, f"{what}: too much: {' '.join(sorted(got - want))}")
        cls.unless(want <= got, f"{what}: missing: {' '.join(sorted(want - got))}")


class Installed:
    def __init__(self, args, folder):
        self.folder, self.work = folder / "root", folder / "work"
        self.work.mkdir()
        prefix = self.folder / args.prefix.lstrip("/")
        self.prefix, self.lib = prefix, prefix / args.libdir
        self.include, self.man = prefix / args.includedir, prefix / args.mandir
        run("meson", "install", "-C", args.build, "--no-rebuild", "--quiet", "--destdir", self.folder)
        self.env = dict(os.environ, PKG_CONFIG_LIBDIR=str(self.lib / "pkgconfig"),
                        PKG_CONFIG_SYSROOT_DIR=str(self.folder), LD_LIBRARY_PATH=str(self.lib))
        for name in ("PKG_CONFIG_PATH", "CFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH"):
            self.env.pop(name, None)

    def pkg_config(self, *words):
        return run("pkg-config", *words, "upcall", env=self.env).split()


def check_files(at, version):
    want = {f"upcall/{p.name}" for p in (ROOT / "include" / "upcall").glob("*.h")}
    Failures.unless_equal("headers", {str(p.relative_to(at.include)) for p in at.include.rglob("*.*")}, want)
    shared = {"libupcall.so", "libupcall.so.0", f"libupcall.so.{version}"}
    Failures.unless_equal("libraries", {p.name for p in at.lib.glob("lib*")}, shared | {"libupcall.a"})
    Failures.unless((at.lib / "libupcall.so").resolve() == (at.lib / f"libupcall.so.{version}").resolve(),
                    "libupcall.so is no link to the library")
    pages = {p.name for p in (ROOT / "man").glob("*.3")}
    Failures.unless(pages, "man/ has no page of section 3")
    Failures.unless_equal("pages", {p.name for p in at.man.rglob("*.*")}, pages | {"upcall.1"})
    said = run(at.prefix / "bin" / "upcall", "--version")
    Failures.unless(said == f"upcall {version}\n", f"the installed upcall says {said!r}")
    Failures.unless(at.pkg_config("--modversion") == [version], "upcall.pc has another version")


def check_exports(at, functions):
    library = at.lib / "libupcall.so"
    soname = re.search(r"\(SONAME\).*\[(.*)\]", run("readelf", "-dW", library))
    Failures.unless(soname and soname[1] == "libupcall.so.0", f"soname: {soname and soname[1]}")
    rows = [line.split() for line in run("nm", "-D", "--with-symbol-versions", library).splitlines()]
    needs = {row[1].split("@")[0] for row in rows if row[0] in "Uw"}
    Failures.unless(needs - START_UP <= {"memcpy", "memset"}, f"needs {needs - START_UP - {'memcpy', 'memset'}}")
    defined = {row[2] for row in rows if len(row) == 3 and row[1] != "A"}
    Failures.unless_equal("libupcall.so against the headers", {name.split("@")[0] for name in defined}, functions)
    bare = {name for name in defined if not re.fullmatch(r"uc_\w+@@UPCALL_\d+\.\d+", name)}
    Failures.unless(not bare, f"without a version: {' '.join(sorted(bare))}")
    in_static = {row[2] for row in (line.split() for line in run("nm", at.lib / "libupcall.a").splitlines())
                 if len(row) == 3 and row[1] == "T"}
    Failures.unless_equal("libupcall.a lacks functions of the headers", in_static & set(functions), functions)


def check_parser(at, functions):
    """What the compiler finds declared is what declared.py found, so that no function is overlooked by both tests."""
    source, report = at.work / "all.c", at.work / "all.txt"
    source.write_text("".join(f"#include <upcall/{p.name}>\n" for p in (at.include / "upcall").glob("*.h")))
    run("gcc", "-fsyntax-only", "-aux-info", report, *at.pkg_config("--cflags"), source, env=at.env)
    compiled = re.findall(r"\b(uc_\w+) \(", re.sub(r"/\*.*?\*/", "", report.read_text()))
    Failures.unless_equal("tests/api/declared.py against the compiler", functions, compiled)


USER = """#ifdef __cplusplus
extern "C" {
#endif
%(includes)s
#ifdef __cplusplus
}
#endif
typedef void (*function)(void);
static const function all[] = {
%(rows)s};
int main(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		n += all[i] != 0;
	return n == %(count)d ? 0 : 1;
}
"""


def check_users(at, functions):
    """A program that names every function, in both languages, linked both ways."""
    headers = sorted({f.header for f in functions.values()})
    text = USER % {"includes": "\n".join(f"#include <upcall/{h}>" for h in headers), "count": len(functions),
                   "rows": "".join(f"\t(function){name},\n" for name in functions)}
    for compiler, suffix, standard in (("gcc", "c", "c11"), ("g++", "cpp", "c++17")):
        source = at.work / f"user.{suffix}"
        source.write_text(text)
        flags = [f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type"]
        shared, static = at.work / f"shared-{suffix}", at.work / f"static-{suffix}"
        run(compiler, *flags, *at.pkg_config("--cflags"), source, "-o", shared, *at.pkg_config("--libs"), env=at.env)
        run(compiler, *flags, *at.pkg_config("--static", "--cflags"), "-static", source, "-o", static,
            *at.pkg_config("--static", "--libs"), env=at.env)
        for program in (shared, static):
            run(program, env=at.env)
        needed = run("readelf", "-dW", shared)
        Failures.unless("[libupcall.so.0]" in needed, f"{shared.name} does not need libupcall.so.0")
        Failures.unless("[libupcall" not in run("readelf", "-dW", static), f"{static.name} needs a shared library")


def check_sizes(at):
    """The table of docs/embedding.md is what the compiler says."""
    structures = {"domain": "uc_domain", "vCPU": "uc_vcpu", "port": "uc_port", "physical interrupt": "uc_pirq", "end point": "uc_endpoint"}
    source, program = at.work / "sizes.c", at.work / "sizes"
    source.write_text('#include <stdio.h>\n#include <upcall/evtchn.h>\nint main(void)\n{\n' + "".join(
        f'\tprintf("{name} %zu\\n", sizeof(struct {tag}));\n' for name, tag in structures.items()) + "}\n")
    run("gcc", *at.pkg_config("--cflags"), source, "-o", program, env=at.env)
    text = (ROOT / "docs" / "embedding.md").read_text()
    for line in run(program).splitlines():
        name, size = line.rsplit(" ", 1)
        row = re.search(rf"^\| {name} \| (\d+)", text, re.M)
        Failures.unless(row and row[1] == size, f"docs/embedding.md: a {name} has {size} bytes, not {row and row[1]}")


def check_tinyhost(at):
    folder = at.work / "examples"
    folder.mkdir()
    for name in ("Makefile", "tinyhost.c"):
        (folder / name).write_text((ROOT / "examples" / name).read_text())
    lines = (folder / "tinyhost.c").read_text().count("\n")
    Failures.unless(lines < 200, f"tinyhost.c has {lines} lines")
    run("make", "-C", folder, env={k: v for k, v in at.env.items() if not k.startswith("MAKE")})
    want = (ROOT / "tests" / "install" / "tinyhost.out").read_text()
    for program in ("tinyhost", "tinyhost-static"):
        said = run(folder / program, env=at.env)
        Failures.unless(said == want, f"{program} said:\n{said}instead of:\n{want}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("build", "prefix", "libdir", "includedir", "mandir", "version"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    functions = declared.of_headers(ROOT / "include" / "upcall")
    with tempfile.TemporaryDirectory() as folder:
        at = Installed(args, pathlib.Path(folder))
        check_files(at, args.version)
        check_parser(at, functions)
        check_exports(at, functions)
        if not Failures.count:
            check_users(at, functions)
            check_sizes(at)
            check_tinyhost(at)
    return 1 if Failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
