# SPDX-License-Identifier: MIT
"""The functions that the public headers declare. Used by the tests of what is exported and of the manual pages.

Not a C parser: it takes away comments, preprocessor lines and everything in braces, and what is left of a header
of ours are declarations. What it overlooks, the comparison with the library's exported names shows.
"""

import pathlib
import re


class Function:
    def __init__(self, name, header, returns, parameters):
        self.name, self.header = name, header
        self.returns, self.parameters = returns, parameters

    def __str__(self):
        return f"{self.returns} {self.name}({', '.join(self.parameters)})"


def tidy(text):
    """One way to write it: "const char * x" and "const char *x" are the same."""
    return re.sub(r"\s*\*\s*", " *", " ".join(text.split())).replace("* *", "**").strip()


def without_bodies(text):
    """Without what is in braces, however deep."""
    depth, kept = 0, []
    for part in re.split(r"([{}])", text):
        if part == "{":
            depth += 1
        elif part == "}":
            depth -= 1
        elif not depth:
            kept.append(part)
    return " ".join(kept)


def of_text(text, header):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.M)
    text = re.sub(r'extern\s+"C"\s*\{', " ", text)
    found = []
    for statement in without_bodies(text).split(";"):
        match = re.fullmatch(r"\s*(?!static\b|typedef\b)([\w\s*]+?[\s*])(uc_\w+)\s*\(([^()]*)\)\s*", statement)
        if match:
            parameters = [tidy(p) for p in match[3].split(",")]
            found.append(Function(match[2], header, tidy(match[1]), parameters))
    return found


def of_headers(folder):
    """By name."""
    functions = {}
    for header in sorted(pathlib.Path(folder).glob("*.h")):
        for function in of_text(header.read_text(), header.name):
            functions[function.name] = function
    return functions
