/* JSON that is too long to be held whole: cJSON makes each row, and what is between the rows is
 * written by hand.
 *
 * cJSON leaves a member out when there is no memory for it; json_init() makes that the end of the
 * program, as everywhere else, so no result of it needs a check. */
#ifndef PYROMETER_EXPORTERS_JSON_H
#define PYROMETER_EXPORTERS_JSON_H

#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

/* Call before making the first object of a format. */
void json_init(void);

/* Adds a whole number; cJSON's own numbers are doubles, which are printed as 1e+15. */
void json_add_count(cJSON *object, const char *name, uint64_t value);

/* Times as milliseconds, exact to the nanosecond. */
void json_add_ms(cJSON *object, const char *name, uint64_t time_ns);
void json_write_ms(FILE *out, uint64_t time_ns);

/* Writes `value` without white space, then deletes it. */
void json_write_take(FILE *out, cJSON *value);
/* The same for an object that has members, without its closing brace: the caller adds members of
 * its own, each after a comma, and the brace. */
void json_write_open_take(FILE *out, cJSON *object);
/* The text of that, for objects that are written often. The caller frees it with free(). */
char *json_text_open_take(cJSON *object);

#endif
