#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stock kernels under network load while policies, affinities, priorities and CPUs change at random.

`shuffle.py --help`; tests/check runs a minute of it, `make check-long` ten. Runs shuffle/lab.sh in the
lab (or here, with --native, as root), a lab for each kernel at once. In the lab the driver
(shuffle/driver.c) fails the run for a request that has no answer for 5 s, a wrong byte, or an op that
is not done, or not refused, as it must be. Here the guest's log is searched for BAD_LOG, and the
interrupt counts of /proc/interrupts, by CPU, are compared with the library's; see class Rounds.
"""

import argparse
import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import verdicts
from counters import group_of_irq, parse_snapshots
from net import MODULE
from run import BAD_LOG, LAB_HOST, LAB_TRIES

CPUS = 4
LOOKS = 4  # shared.h
GUEST_FAILED = re.compile(r"shuffle: FAILED")


class Look:
    """One reading of /proc/interrupts between two snapshots of the library's counters."""

    def __init__(self, irqs, before, after):
        self.irqs = irqs  # {name: [count per CPU]}
        self.before = {p["port"]: p for p in before["ports"]}
        self.after = {p["port"]: p for p in after["ports"]}
        self.delivered = before["delivered"], after["delivered"]
        # The console's port is the first and the xenstore's the second that the VMM opens.
        self.port_of = {"hvc_console": 1, "xenbus": 2}
        for i, queue in enumerate(after["net"]["queues"]):
            self.port_of[f"vif0-q{i}-tx"] = queue["tx_port"]
            self.port_of[f"vif0-q{i}-rx"] = queue["rx_port"]

    def moving(self):
        """Names of the lines whose events can move."""
        return [name for name in self.irqs if group_of_irq(name) == "host ports"]

    def is_quiet(self):
        """Nothing that can move was raised between the two snapshots, or waits for the guest."""
        return all(self.before[p]["events"] == self.after[p]["events"]
                   and not self.before[p]["pending"] and not self.after[p]["pending"]
                   for p in self.port_of.values())

    def events(self, name):
        return self.after[self.port_of[name]]["events"]

    def own(self, cpu):
        """Names of the lines of this CPU's timer and IPIs; the spinlock's is only ever polled."""
        return [name for name in self.irqs if re.fullmatch(rf"[a-z]+{cpu}", name)
                and group_of_irq(name)]

    def counted(self, cpu, with_own=True):
        """All that the guest counted on this CPU."""
        return sum(self.irqs[name][cpu] for name in self.moving() + (self.own(cpu) if with_own else []))

    def uncounted(self, cpu):
        """
        How many of the CPU's own ports may have an event that was linked before the first
        snapshot's end and not handled when the guest read.
        """
        return sum(p["pending"] or p["port"] not in self.after
                   or p["events"] != self.after[p["port"]]["events"]
                   for p in self.before.values()
                   if p["kind"] in ("ipi", "virq") and p["vcpu"] == cpu and not p["masked"])


def parse_looks(stdout, stderr):
    snapshots, looks = parse_snapshots(stderr), []
    for match in re.finditer(r"shuffle: irqs (\d+) (.*)", stdout):
        tag = int(match[1])
        irqs = {}
        for word in match[2].split():
            name, counts = word.split("=")
            irqs[name] = [int(c) for c in counts.split(",")]
        looks.append((tag, Look(irqs, snapshots[tag].pop(0), snapshots[tag + 1].pop(0))))
    return looks


class Rounds:
    """The driver's rounds, each with its looks, and what is to be true of them.

    A port's count in the library is how often PENDING went from 0 to 1; a vCPU's is how many events
    were linked into its queues and not taken back. What is asserted, with no tolerance:

    own      In every look: a timer or IPI line is 0 in every CPU's column but its own, and there
             it is the port's count (when nothing came between the two snapshots; else between them).
    set      In every round: a line that can move has nothing new in the column of a CPU that was
             never in its set.
    at most  In every round: a line has at most as many new interrupts as its port has new events,
             and a CPU's column, over all lines, at most as many as the library left with that vCPU.
    exact    In "pinned" rounds, by line and CPU: as many as events, all on the CPU that the guest
             bound the port to. In "single" rounds, by line of the card: as many as events. With "at most" this
             makes each CPU's column equal to the library's number, to within `spare`: what came
             between the snapshots, and links that the guest ignored.
    """

    def __init__(self, stdout, stderr):
        self.problems, self.exact, self.own_exact, self.spares = [], 0, 0, []
        self.looks = parse_looks(stdout, stderr)
        self.rounds = [json.loads(line[8:]) for line in stderr.splitlines()
                       if line.startswith('driver: {"round"')]
        if len(self.looks) != LOOKS * len(self.rounds):
            self.problems.append(f"{len(self.looks)} looks for {len(self.rounds)} rounds")
            return
        last = None
        for number, r in enumerate(self.rounds):
            looks = self.looks[LOOKS * number:LOOKS * (number + 1)]
            if looks[0][0] != r["tag"]:
                self.problems.append(f"round {number} has the tag {r['tag']}, not {looks[0][0]}")
                return
            last = self.check_round(f"round {number} ({r['round']})", r, [l for _, l in looks], last)

    def wrong(self, text):
        self.problems.append(text)

    def check_round(self, where, r, looks, last):
        for look in looks:
            self.check_own(where, look)
        quiet = [look for look in looks if look.is_quiet()]
        if not quiet:
            self.wrong(f"{where}: never quiet")
            return None
        if last:
            self.check_lines(where, r, last[-1], quiet[0])
            spare = sum(self.check_column(where, r, last, quiet, cpu) for cpu in range(CPUS))
            if r["round"] == "single":
                self.spares.append(spare)
        return quiet

    # ---- own ----

    def check_own(self, where, look):
        groups = {}
        for name, counts in look.irqs.items():
            match = re.fullmatch(r"([a-z]+)(\d+)", name)
            if group_of_irq(name) == "host ports":
                continue
            cpu = int(match[2])
            if any(count for i, count in enumerate(counts) if i != cpu):
                self.wrong(f"{where}: {name} on other CPUs: {counts}")
            if group_of_irq(name):
                groups.setdefault(("virq" if match[1] == "timer" else "ipi", cpu), []).append(counts[cpu])
        for (kind, cpu), counts in groups.items():
            self.check_own_counts(f"{where}: {kind}s of vCPU {cpu}", look, kind, cpu, sorted(counts))

    def check_own_counts(self, where, look, kind, cpu, counts):
        def sorted_ports(ports):
            return sorted((p for p in ports.values() if p["kind"] == kind and p["vcpu"] == cpu
                           and not p["masked"]), key=lambda p: p["events"])
        before, after = sorted_ports(look.before), sorted_ports(look.after)
        if not len(counts) == len(before) == len(after):
            self.wrong(f"{where}: {len(counts)} lines, {len(before)} and {len(after)} ports")
            return
        low, high = [p["events"] for p in before], [p["events"] for p in after]
        pending = any(p["pending"] for p in before + after)
        self.own_exact += low == high and not pending
        for lo, count, hi in zip(low, counts, high):
            if count > hi or count < lo - pending:
                self.wrong(f"{where}: guest {counts}, library {low} to {high}")

    # ---- set, at most, exact ----

    def check_lines(self, where, r, a, b):
        for name in b.moving():
            port = b.port_of[name]
            new = [y - x for x, y in zip(a.irqs[name], b.irqs[name])]
            events = b.events(name) - a.events(name)
            allowed = r["allowed"][str(port)]
            if any(n for cpu, n in enumerate(new) if not allowed >> cpu & 1):
                self.wrong(f"{where}: {name} {new} outside its set {allowed:#b}")
            if sum(new) > events or min(new) < 0:
                self.wrong(f"{where}: {name} {new} for {events} events")
            # The console speaks between the rounds, and not a word at a time.
            exact = r["round"] == "pinned" or (r["round"] == "single" and name.startswith("vif"))
            if exact and sum(new) != events:
                self.wrong(f"{where}: {name} {new}, not {events} events")
            self.exact += exact and events > 0
            if r["round"] == "pinned" and new[b.after[port]["vcpu"]] != events:
                self.wrong(f"{where}: {name} {new}, not on vCPU {b.after[port]['vcpu']}")

    def check_column(self, where, r, before, after, cpu):
        """How many more the library left with the CPU than the guest counted there, at most."""
        # The own lines of a CPU that went off and on again begin at 0.
        had_own = not r["toggled"] >> cpu & 1
        low = max(look.delivered[0][cpu] - look.counted(cpu, had_own) - look.uncounted(cpu)
                  for look in before)
        high = min(look.delivered[1][cpu] - look.counted(cpu) for look in after)
        if high < low:
            self.wrong(f"{where}: CPU {cpu} counted {low - high} more than the library left there")
        return high - low


def make_initrd(args, kernel_dir, folder):
    root = os.path.join(folder, "root")
    os.makedirs(root)
    shutil.copy(os.path.join(args.programs, "shuffle-guest"), os.path.join(root, "init"))
    shutil.copy(os.path.join(kernel_dir, MODULE), root)
    path = os.path.join(folder, "initrd.img")
    with open(path, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                       input=b"init\nxen-netfront.ko\n", stdout=out, check=True)
    return path


def run_lab(args, kernel):
    """(status, stdout, stderr); status None: it hung and was killed."""
    kernel_dir = os.path.join(args.kernels, f"kernel-{kernel}")
    driver = os.path.join(args.programs, "shuffle-driver")
    script = os.path.join(HERE, "shuffle", "lab.sh")
    image = os.path.join(kernel_dir, "vmlinuz")
    env = dict(os.environ)
    env["PATH"] = os.path.dirname(os.path.abspath(args.upcall)) + ":" + env["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        initrd = make_initrd(args, kernel_dir, folder)
        command = ["sh", script, driver, image, initrd, str(args.seconds), str(args.seed)]
        if not args.native:
            files = [a for f in (script, driver, image, initrd) for a in ("--file", f)]
            command = [args.upcall, "lab", "--cpus", str(args.lab_cpus), *files, "--exec", *command]
        for _ in range(LAB_TRIES):
            try:
                done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                      timeout=600 + 6 * args.seconds)
            except subprocess.TimeoutExpired as late:
                return None, (late.stdout or b"").decode(errors="replace"), (late.stderr or b"").decode(errors="replace")
            if done.returncode != LAB_HOST:
                break
            print(f"# shuffle-{kernel}: the lab's machine died, trying again", flush=True)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


# Linux 6.12's own count of a CPU's run queue, which no event changes: docs/testing.md.
KNOWN_WARNING = re.compile(r"Dying CPU not properly vacated!\n.*?sched_cpu_dying.*?---\[ end trace", re.DOTALL)


def check(status, stdout, stderr):
    """([what is wrong], [what to say])"""
    if status is None:
        return ["hangs"], []
    driver = [line[8:] for line in stderr.splitlines() if line.startswith("driver: ")]
    problems = [line for line in driver if line.startswith("FAILED")]
    # Behind that Linux stops its CPUs while tasks' timers still run out, and may warn of it (6.1).
    log, known = KNOWN_WARNING.subn("", stdout.split("reboot: Power down")[0])
    problems += [line.strip() for line in log.splitlines()
                 if BAD_LOG.search(line) or GUEST_FAILED.search(line)]
    if "done" not in driver or "the machine ended with status 0" not in driver:
        problems.append(f"it did not come to its end (status {status}): {driver[-1:]}")
    rounds = Rounds(stdout, stderr)
    problems += rounds.problems
    if not rounds.rounds:
        return problems, []
    last = rounds.rounds[-1]
    kinds = {r["round"] for r in rounds.rounds}
    if kinds != {"start", "still", "shuffle", "confined", "pinned", "single"} or not (
            rounds.exact and rounds.own_exact and last["refused"] and last["from_guest"]):
        problems.append(f"it did not do everything: {last}")
    return problems, [f"{len(rounds.rounds)} rounds, {last['ops']} ops of which {last['refused']} had to be refused; "
                      f"{last['pings']} requests to the guest, {last['from_guest']} from it, "
                      f"{last['bulk_bytes'] / 1e6:.0f} MB; {rounds.exact} lines and {rounds.own_exact} sets of own "
                      f"ports equal; spare in the columns of single rounds: {rounds.spares}",
                      *["the guest's kernel: Dying CPU not properly vacated!"] * known]


def run(args, kernel):
    start = time.monotonic()
    status, stdout, stderr = run_lab(args, kernel)
    name = f"shuffle-{kernel}"
    for suffix, text in (("out", stdout), ("err", stderr)):
        with open(os.path.join(args.logs, f"{name}.{suffix}"), "w") as log:
            log.write(text)
    problems, notes = check(status, stdout, stderr)
    return name, problems, notes, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upcall", required=True, help="the program under test")
    parser.add_argument("--programs", required=True, help="folder of shuffle-driver and shuffle-guest")
    parser.add_argument("--kernels", required=True, help="folder of kernel-6.12/ and kernel-6.1/")
    parser.add_argument("--logs", required=True, help="folder for the guests' logs")
    parser.add_argument("--native", action="store_true", help="run without the lab")
    parser.add_argument("--lab-cpus", type=int, default=1,
                        help="CPUs of the lab (default 1: what two do now and then, docs/lab.md)")
    parser.add_argument("--only", default="", help="only guests whose name matches this expression")
    parser.add_argument("--seconds", type=int, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()

    os.makedirs(args.logs, exist_ok=True)
    kernels = [k for k in ("6.12", "6.1") if re.search(args.only, f"shuffle-{k}")]
    print(f"# shuffle: --seconds {args.seconds} --seed {args.seed}", flush=True)
    failed = verdicts.run_all(
        functools.partial(run, args), kernels, 1 if args.native else max(len(kernels), 1),
        lambda name: f"logs: {args.logs}/{name}.out and .err; again: --seed {args.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
