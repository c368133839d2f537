#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stock guests with the stock xen-netfront on a tap: builds their initramfs, runs net/lab.sh in the
lab (or here, with --native, as root), and counts its verdicts. `net.py --help`; tests/check calls it.

Besides what lab.sh checks: the guest's log has none of BAD_LOG, and no queue broke, dropped or
refused a packet by the library's own counters.
"""

import argparse
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import verdicts
from run import BAD_LOG, DEADLINE_S, LAB_HOST, LAB_TRIES

MODULE = "modules/kernel/drivers/net/xen-netfront.ko"
# The first two for `make check`, all for `make check-long`.
CASES = [("6.12", 4), ("6.1", 2), ("6.12", 1)]
FEW = 2
PROMISES = 20  # verdicts of a whole run; fewer mean that it ended early


def make_initrd(kernel_dir, folder):
    root = os.path.join(folder, "root")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(os.path.join(HERE, "net", "init"), os.path.join(root, "init"))
    os.chmod(os.path.join(root, "init"), 0o755)
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin", "busybox"))
    shutil.copy(os.path.join(kernel_dir, MODULE), root)
    path = os.path.join(folder, "initrd.img")
    with open(path, "wb") as out:
        files = "\n".join(["bin", "bin/busybox", "init", "xen-netfront.ko"])
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                       input=files.encode(), stdout=out, check=True)
    return path


def command(args, name, kernel_dir, initrd, cpus):
    script = os.path.join(HERE, "net", "lab.sh")
    kernel = os.path.join(kernel_dir, "vmlinuz")
    run = ["sh", script, name, kernel, initrd, str(cpus)]
    if args.native:
        return run
    return [args.upcall, "lab", "--file", script, "--file", kernel, "--file", initrd, "--exec", *run]


def run_case(args, name, kernel_dir, cpus):
    """(status, output); status None: it hung and was killed."""
    env = dict(os.environ)
    env["PATH"] = os.path.dirname(os.path.abspath(args.upcall)) + ":" + env["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        initrd = make_initrd(kernel_dir, folder)
        for _ in range(LAB_TRIES):
            try:
                result = subprocess.run(command(args, name, kernel_dir, initrd, cpus), env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, timeout=DEADLINE_S)
            except subprocess.TimeoutExpired as expired:
                return None, (expired.stdout or b"").decode(errors="replace")
            if result.returncode != LAB_HOST:
                break
        return result.returncode, result.stdout.decode(errors="replace")


def check_counters(log):
    lines = [line for line in log.splitlines() if line.startswith('{"counters"')]
    if not lines:
        return ["no counters"]
    net = json.loads(lines[-1])["counters"]["net"]
    problems = []
    # The driver closes the connection when it is unbound, and when the guest powers off.
    if net["connections_ended"] != 2 or net["queues_broken"]:
        problems.append(f"{net['connections_ended']} connections, {net['queues_broken']} broken")
    for key in ("tx_errors", "tx_dropped", "rx_errors", "rx_dropped"):
        if net["ended"][key]:
            problems.append(f"{key} is {net['ended'][key]}")
    return problems


def check(status, output):
    if status is None:
        return [f"still running after {DEADLINE_S} s"]
    log = "\n".join(line[2:] for line in output.splitlines() if line.startswith("# "))
    problems = [line for line in output.splitlines() if line.startswith("not ok ")]
    good = sum(line.startswith("ok ") for line in output.splitlines())
    if good + len(problems) != PROMISES:
        problems.append(f"{good + len(problems)} verdicts, expected {PROMISES}")
    problems += [f"log: {line}" for line in log.splitlines() if BAD_LOG.search(line)]
    problems += check_counters(log)
    return problems


def run_and_save(args, case):
    start = time.monotonic()
    status, output = run_case(args, *case)
    with open(os.path.join(args.logs, f"{case[0]}.out"), "w") as log:
        log.write(output)
    return case[0], check(status, output), [], time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upcall", required=True, help="the program under test")
    parser.add_argument("--kernels", required=True, help="folder of kernel-6.12/ and kernel-6.1/")
    parser.add_argument("--logs", required=True, help="folder for the guests' logs")
    parser.add_argument("--native", action="store_true", help="run without the lab")
    parser.add_argument("--all", action="store_true", help="every guest")
    parser.add_argument("--only", default="", help="only guests whose name matches this expression")
    args = parser.parse_args()

    os.makedirs(args.logs, exist_ok=True)
    cases = [(f"net-{k}-{cpus}cpu", os.path.join(args.kernels, f"kernel-{k}"), cpus)
             for k, cpus in (CASES if args.all else CASES[:FEW])]
    cases = [case for case in cases if re.search(args.only, case[0])]
    # A lab is one busy CPU of the host's.
    failed = verdicts.run_all(functools.partial(run_and_save, args), cases, os.cpu_count(),
                              lambda name: f"log: {args.logs}/{name}.out")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
