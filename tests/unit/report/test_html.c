/* SPDX-License-Identifier: MIT */
/* The page: stands alone, trusts no text from outside, and lives without gnuplot. */
#include "fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "compare/report/plot.h"

#define EVIL	     "</title><script>alert('1')</script>&\\\"x"
#define EVIL_ESCAPED "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;x"

static char dir[64];
static char *path_before;

/* A directory to be the whole PATH. */
static int setup(void **state)
{
	(void)state;
	path_before = strdup(getenv("PATH"));
	strcpy(dir, "/tmp/uc-report-XXXXXX");
	return path_before && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char fake[96];

	(void)state;
	setenv("PATH", path_before, 1);
	free(path_before);
	snprintf(fake, sizeof(fake), "%s/gnuplot", dir);
	unlink(fake);
	return rmdir(dir);
}

static void have_fake_gnuplot(const char *script)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/gnuplot", dir);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "#!/bin/sh\n%s\n", script);
	fclose(out);
	assert_int_equal(chmod(path, 0755), 0);
	setenv("PATH", dir, 1);
}

static void have_gnuplot(void)
{
	if (system("command -v gnuplot >/dev/null")) {
		print_message("gnuplot is not installed\n");
		skip();
	}
}

static void fill(struct run *run)
{
	for (int i = 0; i < 6; i++) {
		run_flat(run, "idle", i % 2, ICMP, 5, 100 + i);
		run_flat(run, "load", PINNED, ICMP, 5, 1100 + i * 500);
		run_flat(run, "load", FOLLOW, ICMP, 5, 200 + i * 9);
		run_sample(run, run->windows - 1, TASK, i ? 0 : -1);
	}
}

static char *page(int status, struct uc_diag *diag)
{
	struct uc_report *report;
	struct run run;
	char *text;

	run_start(&run, 1);
	fill(&run);
	run_line(&run, END_LINE);
	report = run_report(&run, 100);
	text = run_text(report, uc_report_html, status, diag);
	uc_report_free(report);
	run_stop(&run);
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

static void texts_from_outside_are_escaped(void **state)
{
	struct uc_report_options options = {.resamples = 100,
					    .command = "upcall compare --kernel 'a<b>&c'"};
	struct uc_report *report;
	struct run run = {.records = uc_records_new()};
	char *text;

	(void)state;
	setenv("PATH", dir, 1);
	run_line(&run, ABOUT_FORMAT, EVIL, 1u);
	fill(&run);
	run_line(&run, "{\"notice\": \"n" EVIL "\"}");
	run_line(&run, "{\"end\": {\"lost\": 0, \"guest_log_problems\": [\"l" EVIL "\"]}}");
	report = uc_report_new(run.records, &options, &run.diag);
	assert_non_null(report);
	text = run_text(report, uc_report_html, 1, &run.diag);
	assert_lacks(text, "<script");
	assert_lacks(text, "alert('");
	assert_has(text, "Linux " EVIL_ESCAPED);
	assert_has(text, "<li>n" EVIL_ESCAPED);
	assert_has(text, "log: l" EVIL_ESCAPED);
	assert_has(text, "<pre>upcall compare --kernel &#39;a&lt;b&gt;&amp;c&#39;</pre>");
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void without_gnuplot_the_rest_is_there(void **state)
{
	struct uc_diag diag = {0};
	char *text;

	(void)state;
	setenv("PATH", dir, 1);
	text = page(1, &diag);
	assert_has(diag.text, "gnuplot is not installed");
	assert_has(text, "<li>no plots: gnuplot is not installed");
	assert_has(text, "<td>2.10</td>");
	assert_has(text, "</html>");
	assert_lacks(text, "<svg");
	free(text);
}

static void a_failing_gnuplot_is_quoted(void **state)
{
	struct uc_diag diag = {0};
	char *text;

	(void)state;
	have_fake_gnuplot("echo 'no <svg> terminal' >&2; exit 3");
	text = page(1, &diag);
	assert_has(diag.text, "no plots: gnuplot failed: no <svg> terminal");
	assert_has(text, "no &lt;svg&gt; terminal");
	assert_lacks(text, "<svg");
	free(text);
}

static void a_gnuplot_that_writes_something_else_is_not_believed(void **state)
{
	struct uc_diag diag = {0};

	(void)state;
	have_fake_gnuplot("echo hello");
	free(page(1, &diag));
	assert_has(diag.text, "is not SVG");
	have_fake_gnuplot("echo '<svg width=1'");
	memset(&diag, 0, sizeof(diag));
	free(page(1, &diag));
	assert_has(diag.text, "is not SVG");
}

/* Every id on the page, each once. */
static void assert_ids_differ(const char *text)
{
	const char *at = text;

	while ((at = strstr(at, " id='"))) {
		size_t n = strcspn(at + 5, "'") + 6;
		char id[128];

		assert_true(n < sizeof(id));
		snprintf(id, sizeof(id), "%.*s", (int)n, at);
		if (count(text, id) != 1)
			fail_msg("twice: %s", id);
		at += n;
	}
}

static void each_probe_has_its_pictures(void **state)
{
	struct uc_diag diag = {0};
	char *text;

	(void)state;
	have_gnuplot();
	text = page(0, &diag);
	assert_string_equal(diag.text, "");
	assert_int_equal(count(text, "<svg"), 2 * UC_PLOTS);
	assert_int_equal(count(text, "</svg>"), 2 * UC_PLOTS);
	assert_int_equal(count(text, "<figcaption>"), 2 * UC_PLOTS);
	assert_has(text, "currentColor");
	assert_lacks(text, "rgb(1,2,3)");
	assert_lacks(text, "<?xml");
	assert_has(text, " id='plot0-0-");
	assert_ids_differ(text);
	free(text);
}

static void the_page_loads_nothing(void **state)
{
	struct uc_diag diag = {0};
	char *text, *at;

	(void)state;
	have_gnuplot();
	text = page(0, &diag);
	assert_lacks(text, "src=");
	assert_lacks(text, "@import");
	assert_lacks(text, "<link");
	assert_lacks(text, "<script");
	assert_lacks(text, " href=");
	/* Every address is the name of an XML name space, every reference is to this page. */
	for (at = text; (at = strstr(at, "http://")); at++)
		assert_int_equal(strncmp(at, "http://www.w3.org/", 18), 0);
	assert_lacks(text, "https://");
	for (at = text; (at = strstr(at, "xlink:href='")); at++)
		assert_int_equal(at[12], '#');
	free(text);
}

/* Windows without a single answer must not make gnuplot fail. */
static void a_run_without_answers_has_a_page(void **state)
{
	struct uc_report *report;
	struct run run;
	char *text;

	(void)state;
	have_gnuplot();
	run_start(&run, 1);
	run_flat(&run, "load", PINNED, ICMP, 3, -1);
	run_window(&run, "load", FOLLOW);
	report = run_report(&run, 100);
	text = run_text(report, uc_report_html, 0, &run.diag);
	assert_has(text, "<td>lost</td>");
	assert_int_equal(count(text, "<svg"), 2 * UC_PLOTS);
	free(text);
	uc_report_free(report);
	run_stop(&run);
}

static void an_svg_becomes_an_element(void **state)
{
	char *svg = uc_svg_element("<?xml?><!DOCTYPE x>\n<svg a=\"b\"><title>Gnuplot</title><g "
				   "color=\"black\" id='x' fill='rgb(  1,   2,   3)'/><use "
				   "xlink:href='#x' clip='url(#x)'/></svg>",
				   "p-");

	(void)state;
	assert_string_equal(svg, "<svg a=\"b\"><g id='p-x' fill='currentColor'/><use "
				 "xlink:href='#p-x' clip='url(#p-x)'/></svg>");
	free(svg);
	assert_null(uc_svg_element("nothing", "p-"));
	assert_null(uc_svg_element("<svg", "p-"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(texts_from_outside_are_escaped),
		CASE(without_gnuplot_the_rest_is_there),
		CASE(a_failing_gnuplot_is_quoted),
		CASE(a_gnuplot_that_writes_something_else_is_not_believed),
		CASE(each_probe_has_its_pictures),
		CASE(the_page_loads_nothing),
		CASE(a_run_without_answers_has_a_page),
		CASE(an_svg_becomes_an_element),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
