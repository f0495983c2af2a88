#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/help.h"
#include "profiler/options.h"

/* ---- helpers ---- */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_LIMIT = 32, LINE_BYTES = 512 };

/* A command line, cut at its spaces. */
struct line {
    char text[LINE_BYTES];
    char *words[WORDS_LIMIT + 1];
    int count;
};

static void cut(struct line *line, const char *text) {
    *line = (struct line){0};
    assert_true(strlen(text) < sizeof line->text);
    strcpy(line->text, text);
    line->words[line->count++] = (char[]){"pyrometer"};
    for (char *word = strtok(line->text, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(line->count < WORDS_LIMIT);
        line->words[line->count++] = word;
    }
}

static void parse(struct options *out, struct line *line, const char *text) {
    struct error error = {0};
    cut(line, text);
    if (options_parse(out, line->count, line->words, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.detail);
    }
}

static void expect_usage(const char *text, const char *word) {
    struct options options;
    struct line line;
    struct error error = {0};
    cut(&line, text);
    if (options_parse(&options, line.count, line.words, &error) != STATUS_USAGE) {
        fail_msg("%s: was taken", text);
    }
    assert_int_equal(error.status, STATUS_USAGE);
    if (strstr(error.detail, word) == NULL) {
        fail_msg("%s: wanted '%s' in: %s", text, word, error.detail);
    }
    options_free(&options);
}

/* ---- verbs ---- */

static void test_defaults(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "attach 123");
    assert_int_equal(options.verb, VERB_ATTACH);
    assert_int_equal(options.pid, 123);
    assert_null(options.command);
    assert_int_equal(options.interval_ns, NS_PER_MS);
    assert_int_equal(options.duration_ns, 0);
    assert_string_equal(options.mode->name, "wall");
    assert_false(options.filter.main_only);
    assert_int_equal(options.filter.name_count, 0);
    assert_int_equal(options.output_count, 1);
    assert_string_equal(options.outputs[0].path, "-");
    assert_string_equal(options.outputs[0].exporter->name, "table");
    assert_null(options.stats_path);
    assert_false(options.is_blocking);
    assert_false(options.is_native);
    assert_false(options.is_quiet);
    assert_false(options.is_json);
    options_free(&options);
}

static void test_modes(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "top -m gil 123");
    assert_string_equal(options.mode->name, "gil");
    options_free(&options);
    parse(&options, &line, "replay --mode cpu a.pyro");
    assert_string_equal(options.mode->name, "cpu");
    options_free(&options);
    parse(&options, &line, "replay --gil-blame a.pyro");
    assert_string_equal(options.mode->name, "wall"); /* whatever the recording's */
    assert_true(options.blames_gil);
    options_free(&options);
    expect_usage("attach --gil-blame --mode cpu 1", "gil-blame");
    parse(&options, &line, "replay a.pyro");
    assert_null(options.mode); /* that of the recording */
    options_free(&options);
    parse(&options, &line, "diff a.pyro b.pyro");
    assert_null(options.mode);
    options_free(&options);
}

static void test_attach(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(
        &options, &line,
        "attach -r 10khz -d 90s -m wall -t worker -t 17 --main-thread -a -q --blocking --stats s.json "
        "-o a.html -o b.txt 4711");
    assert_int_equal(options.verb, VERB_ATTACH);
    assert_int_equal(options.pid, 4711);
    assert_int_equal(options.interval_ns, 100000);
    assert_int_equal(options.duration_ns, 90 * NS_PER_S);
    assert_int_equal(options.filter.name_count, 2);
    assert_string_equal(options.filter.names[0], "worker");
    assert_string_equal(options.filter.names[1], "17");
    assert_true(options.filter.main_only);
    assert_true(options.is_blocking);
    assert_true(options.is_quiet);
    assert_string_equal(options.stats_path, "s.json");
    assert_int_equal(options.output_count, 2);
    assert_string_equal(options.outputs[0].path, "a.html");
    assert_string_equal(options.outputs[0].exporter->name, "flamegraph");
    assert_string_equal(options.outputs[1].exporter->name, "table");
    options_free(&options);
}

static void test_long_options_and_any_order(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "attach 4711 --interval=100us --duration 2 --thread=x --quiet");
    assert_int_equal(options.pid, 4711);
    assert_int_equal(options.interval_ns, 100000);
    assert_int_equal(options.duration_ns, 2 * NS_PER_S);
    assert_string_equal(options.filter.names[0], "x");
    assert_true(options.is_quiet);
    options_free(&options);
    parse(&options, &line, "attach --pid 12 -qnd1");
    assert_int_equal(options.pid, 12);
    assert_true(options.is_native);
    assert_true(options.is_quiet);
    assert_int_equal(options.duration_ns, NS_PER_S);
    options_free(&options);
    parse(&options, &line, "dump -p12 --json");
    assert_int_equal(options.verb, VERB_DUMP);
    assert_int_equal(options.pid, 12);
    assert_true(options.is_json);
    options_free(&options);
}

/* What belongs to the command is left alone. */
static void test_run(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "run -d 5 python -c pass -d 7 --rate 3");
    assert_int_equal(options.verb, VERB_RUN);
    assert_int_equal(options.duration_ns, 5 * NS_PER_S);
    assert_int_equal(options.interval_ns, NS_PER_MS);
    assert_string_equal(options.command[0], "python");
    assert_string_equal(options.command[3], "-d");
    assert_string_equal(options.command[6], "3");
    assert_null(options.command[7]);
    options_free(&options);
    parse(&options, &line, "run -- -odd-name -q -- x");
    assert_string_equal(options.command[0], "-odd-name");
    assert_string_equal(options.command[2], "--");
    assert_false(options.is_quiet);
    options_free(&options);
}

static void test_record_is_another_spelling(void **state) {
    (void)state;
    struct options options;
    struct line line;
    static const char *const attaching[] = {"record -p 12", "record --pid=12", "record -q --pid 12",
                                            "record -p12 -d 1"};
    for (size_t i = 0; i < COUNT(attaching); i++) {
        parse(&options, &line, attaching[i]);
        assert_int_equal(options.verb, VERB_ATTACH);
        assert_int_equal(options.pid, 12);
        options_free(&options);
    }
    parse(&options, &line, "record -d 1 -- python -p 80");
    assert_int_equal(options.verb, VERB_RUN);
    assert_string_equal(options.command[1], "-p");
    options_free(&options);
}

static void test_help_and_version(void **state) {
    (void)state;
    struct options options;
    struct line line;
    static const char *const helps[] = {"--help", "-h", "help"};
    static const char *const versions[] = {"--version", "-V"};
    for (size_t i = 0; i < COUNT(helps); i++) {
        parse(&options, &line, helps[i]);
        assert_int_equal(options.verb, VERB_HELP);
        assert_int_equal(options.help_verb, 0);
        options_free(&options);
    }
    for (size_t i = 0; i < COUNT(versions); i++) {
        parse(&options, &line, versions[i]);
        assert_int_equal(options.verb, VERB_VERSION);
        options_free(&options);
    }
    parse(&options, &line, "attach --help");
    assert_int_equal(options.verb, VERB_HELP);
    assert_int_equal(options.help_verb, VERB_ATTACH);
    options_free(&options);
    parse(&options, &line, "run -q -h");
    assert_int_equal(options.help_verb, VERB_RUN);
    options_free(&options);
}

static void test_top(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "top -r 100 123 -q");
    assert_int_equal(options.verb, VERB_TOP);
    assert_int_equal(options.pid, 123);
    assert_int_equal(options.interval_ns, 10 * NS_PER_MS);
    assert_true(options.is_quiet);
    assert_null(options.command);
    assert_int_equal(options.output_count, 0);
    options_free(&options);
    parse(&options, &line, "top -r 100 -- python3 -r 12");
    assert_int_equal(options.verb, VERB_TOP);
    assert_int_equal(options.pid, 0);
    assert_int_equal(options.interval_ns, 10 * NS_PER_MS);
    assert_string_equal(options.command[0], "python3");
    assert_string_equal(options.command[2], "12");
    options_free(&options);
    parse(&options, &line, "attach --live -n -p 123");
    assert_int_equal(options.verb, VERB_TOP);
    assert_true(options.is_native);
    assert_int_equal(options.pid, 123);
    options_free(&options);
}

/* ---- what is wrong is named ---- */

static void test_errors(void **state) {
    (void)state;
    expect_usage("", "what");
    expect_usage("frobnicate 12", "frobnicate");
    expect_usage("--frobnicate", "--frobnicate");
    expect_usage("attach", "PID");
    expect_usage("dump", "PID");
    expect_usage("top", "PID");
    expect_usage("top --", "PID");
    expect_usage("top 12 13", "13");
    expect_usage("top -o x.html 12", "-o");
    expect_usage("attach --live -o x.html 12", "--live");
    expect_usage("attach --live --flamegraph 12", "--live");
    expect_usage("top --native --blocking 12", "--blocking");
    expect_usage("attach --native --blocking 12", "--blocking");
    expect_usage("dump --blocking -n 12", "--blocking");
    expect_usage("dump --locals -n 12", "--locals");
    expect_usage("run", "command");
    expect_usage("run -d 1 --", "command");
    static const char *const pids[] = {"0", "-1", "x", "12x", "99999999999", "4294967297", "1.5"};
    for (size_t i = 0; i < COUNT(pids); i++) {
        char text[64];
        snprintf(text, sizeof text, "attach -- %s", pids[i]);
        expect_usage(text, pids[i]);
        snprintf(text, sizeof text, "dump --pid=%s", pids[i]);
        expect_usage(text, pids[i]);
    }
    expect_usage("attach 12 13", "13");
    expect_usage("attach -p 12 13", "13");
    expect_usage("attach --nonsense 12", "--nonsense");
    expect_usage("attach -Z 12", "-Z");
    expect_usage("attach 12 -d", "-d");
    expect_usage("attach 12 --rate", "--rate");
    expect_usage("attach -r fast 12", "fast");
    expect_usage("attach -r 2mhz 12", "2mhz");
    expect_usage("attach -i 0 12", "--interval");
    expect_usage("attach -i 10ns 12", "10ns");
    expect_usage("attach -i 11m 12", "11m");
    expect_usage("attach -d soon 12", "soon");
    expect_usage("attach -m colour 12", "colour");
    expect_usage("attach -f papyrus 12", "papyrus");
    expect_usage("attach -o profile.papyrus 12", "profile.papyrus");
    expect_usage("attach -o profile 12", "--format");
    expect_usage("attach --list-tasks 12", "--list-tasks");
    expect_usage("dump -o x.txt 12", "-o");
    expect_usage("run -p 12 x", "-p");
}

static void test_empty_output(void **state) {
    (void)state;
    struct options options;
    struct error error = {0};
    char *words[] = {(char[]){"pyrometer"}, (char[]){"attach"}, (char[]){"-o"},
                     (char[]){""},          (char[]){"12"},     NULL};
    assert_int_equal(options_parse(&options, 5, words, &error), STATUS_USAGE);
    options_free(&options);
}

/* ---- formats ---- */

static void test_format_by_every_extension(void **state) {
    (void)state;
    for (size_t i = 0; exporters[i] != NULL; i++) {
        for (const char *const *extension = exporters[i]->extensions; *extension; extension++) {
            struct options options;
            struct line line;
            char text[128];
            snprintf(text, sizeof text, "attach 1 --base b.pyro -o some.where/x.y%s", *extension);
            parse(&options, &line, text);
            assert_ptr_equal(options.outputs[0].exporter, exporters[i]);
            options_free(&options);
        }
    }
}

static void test_format_overrides_the_extension(void **state) {
    (void)state;
    for (size_t i = 0; exporters[i] != NULL; i++) {
        struct options options;
        struct line line;
        char text[128];
        snprintf(text, sizeof text, "attach 1 --base b -o x.html -o - -o y.unheard --format %s",
                 exporters[i]->name);
        parse(&options, &line, text);
        assert_int_equal(options.output_count, 3);
        for (size_t o = 0; o < 3; o++) {
            assert_ptr_equal(options.outputs[o].exporter, exporters[i]);
        }
        options_free(&options);
    }
}

/* --flamegraph and the like, with a path and without. */
static void test_format_flags(void **state) {
    (void)state;
    for (size_t i = 0; exporters[i] != NULL; i++) {
        struct options options;
        struct line line;
        char text[128];
        char path[128];
        snprintf(text, sizeof text, "attach --base b.pyro --%s 1", exporters[i]->name);
        parse(&options, &line, text);
        assert_int_equal(options.output_count, 1);
        assert_ptr_equal(options.outputs[0].exporter, exporters[i]);
        snprintf(path, sizeof path, "%s_%%p%s", exporters[i]->name, exporters[i]->extensions[0]);
        bool is_table = strcmp(exporters[i]->name, "table") == 0;
        assert_string_equal(options.outputs[0].path, is_table ? "-" : path);
        options_free(&options);
        snprintf(text, sizeof text, "attach --base b --%s -o profile.data 1", exporters[i]->name);
        parse(&options, &line, text);
        assert_ptr_equal(options.outputs[0].exporter, exporters[i]);
        assert_string_equal(options.outputs[0].path, "profile.data");
        options_free(&options);
    }
}

static void test_standard_output(void **state) {
    (void)state;
    struct options options;
    struct line line;
    parse(&options, &line, "attach -o - 1");
    assert_string_equal(options.outputs[0].path, "-");
    assert_string_equal(options.outputs[0].exporter->name, "table");
    options_free(&options);
    parse(&options, &line, "attach -o - -f collapsed 1");
    assert_string_equal(options.outputs[0].exporter->name, "collapsed");
    options_free(&options);
}

/* ---- help ---- */

static char *help_of(enum verb verb) {
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    help_print(verb, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect_words(const char *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, words[i]) == NULL) {
            fail_msg("no %s in the help:\n%s", words[i], text);
        }
    }
}

static void test_async_mode(void **state) {
    (void)state;
    const struct {
        const char *text;
        bool shows_waiting;
    } rows[] = {{"attach --async-aware 1", false},
                {"attach --async-aware --async-mode running 1", false},
                {"attach --async-mode all --async-aware 1", true},
                {"run --async-aware --async-mode=all python3", true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options;
        struct line line;
        parse(&options, &line, rows[i].text);
        assert_true(options.is_async_aware);
        assert_int_equal(options.shows_waiting, rows[i].shows_waiting);
        options_free(&options);
    }
    expect_usage("attach --async-aware --async-mode some 1", "running or all");
    expect_usage("attach --async-mode all 1", "--async-aware");
    expect_usage("dump --async-aware --async-mode all 1", "--async-mode");
}

static void test_help_lists_what_there_is(void **state) {
    (void)state;
    static const char *const sampling[] = {
        "-r, --rate",    "-i, --interval",    "-d, --duration", "-m, --mode",   "-t, --thread",
        "--main-thread", "-a, --all-threads", "-o, --output",   "-f, --format", "--stats",
        "-q, --quiet",   "-h, --help",        "--blocking",     "-n, --native"};
    static const char *const of_pid[] = {"-p, --pid", "PID"};
    static const char *const of_dump[] = {"--json",       "--blocking", "-n, --native", "--locals",
                                          "-t, --thread", "-h, --help", "-p, --pid"};
    static const char *const overview[] = {"attach", "run", "dump", "3.8 to 3.15", "--help"};
    char *attach = help_of(VERB_ATTACH);
    char *run = help_of(VERB_RUN);
    char *dump = help_of(VERB_DUMP);
    char *all = help_of((enum verb)0);
    expect_words(attach, sampling, COUNT(sampling));
    expect_words(attach, of_pid, COUNT(of_pid));
    expect_words(run, sampling, COUNT(sampling));
    expect_words(dump, of_dump, COUNT(of_dump));
    expect_words(all, overview, COUNT(overview));
    assert_null(strstr(run, "--pid"));
    assert_null(strstr(dump, "--output"));
    for (size_t i = 0; exporters[i] != NULL; i++) {
        const char *const words[] = {exporters[i]->name, exporters[i]->extensions[0],
                                     exporters[i]->help};
        expect_words(attach, words, COUNT(words));
    }
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        const char *const words[] = {mode->name, mode->help};
        expect_words(attach, words, COUNT(words));
    }
    free(attach);
    free(run);
    free(dump);
    free(all);
}

/* Every option in the help of a verb is one that the verb takes. */
static void expect_help_is_true(enum verb verb, const char *name) {
    char *help = help_of(verb);
    int count = 0;
    for (char *at = help; (at = strstr(at, " --")) != NULL;) {
        char option[64];
        char text[128];
        struct options options;
        struct line line;
        struct error error = {0};
        at += 1;
        size_t bytes = strspn(at, "-abcdefghijklmnopqrstuvwxyz");
        if (bytes <= 2 || strncmp(at, "--NAME", 6) == 0) {
            continue;
        }
        snprintf(option, sizeof option, "%.*s", (int)bytes, at);
        snprintf(text, sizeof text, "%s %s", name, option);
        cut(&line, text);
        (void)!options_parse(&options, line.count, line.words, &error);
        if (strstr(error.detail, "unknown") != NULL) {
            fail_msg("%s", error.detail);
        }
        options_free(&options);
        count++;
    }
    assert_true(count >= 5);
    free(help);
}

static void test_help_tells_the_truth(void **state) {
    (void)state;
    expect_help_is_true(VERB_ATTACH, "attach");
    expect_help_is_true(VERB_RUN, "run");
    expect_help_is_true(VERB_DUMP, "dump");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_attach),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_long_options_and_any_order),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_record_is_another_spelling),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_empty_output),
        cmocka_unit_test(test_format_by_every_extension),
        cmocka_unit_test(test_format_overrides_the_extension),
        cmocka_unit_test(test_format_flags),
        cmocka_unit_test(test_standard_output),
        cmocka_unit_test(test_async_mode),
        cmocka_unit_test(test_help_lists_what_there_is),
        cmocka_unit_test(test_help_tells_the_truth),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
