# SPDX-License-Identifier: MIT
"""The guest's interrupt counts against the library's counters.

The guest's agent has the VMM print its counters, reads /proc/interrupts, and has them printed again.
A port with the same count before and after, and nothing pending, had no event in between: the guest
must have counted exactly as many interrupts. A port that was busy must lie between the two, in every
round. Some never are quiet: the timer of the CPU that reads, on a machine so slow that a tick falls
into every look. So the caller says how many it wants compared exactly.

Which port belongs to which line: the VIRQ of vCPU N is timerN (or debugN). The IPIs of a vCPU, and
the host's ports, are compared as sorted lists: the library does not know what a guest uses them for.
With a policy that moves events, the guest may count fewer interrupts of a host port: when an event
arrives on one vCPU while the handler runs on another, Linux only notes it, and the other runs the
handler once more under the same count (handle_edge_irq(), IRQS_PENDING).

When the guest takes a CPU offline, the library links again what is PENDING and in no queue, for Linux
drops a dead CPU's queue. Should another CPU be about to handle just that event, it finds it twice and
may count it twice: a spurious interrupt, at most one for each time a CPU went.

The spinlock IPI is always masked and only polled; it has no interrupts and is left out on both sides.
"""

import json
import re


def parse_snapshots(stderr):
    """{tag: [counters, ...]} of the JSON lines that `upcall run --counters` prints."""
    snapshots = {}
    for line in stderr.splitlines():
        if line.startswith('{"counters"'):
            counters = json.loads(line)["counters"]
            snapshots.setdefault(counters["tag"], []).append(counters)
    return snapshots


def parse_rounds(stdout):
    """[(tag, {name: count})] of the agent's "counters" blocks."""
    rounds = []
    for line in stdout.splitlines():
        match = re.search(r"agent: counters (\d+)", line)
        if match:
            rounds.append((int(match[1]), {}))
        match = re.search(r"agent: irq \d+ (\S+) (\d+)", line)
        if match and rounds:
            rounds[-1][1][match[2 - 1]] = int(match[2])
    return rounds


def group_of_irq(name):
    match = re.fullmatch(r"(timer|debug)(\d+)", name)
    if match:
        return f"{match[1]} of vCPU {match[2]}"
    match = re.fullmatch(r"(resched|callfunc|callfuncsingle|irqwork|spinlock)(\d+)", name)
    if match:
        return None if match[1] == "spinlock" else f"IPIs of vCPU {match[2]}"
    return "host ports"


def group_of_port(port):
    if port["kind"] == "virq":
        return {0: "timer", 1: "debug"}[port["index"]] + f" of vCPU {port['vcpu']}"
    if port["kind"] == "ipi":
        return None if port["masked"] else f"IPIs of vCPU {port['vcpu']}"
    return "host ports"


def grouped(pairs):
    groups = {}
    for group, value in pairs:
        if group:
            groups.setdefault(group, []).append(value)
    return groups


def compare(stdout, stderr, moving=False, unplugs=0):
    """(number of groups that were compared exactly, [what was wrong])"""
    snapshots, problems, quiet = parse_snapshots(stderr), [], set()
    for tag, irqs in parse_rounds(stdout):
        if not snapshots.get(tag) or not snapshots.get(tag + 1):
            problems.append(f"no counters for round {tag}")
            continue
        before, after = snapshots[tag].pop(0), snapshots[tag + 1].pop(0)
        guest = grouped((group_of_irq(name), count) for name, count in irqs.items())
        first = grouped((group_of_port(p), p) for p in before["ports"])
        last = grouped((group_of_port(p), p) for p in after["ports"])
        for group in sorted(set(guest) | set(first) | set(last)):
            counts = sorted(guest.get(group, []))
            low = sorted(p["events"] for p in first.get(group, []))
            high = sorted(p["events"] for p in last.get(group, []))
            if not len(counts) == len(low) == len(high):
                problems.append(f"{group}: {len(counts)} lines in the guest, {len(low)} ports")
                continue
            exact = not (moving and group == "host ports")
            spurious = unplugs if group == "host ports" else 0
            pending = any(p["pending"] for p in first.get(group, []) + last.get(group, []))
            if low == high and not pending:
                quiet.add(group)
                if exact and not spurious and counts != low:
                    problems.append(f"{group}: guest {counts}, library {low}")
            # One event per port may be raised and not yet handled when the guest reads.
            for lo, count, hi in zip(low, counts, high):
                if count > hi + spurious or (exact and count < lo - 1):
                    problems.append(f"{group}: guest {count} outside {lo} to {hi}")
    return len(quiet), problems
