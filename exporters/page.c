#include "exporters/page.h"

#include <inttypes.h>
#include <string.h>

#include "exporters/json.h"
#include "profiler/base/clock.h"
#include "profiler/base/text.h"

PAGE_EMBED(html, "exporters/page/page.html");
PAGE_EMBED(css, "exporters/page/page.css");
PAGE_EMBED(words, "exporters/page/words.js");
PAGE_EMBED(widgets, "exporters/page/widgets.js");

static const struct page_file shared_styles[] = {PAGE_FILE(css), {0}};
static const struct page_file shared_scripts[] = {PAGE_FILE(words), PAGE_FILE(widgets), {0}};

/* Writes page source without what only its authors need: indentation, empty lines and lines that
 * are a // comment. Nothing in the page is written over several lines where that would matter. */
static void write_source(FILE *out, const char *at, const char *end) {
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end;
        at += strspn(at, " ");
        if (at < next && *at != '\n' && strncmp(at, "//", 2) != 0) {
            fwrite(at, 1, (size_t)(next - at), out);
        }
        at = next;
    }
}

static void write_files(FILE *out, const struct page_file *files) {
    for (; files->start; files++) {
        write_source(out, files->start, files->end);
    }
}

/* What must not stand in the data as it is: an HTML parser would see a tag, an old script parser a
 * line end. In JSON it can only be part of a string. */
static const struct escape {
    const char *text;
    const char *json;
} escapes[] = {
    {"<", "\\u003c"},
    {"\xe2\x80\xa8", "\\u2028"},
    {"\xe2\x80\xa9", "\\u2029"},
};

static const struct escape *escape_at(const char *at) {
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (strncmp(at, escapes[i].text, strlen(escapes[i].text)) == 0) {
            return &escapes[i];
        }
    }
    return NULL;
}

static void write_harmless(FILE *out, const char *json) {
    for (const char *at; (at = strpbrk(json, "<\xe2")) != NULL;) {
        const struct escape *escape = escape_at(at);
        const char *next = at + (escape ? strlen(escape->text) : 1);
        fwrite(json, 1, (size_t)((escape ? at : next) - json), out);
        fputs(escape ? escape->json : "", out);
        json = next;
    }
    fputs(json, out);
}

void page_write_text(FILE *out, const char *text) {
    cJSON *string = cJSON_CreateStringReference(text);
    char *json = cJSON_PrintUnformatted(string);
    write_harmless(out, json);
    cJSON_free(json);
    cJSON_Delete(string);
}

static void write_strings(FILE *out, const struct strings *strings) {
    fputs(",\n\"strings\":[\"\"", out);
    for (uint32_t id = 1; id <= strings->count; id++) {
        fputs(",\n", out);
        page_write_text(out, strings_text(strings, id, NULL));
    }
    fputs("]", out);
}

static int64_t column_value(const struct page_column *column, const void *row) {
    const char *field = (const char *)row + column->offset;
    uint32_t narrow;
    int64_t wide;
    if (column->is_64_bits) {
        memcpy(&wide, field, sizeof wide);
        return wide;
    }
    memcpy(&narrow, field, sizeof narrow);
    return column->map ? column->map[narrow] : narrow;
}

static void write_column(FILE *out, const struct table *rows, const struct page_column *column,
                         const uint32_t *used) {
    int64_t last = 0;
    const char *comma = "";
    fprintf(out, "\"%s\":[", column->name);
    for (uint32_t id = 1; id <= rows->count; id++) {
        if (used && !used[id]) {
            continue;
        }
        int64_t value = column_value(column, table_row(rows, id));
        fprintf(out, "%s%" PRId64, comma, value - last);
        last = value;
        comma = ",";
    }
    fputs("]", out);
}

void page_write_rows(FILE *out, const char *name, const struct table *rows,
                     const struct page_column *columns, size_t column_count, const uint32_t *used) {
    fprintf(out, ",\n\"%s\":{", name);
    for (size_t i = 0; i < column_count; i++) {
        fputs(i ? ",\n" : "", out);
        write_column(out, rows, &columns[i], used);
    }
    fputs("}", out);
}

/* Texts are ids of strings. */
static cJSON *make_run(const struct trace_run *run) {
    cJSON *object = cJSON_CreateObject();
    json_add_count(object, "pid", run->pid);
    json_add_count(object, "process", run->process_name.id);
    json_add_count(object, "command", run->command.id);
    json_add_count(object, "python", run->python_version.id);
    json_add_count(object, "mode", run->mode.id);
    json_add_count(object, "profiler", run->profiler.id);
    json_add_count(object, "start_ms", run->start_wall_ns / NS_PER_MS);
    json_add_count(object, "interval_ns", run->interval_ns);
    return object;
}

static cJSON *make_health(const struct health *health) {
    cJSON *object = cJSON_CreateObject();
    json_add_count(object, "ticks", health->ticks);
    json_add_count(object, "samples", health->samples);
    json_add_count(object, "lost", health->lost);
    json_add_count(object, "late", health->late);
    json_add_count(object, "unverified", health->unverified);
    json_add_count(object, "truncated", health->truncated);
    json_add_count(object, "empty", health->empty);
    json_add_count(object, "duration_ns", health->duration_ns);
    json_add_count(object, "cpu_ns", health->cpu_ns);
    cJSON_AddNumberToObject(object, "rate_hz", health_rate_hz(health));
    return object;
}

void page_write_head(FILE *out, const struct trace *trace) {
    cJSON *head = cJSON_CreateObject();
    cJSON_AddItemToObject(head, "run", make_run(&trace->run));
    cJSON_AddItemToObject(head, "health", make_health(&trace->health));
    json_write_open_take(out, head);
    write_strings(out, &trace->strings);
}

/* "NAME (PID) flame graph", say, as HTML text. */
static enum status write_title(FILE *out, const struct page *page, const struct trace *trace,
                               struct error *error) {
    (void)error;
    struct buffer name = {0};
    const char *process = trace_string(trace, trace->run.process_name);
    text_append_escaped(&name, *process ? process : "?", "");
    for (size_t i = 0; i < name.length; i++) {
        switch (name.data[i]) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default: fputc(name.data[i], out);
        }
    }
    buffer_deinit(&name);
    fprintf(out, " (%" PRIu32 ") %s", trace->run.pid, page->title);
    return STATUS_OK;
}

static enum status write_css(FILE *out, const struct page *page, const struct trace *trace,
                             struct error *error) {
    (void)trace, (void)error;
    write_files(out, shared_styles);
    write_files(out, page->styles);
    return STATUS_OK;
}

static enum status write_body(FILE *out, const struct page *page, const struct trace *trace,
                              struct error *error) {
    (void)trace, (void)error;
    write_source(out, page->body.start, page->body.end);
    return STATUS_OK;
}

static enum status write_data(FILE *out, const struct page *page, const struct trace *trace,
                              struct error *error) {
    return page->write_data(out, trace, error);
}

static enum status write_js(FILE *out, const struct page *page, const struct trace *trace,
                            struct error *error) {
    (void)trace, (void)error;
    write_files(out, shared_scripts);
    write_files(out, page->scripts);
    return STATUS_OK;
}

/* What the markers in page.html stand for. */
static const struct marker {
    const char *text;
    enum status (*write)(FILE *out, const struct page *page, const struct trace *trace,
                         struct error *error);
} markers[] = {
    {"{{title}}", write_title}, {"{{css}}", write_css}, {"{{body}}", write_body},
    {"{{data}}", write_data},   {"{{js}}", write_js},
};

static const struct marker *marker_at(const char *at) {
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
        if (strncmp(at, markers[i].text, strlen(markers[i].text)) == 0) {
            return &markers[i];
        }
    }
    return NULL;
}

enum status page_write(const struct page *page, const struct trace *trace, FILE *out,
                       struct error *error) {
    const char *at = page_html;
    json_init();
    for (const char *open; (open = strstr(at, "{{")) != NULL;) {
        const struct marker *marker = marker_at(open);
        if (!marker) {
            return error_set(error, STATUS_INTERNAL, "filling in the page: no such marker: %.12s",
                             open);
        }
        write_source(out, at, open);
        enum status status = marker->write(out, page, trace, error);
        if (status) {
            return status;
        }
        at = open + strlen(marker->text);
    }
    write_source(out, at, page_html_end);
    return STATUS_OK;
}
