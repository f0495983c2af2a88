/* The head of a file for the Firefox Profiler: what was profiled, how well, and the viewer's
 * settings. */
#include "exporters/firefox.h"

#include <inttypes.h>

#include "exporters/category.h"
#include "exporters/json.h"
#include "exporters/states.h"
#include "profiler/base/buffer.h"

enum { PROCESSED_VERSION = 64, GECKO_VERSION = 36 };

static cJSON *categories_json(void) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < category_count; i++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", categories[i].name);
        cJSON_AddStringToObject(row, "color", categories[i].color);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(row, "subcategories"),
                             cJSON_CreateString("Other"));
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

static void add_field(cJSON *fields, const char *key, const char *label, const char *format) {
    cJSON *field = cJSON_CreateObject();
    cJSON_AddStringToObject(field, "key", key);
    cJSON_AddStringToObject(field, "label", label);
    cJSON_AddStringToObject(field, "format", format);
    cJSON_AddItemToArray(fields, field);
}

/* One kind of marker for each state. */
static cJSON *marker_schema_json(void) {
    static const char *const places[] = {"marker-chart", "marker-table"};
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < STATES; i++) {
        cJSON *schema = cJSON_CreateObject();
        cJSON_AddStringToObject(schema, "name", states[i].name);
        cJSON_AddStringToObject(schema, "description", states[i].help);
        cJSON_AddItemToObject(schema, "display", cJSON_CreateStringArray(places, 2));
        cJSON *fields = cJSON_AddArrayToObject(schema, "fields");
        add_field(fields, "samples", "Samples", "integer");
        if (states[i].bit == STATE_WANTS_GIL) {
            cJSON_AddStringToObject(schema, "chartLabel", "held by {marker.data.holder}");
            cJSON_AddStringToObject(schema, "tableLabel",
                                    "held by {marker.data.holder} in {marker.data.place}");
            add_field(fields, "holder", "Held by", "string");
            add_field(fields, "place", "In", "string");
        }
        cJSON_AddItemToArray(list, schema);
    }
    return list;
}

static void add_entry(cJSON *entries, const char *label, const char *format, cJSON *value) {
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "label", label);
    cJSON_AddStringToObject(entry, "format", format);
    cJSON_AddItemToObject(entry, "value", value);
    cJSON_AddItemToArray(entries, entry);
}

/* "Profile Info" in the viewer: how good the profile is. */
static cJSON *extra_json(const struct trace *trace) {
    const struct health *health = &trace->health;
    const struct {
        const char *label;
        uint64_t count;
    } counts[] = {{"Ticks", health->ticks},
                  {"Samples", health->samples},
                  {"Lost", health->lost},
                  {"Late", health->late},
                  {"Unverified", health->unverified},
                  {"Truncated", health->truncated}};
    cJSON *list = cJSON_CreateArray();
    cJSON *section = cJSON_CreateObject();
    cJSON_AddStringToObject(section, "label", "Sampling");
    cJSON *entries = cJSON_AddArrayToObject(section, "entries");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        add_entry(entries, counts[i].label, "integer", cJSON_CreateNumber((double)counts[i].count));
    }
    add_entry(entries, "Python", "string",
              cJSON_CreateString(trace_string(trace, trace->run.python_version)));
    add_entry(entries, "Mode", "string", cJSON_CreateString(trace_string(trace, trace->run.mode)));
    add_entry(entries, "Machine", "string",
              cJSON_CreateString(trace_string(trace, trace->run.host)));
    cJSON_AddItemToArray(list, section);
    return list;
}

/* The viewer leaves out what is at the end or later; the last sample stands for an interval there.
 */
static void add_times(cJSON *meta, const struct firefox *writer) {
    const struct trace_run *run = &writer->trace->run;
    json_add_ms(meta, "interval", run->interval_ns);
    json_add_ms(meta, "startTime", run->start_wall_ns);
    json_add_ms(meta, "profilingStartTime", 0);
    json_add_ms(meta, "profilingEndTime", writer->end_ns + run->interval_ns);
    cJSON *units = cJSON_AddObjectToObject(meta, "sampleUnits");
    cJSON_AddStringToObject(units, "time", "ms");
    cJSON_AddStringToObject(units, "eventDelay", "ms");
    cJSON_AddStringToObject(units, "threadCPUDelta", "ns");
}

/* The thread that comes first is the main thread. */
static void add_choices(cJSON *meta, const struct firefox *writer) {
    int first = 0;
    cJSON_AddTrueToObject(meta, "keepProfileThreadOrder");
    cJSON_AddItemToObject(meta, "initialSelectedThreads",
                          cJSON_CreateIntArray(&first, writer->tracks.count > 0));
    cJSON_AddTrueToObject(meta, "usesOnlyOneStackType");
    cJSON_AddTrueToObject(meta, "sourceCodeIsNotOnSearchfox");
    cJSON_AddTrueToObject(meta, "symbolicated");
    cJSON_AddTrueToObject(meta, "symbolicationNotSupported");
}

void firefox_write_meta(const struct firefox *writer) {
    const struct trace *trace = writer->trace;
    const char *process = trace_string(trace, trace->run.process_name);
    struct buffer product = {0};
    buffer_printf(&product, "%s (%" PRIu32 ")", *process ? process : "?", trace->run.pid);
    cJSON *meta = cJSON_CreateObject();
    json_add_count(meta, "version", GECKO_VERSION);
    json_add_count(meta, "preprocessedProfileVersion", PROCESSED_VERSION);
    json_add_count(meta, "processType", 0);
    json_add_count(meta, "stackwalk", 1);
    cJSON_AddStringToObject(meta, "product", product.data);
    cJSON_AddStringToObject(meta, "arguments", trace_string(trace, trace->run.command));
    cJSON_AddStringToObject(meta, "importedFrom", trace_string(trace, trace->run.profiler));
    cJSON_AddStringToObject(meta, "platform", "Linux");
    add_times(meta, writer);
    add_choices(meta, writer);
    cJSON_AddItemToObject(meta, "categories", categories_json());
    cJSON_AddItemToObject(meta, "markerSchema", marker_schema_json());
    cJSON_AddItemToObject(meta, "extra", extra_json(trace));
    fputs("\"meta\":", writer->out);
    json_write_take(writer->out, meta);
    buffer_deinit(&product);
}
