/* SPDX-License-Identifier: MIT */
/*
 * The page's fixed text. It loads nothing: no script, no font, no picture from elsewhere, and a
 * policy that forbids it, so that what a guest says can do no harm even if escaping failed.
 */
#include "compare/report/page.h"

const char uc_page_head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n";

const char uc_page_style[] =
	"<style>\n"
	":root { color-scheme: light dark; --page: #fcfcfb; --ink: #22262b; --soft: #5d6670; "
	"--line: #d9dde1; --box: #f1f3f4; --note: #fff6df; --note-line: #d9a400; }\n"
	"@media (prefers-color-scheme: dark) { :root { --page: #15181b; --ink: #dfe3e6; "
	"--soft: #9aa4ad; --line: #343a40; --box: #1e2327; --note: #2b2514; "
	"--note-line: #a88414; } }\n"
	"* { box-sizing: border-box; }\n"
	"body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 84rem; "
	"background: var(--page); color: var(--ink); "
	"font: 15px/1.5 system-ui, -apple-system, \"Segoe UI\", Roboto, sans-serif; }\n"
	"h1 { font-size: 1.6rem; margin: 0 0 .5rem; }\n"
	"h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; "
	"border-top: 1px solid var(--line); }\n"
	"p, ul, dl { margin: .4rem 0; }\n"
	"ul.conditions { list-style: none; padding: 0; color: var(--soft); }\n"
	"pre { background: var(--box); padding: .6rem .8rem; border-radius: 6px; "
	"overflow-x: auto; white-space: pre-wrap; }\n"
	".notes { background: var(--note); border-left: 4px solid var(--note-line); "
	"padding: .5rem 1rem; margin: 1rem 0; }\n"
	".notes ul { padding-left: 1.1rem; overflow-wrap: anywhere; }\n"
	".scroll { overflow-x: auto; margin: .8rem 0; }\n"
	"table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
	"th, td { padding: .28rem .9rem; text-align: right; white-space: pre; "
	"border-bottom: 1px solid var(--line); }\n"
	"th { font-weight: 600; }\n"
	"thead th { color: var(--soft); font-weight: 500; font-size: .9em; }\n"
	"th:first-child { text-align: left; padding-left: 0; }\n"
	"th i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; "
	"margin-right: .5em; }\n"
	".plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), "
	"1fr)); gap: 1rem; }\n"
	"figure { margin: .5rem 0; }\n"
	"figcaption { font-weight: 600; margin-bottom: .2rem; }\n"
	"figcaption small { font-weight: 400; color: var(--soft); }\n"
	"svg { display: block; width: 100%; height: auto; color: var(--ink); }\n"
	"dt { font-weight: 600; margin-top: .5rem; }\n"
	"dd { margin: 0; color: var(--soft); max-width: 60rem; }\n"
	"</style>\n</head>\n";

const char uc_page_meaning[] =
	"<h2>What the numbers mean</h2>\n<dl>\n"
	"<dt>latency</dt><dd>From sending a request to having its answer. A request without an "
	"answer before the deadline is lost, and counts as slower than any other.</dd>\n"
	"<dt>p99</dt><dd>The smallest latency that at least 99 % of the requests did not exceed "
	"(nearest rank; nothing is interpolated).</dd>\n"
	"<dt>idle floor</dt><dd>The same quantile with nothing competing and the guest idle, in "
	"the same run.</dd>\n"
	"<dt>excess over idle</dt><dd>A policy's quantile less the idle floor's.</dd>\n"
	"<dt>ratio</dt><dd>The first policy's excess divided by this one's: above 1, this one is "
	"better. Beyond measure: this one's excess is not above zero. No bound: it is not, in too "
	"many of the resamples.</dd>\n"
	"<dt>[95 %]</dt><dd>The middle 95 % of what comes out when whole windows are drawn again "
	"with replacement. What all windows share (this machine, this boot) is not in it.</dd>\n"
	"<dt>work</dt><dd>Loops that the guest's busy tasks did, per second of CPU time that its "
	"vCPUs got.</dd>\n</dl>\n";
