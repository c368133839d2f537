#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots stock kernels with `upcall run` (in the lab where the machine cannot run guests) and checks
what they and the VMM say. `run.py --help` for the options; tests/check calls it.

After each guest: the exit status is the expected one, the agent did every step, the kernel's log
has none of BAD_LOG, and the interrupt counts agree with the library's (counters.py).
"""

import argparse
import functools
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import counters
import verdicts

POWEROFF, REBOOT, CRASH, TRIPLE_FAULT = 0, 10, 11, 12
LAB_HOST = 32  # the lab's own machine died: the one thing that is tried again (facts.md L.4)
LAB_TRIES = 5
DEADLINE_S = 1500  # a guest that has not ended by then hangs, also on a machine that does much else

BAD_LOG = re.compile(
    r"WARNING:|\bBUG\b|Oops|Call Trace|soft lockup|hard LOCKUP|LOCKUP|\bstall|nobody cared|"
    r"blocked for more than|Dropping pending event|lost event|clocksource: .*unstable|agent: FAILED"
)


class Test:
    def __init__(self, name, kernel, cpus, steps, append="", options=(), status=POWEROFF,
                 abi="FIFO", policy="pinned", answers=(), needs=()):
        self.name, self.kernel, self.cpus, self.steps = name, kernel, cpus, steps
        self.append, self.options, self.status, self.abi = append, list(options), status, abi
        self.answers, self.needs = list(answers), list(needs)
        self.policy = policy


# What `make check` runs of each kernel; the rest, which differs from these in one number or another, is in
# `make check-long`.
FEW_CPUS = {("6.12", "FIFO"): (1, 4, 8), ("6.12", "2-level"): (2, 4),
            ("6.1", "FIFO"): (4,), ("6.1", "2-level"): (2,)}
FEW_HOTPLUG = {"6.12": (("FIFO", "follow"), ("2-level", "pinned")), "6.1": ()}
HOTPLUG = (("FIFO", "pinned"), ("FIFO", "follow"), ("2-level", "pinned"))


def make_tests(every):
    tests = []
    for kernel in ("6.12", "6.1"):
        for abi in ("FIFO", "2-level"):
            for cpus in (1, 2, 4, 8) if every else FEW_CPUS[kernel, abi]:
                # Ten seconds where most CPUs compete; the others show that the count works too.
                work = 10 if cpus == 4 else 3
                tests.append(Test(
                    f"{kernel}-{abi}-{cpus}cpu", kernel, cpus,
                    f"report,counters:12,work:{work},counters:12,poweroff",
                    append="" if abi == "FIFO" else "xen.fifo_events=0", abi=abi))
        tests.append(Test(f"{kernel}-follow-4cpu", kernel, 4,
                          "report,counters:12,work:10,counters:12,poweroff", policy="follow"))
        for abi, policy in HOTPLUG if every else FEW_HOTPLUG[kernel]:
            tests.append(Test(
                f"{kernel}-{abi}-{policy}-hotplug", kernel, 4,
                "report,hotplug:50,counters:12,poweroff", policy=policy,
                append="" if abi == "FIFO" else "xen.fifo_events=0", abi=abi))
        tests.append(Test(f"{kernel}-reboot-in-place", kernel, 2, "report,ask",
                          answers=["reboot", "poweroff"], needs=["agent: asks"] * 2))
        if kernel == "6.1" and not every:
            continue
        tests.append(Test(f"{kernel}-reboot-status", kernel, 2, "report,reboot",
                          options=["--no-reboot"], status=REBOOT))
        tests.append(Test(f"{kernel}-panic", kernel, 2, "report,panic", status=CRASH,
                          needs=["Kernel panic"]))
    return tests


def command(args, test):
    kernel = os.path.join(args.kernels, f"kernel-{test.kernel}", "vmlinuz")
    append = f"console=hvc0 upcall.test={test.steps} {test.append}".strip()
    lab = [] if args.native else ["lab"]
    return [args.upcall, *lab, "run", "--kernel", kernel, "--initrd", args.initrd,
            "--append", append, "--cpus", str(test.cpus), "--memory", "512M", "--counters",
            "--policy", test.policy, *test.options]


def run_once(args, test):
    """(status, stdout, stderr) of one guest; status None: it hung and was killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command(args, test), stdin=subprocess.PIPE, stdout=out,
                                   stderr=err)
        answers, deadline = list(test.answers), time.monotonic() + DEADLINE_S
        asked = 0
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            if not answers:
                continue
            out.seek(0)
            if out.read().count(b"agent: asks") > asked:
                asked += 1
                process.stdin.write(answers.pop(0).encode() + b"\n")
                process.stdin.flush()
        hung = process.poll() is None
        if hung:
            process.kill()
        process.stdin.close()
        process.wait()
        out.seek(0)
        err.seek(0)
        return (None if hung else process.returncode, out.read().decode(errors="replace"),
                err.read().decode(errors="replace"))


def check_log(test, stdout):
    log = stdout.split("Kernel panic")[0].split("sysrq: Trigger a crash")[0]
    problems = [f"log: {line.strip()}" for line in log.splitlines() if BAD_LOG.search(line)]
    fifo = "xen:events: Using FIFO-based ABI" in stdout
    if fifo != (test.abi == "FIFO"):
        problems.append(f"the guest should use the {test.abi} ABI")
    # sysfs prints "0" for one CPU, "0-3" for four.
    online = "0" if test.cpus == 1 else f"0-{test.cpus - 1}"
    if f"agent: CPUs online: {online}\n" not in stdout.replace("\r", ""):
        problems.append(f"not all of {test.cpus} CPUs came online")
    return problems


def check_steps(test, stdout):
    steps = [s.split(":")[0] for s in test.steps.split(",")][:-1]
    problems = [f"step {s} was not done" for s in steps if f"agent: done {s}" not in stdout]
    for need in set(test.needs):
        if stdout.count(need) < test.needs.count(need):
            problems.append(f"expected {test.needs.count(need)} times: {need}")
    return problems


def check(test, status, stdout, stderr):
    if status is None:
        return [f"still running after {DEADLINE_S} s"]
    problems = []
    if status != test.status:
        problems.append(f"exit status {status}, expected {test.status}")
    problems += check_log(test, stdout)
    problems += check_steps(test, stdout)
    if "counters" in test.steps:
        unplugs = sum(int(n) for n in re.findall(r"hotplug:(\d+)", test.steps))
        compared, wrong = counters.compare(stdout, stderr, test.policy != "pinned", unplugs)
        problems += wrong
        if compared <= test.cpus:  # of 2 for each vCPU and the host's ports
            problems.append(f"only {compared} groups of ports were compared")
    return problems


def run(args, test):
    for attempt in range(LAB_TRIES):
        status, stdout, stderr = run_once(args, test)
        if status != LAB_HOST:
            break
        print(f"# {test.name}: the lab's machine died, trying again ({attempt + 1})", flush=True)
    return check(test, status, stdout, stderr), stdout, stderr


def save_logs(args, test, stdout, stderr):
    os.makedirs(args.logs, exist_ok=True)
    for suffix, text in (("out", stdout), ("err", stderr)):
        with open(os.path.join(args.logs, f"{test.name}.{suffix}"), "w") as f:
            f.write(text)


def run_and_save(args, test):
    start = time.monotonic()
    problems, stdout, stderr = run(args, test)
    save_logs(args, test, stdout, stderr)
    return test.name, problems, [], time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upcall", required=True, help="the program under test")
    parser.add_argument("--kernels", required=True, help="folder of kernel-6.12/ and kernel-6.1/")
    parser.add_argument("--initrd", required=True, help="the test guest's initramfs")
    parser.add_argument("--logs", required=True, help="folder for the guests' logs")
    parser.add_argument("--native", action="store_true", help="run without the lab")
    parser.add_argument("--all", action="store_true", help="the older kernel with 1, 2, 4 and 8 CPUs, too")
    parser.add_argument("--only", default="", help="only tests whose name matches this expression")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()

    tests = [t for t in make_tests(args.all) if re.search(args.only, t.name)]
    if args.list:
        print("\n".join(t.name for t in tests))
        return 0
    # A lab is one busy CPU of the host's.
    failed = verdicts.run_all(functools.partial(run_and_save, args), tests, os.cpu_count(),
                              lambda name: f"logs: {args.logs}/{name}.out and .err")
    print(f"guests: {len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
