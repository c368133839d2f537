#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages are well-formed, and say what the headers and the program say.

Every function of the public headers is in the NAME of exactly one page and in its SYNOPSIS, with its header and exact
prototype; no page has one that is not there. upcall(1) has the options that each command's --help has.
Arguments: the built upcall, the built upcall.1.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "api"))

import declared  # noqa: E402

failed = []


def fail(text):
    print(text)
    failed.append(text)


def lint(page):
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", str(page)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode or done.stdout:
        fail(f"{page.name}: mandoc:\n{done.stdout}")


def section(lines, name):
    """The lines of .Sh NAME."""
    start = lines.index(f".Sh {name}") + 1 if f".Sh {name}" in lines else len(lines)
    length = next((i for i, line in enumerate(lines[start:]) if line.startswith(".Sh ")), None)
    return lines[start:start + length] if length is not None else lines[start:]


def argument(line):
    return line.split(" ", 1)[1].strip().strip('"')


def prototypes(lines):
    """What a SYNOPSIS declares, in the form of declared.py."""
    found, header, returns, name, parameters = [], "", "", "", []
    for line in lines:
        if line.startswith(".In "):
            header = argument(line)
        elif line.startswith(".Ft "):
            returns = argument(line)
        elif line.startswith(".Fo "):
            name, parameters = argument(line), []
        elif line.startswith(".Fa "):
            parameters.append(argument(line))
        elif line == ".Fc":
            found.append(declared.Function(name, header, returns, parameters))
    return found


class Pages:
    def __init__(self):
        self.functions = declared.of_headers(ROOT / "include" / "upcall")
        self.page_of = {}
        self.paths = sorted((ROOT / "man").glob("*.3"))

    def check(self):
        for path in self.paths:
            lint(path)
            self.check_page(path.stem, path.read_text().splitlines())
        for name in sorted(self.functions.keys() - self.page_of.keys()):
            fail(f"{name} ({self.functions[name].header}) is in no manual page: add it to one in man/")
        return len(self.page_of)

    def check_page(self, name, lines):
        names = [line.split()[1] for line in section(lines, "NAME") if line.startswith(".Nm ")]
        if f".Dt {name.upper()} 3" not in lines or names[:1] != [name]:
            fail(f"{name}.3: not the name that it gives itself")
        synopsis = prototypes(section(lines, "SYNOPSIS"))
        if [f.name for f in synopsis] != names[1:]:
            fail(f"{name}.3: NAME and SYNOPSIS differ")
        for function in synopsis:
            self.check_function(name, function)
        for line in lines:
            match = re.match(r"\.(?:Xr|Pq see Xr) (\w+) 3", line)
            if match and not (ROOT / "man" / f"{match[1]}.3").exists():
                fail(f"{name}.3: no page {match[1]}(3)")

    def check_function(self, page, function):
        real = self.functions.get(function.name)
        if not real:
            fail(f"{page}.3: {function.name} is declared nowhere")
            return
        if str(real) != str(function) or f"upcall/{real.header}" != function.header:
            fail(f"{page}.3: has\n   {function}\n   of <{function.header}>, declared is\n   {real}\n   in <upcall/{real.header}>")
        if function.name in self.page_of:
            fail(f"{function.name} is in {page}.3 and {self.page_of[function.name]}.3")
        self.page_of[function.name] = page


def check_program(upcall, page):
    """Both come from the same tables; the page is what was built last, and its form may lose what the tables have."""
    lint(page)
    text = page.read_text()
    commands = re.findall(r"^  (\w+)  ", subprocess.run([upcall, "--help"], stdout=subprocess.PIPE, text=True).stdout,
                          re.M)
    parts = dict(re.findall(r"^\.SS upcall (\w+)\n(.*?)(?=^\.S[SH] |\Z)", text, re.M | re.S))
    if list(parts) != commands or not commands:
        fail(f"upcall.1 has the commands {list(parts)}, --help has {commands}")
    options = 0
    for command in commands:
        said = subprocess.run([upcall, command, "--help"], stdout=subprocess.PIPE, text=True).stdout
        has = re.findall(r"^  (--[\w-]+)", said, re.M)
        shows = [o.replace("\\-", "-") for o in re.findall(r"^\.TP\n\.B (\\-\\-[\w\\-]+)", parts.get(command, ""), re.M)]
        if has != shows:
            fail(f"upcall.1, {command}: has {shows}, --help has {has}")
        options += len(has)
    return options


def main():
    if not shutil.which("mandoc"):
        print("no mandoc: apt-get install mandoc")
        return 77
    functions = Pages().check()
    options = check_program(sys.argv[1], pathlib.Path(sys.argv[2]))
    print(f"{functions} functions, {options} options")
    if not functions or not options:
        fail("nothing was looked at")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
