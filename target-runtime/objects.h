/* Python objects, read from the target one at a time: for what is needed seldom (names of threads,
 * sys.hexversion). Every size and count comes from the target and is bounded here. Any of these
 * objects may change while it is read; what is returned is then wrong but safe. */
#ifndef PYROMETER_TARGET_RUNTIME_OBJECTS_H
#define PYROMETER_TARGET_RUNTIME_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "target-runtime/runtime.h"

/* Longest string that is read, in characters; what is longer is cut and marked with "...". */
#define OBJECT_TEXT_LIMIT 65536

/* Appends a str as UTF-8. Lone surrogates become \udcNN. TORN when it does not look like a str. */
enum status object_text(const struct runtime *runtime, struct remote object,
                        struct buffer *out) MUST_CHECK;

/* The first characters of a str, `limit` at most, into `points`; how many it has in all. TORN when
 * it does not look like one. */
enum status object_code_points(const struct runtime *runtime, struct remote object,
                               uint32_t *points, size_t limit, uint64_t *length_out) MUST_CHECK;

/* Where a str's characters are, and how many bytes they take. TORN when it does not look like one.
 */
enum status object_characters(const struct runtime *runtime, struct remote object,
                              struct remote *out, size_t *bytes_out) MUST_CHECK;

/* Appends the bytes of a bytes object. TORN when its size exceeds `limit` bytes or is negative. */
enum status object_bytes(const struct runtime *runtime, struct remote object, size_t limit,
                         struct buffer *out) MUST_CHECK;

/* A non-negative int that fits 64 bits; TORN otherwise. */
enum status object_integer(const struct runtime *runtime, struct remote object,
                           uint64_t *out) MUST_CHECK;

/* The entries of a dict, or of the shared keys of a class. */
struct dict_entries {
    struct remote first;  /* the first entry */
    uint64_t count;       /* entries, empty ones included */
    uint32_t entry_bytes; /* from one entry to the next */
    uint32_t key_at;      /* of the key in an entry */
    struct remote values; /* where the values are when they are not in the entries; else NULL */
};

enum status dict_entries_of(const struct runtime *runtime, struct remote dict,
                            struct dict_entries *out) MUST_CHECK;

/* Calls `visit` with each key and value until it returns false. */
typedef bool dict_visit(void *context, struct remote key, struct remote value);
enum status dict_each(const struct runtime *runtime, const struct dict_entries *entries,
                      dict_visit *visit, void *context) MUST_CHECK;

/* The value whose key is the ASCII string `key`; NOT_FOUND when there is none. */
enum status dict_find(const struct runtime *runtime, struct remote dict, const char *key,
                      struct remote *out) MUST_CHECK;

/* An attribute from an instance's own attributes (not its class's); NOT_FOUND. */
enum status attribute_find(const struct runtime *runtime, struct remote object, const char *name,
                           struct remote *out) MUST_CHECK;

/* Whether the type object at `type` has this name (tp_name); what cannot be read has not. GONE,
 * NOT_PERMITTED. */
enum status type_is_named(const struct runtime *runtime, struct remote type, const char *name,
                          bool *out) MUST_CHECK;

#endif
