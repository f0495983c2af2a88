#include "target-runtime/mentions.h"

#include <string.h>

/* What an instruction means for the statement it is in, by the beginning of its name: that, unlike
 * its number, has stayed the same. The first row that fits counts. */
static const struct {
    const char *prefix;
    enum { LOADS_GLOBAL, LOADS_NAME, LOADS_CONSTANT, LOADS_ATTRIBUTE, CALLS, RESUMES, ENDS } effect;
} effects[] = {
    {"LOAD_GLOBAL", LOADS_GLOBAL},
    {"LOAD_NAME", LOADS_NAME}, /* at the top of a module, where the globals are the locals */
    {"LOAD_CONST", LOADS_CONSTANT},
    {"LOAD_ATTR", LOADS_ATTRIBUTE},
    {"LOAD_METHOD", LOADS_ATTRIBUTE},
    {"CALL_INTRINSIC", ENDS},
    {"CALL_FINALLY", ENDS},
    {"CALL", CALLS},
    {"FOR_ITER", RESUMES},
    {"SEND", RESUMES},
    {"YIELD_FROM", RESUMES},
    {"POP_", ENDS}, /* POP_TOP, POP_JUMP_* */
    {"STORE_", ENDS},
    {"JUMP_", ENDS},
    {"RETURN_", ENDS},
    {"RAISE_", ENDS},
    {"RERAISE", ENDS},
    {"YIELD_VALUE", ENDS},
};

enum { EFFECT_COUNT = sizeof effects / sizeof effects[0] };

static size_t effect_of(const struct opcode_table *table, uint8_t opcode) {
    const char *name = opcode_name(table, opcode_base(table, opcode));
    size_t i = 0;
    while (i < EFFECT_COUNT &&
           (name == NULL || strncmp(name, effects[i].prefix, strlen(effects[i].prefix)) != 0)) {
        i++;
    }
    return i;
}

static uint32_t argument_of(const uint8_t *code, const struct instruction *instruction) {
    uint32_t argument = 0;
    for (uint32_t at = instruction->begin; at <= instruction->start; at += OPCODE_UNIT_BYTES) {
        argument = argument << 8 | code[at + 1];
    }
    return argument;
}

static void add_mention(struct mention_walk *walk, struct mention mention) {
    if (walk->count == MENTION_LIMIT) {
        memmove(walk->mentions, walk->mentions + 1, sizeof walk->mentions - sizeof mention);
        walk->count--;
    }
    walk->mentions[walk->count++] = mention;
}

struct mention_walk mention_walk_begin(const struct opcode_table *table, const uint8_t *code,
                                       uint32_t bytes) {
    return (struct mention_walk){.walk = opcode_walk_begin(table, code, bytes)};
}

/* A name is mentioned for the instructions behind the one that loads it; a property's getter runs
 * in that one itself, so an attribute counts there too. */
bool mention_walk_next(struct mention_walk *walk, struct instruction *out,
                       enum mention_role *role_out) {
    const struct opcode_table *table = walk->walk.table;
    *role_out = MENTION_NOTHING;
    if (!opcode_walk_next(&walk->walk, out)) {
        return false;
    }
    walk->count = walk->is_over ? 0 : walk->count;
    walk->is_over = false;
    size_t effect = effect_of(table, out->opcode);
    if (effect == EFFECT_COUNT) {
        return true;
    }
    uint32_t argument = argument_of(walk->walk.code, out);
    switch (effects[effect].effect) {
    case LOADS_GLOBAL:
        add_mention(walk, (struct mention){argument >> table->global_shift, out->start, true});
        *role_out = MENTION_LOADS;
        break;
    case LOADS_NAME:
        add_mention(walk, (struct mention){argument, out->start, true});
        *role_out = MENTION_LOADS;
        break;
    case LOADS_CONSTANT: *role_out = MENTION_LOADS; break;
    case LOADS_ATTRIBUTE:
        add_mention(walk, (struct mention){argument >> table->attribute_shift, out->start, false});
        break;
    case CALLS: *role_out = MENTION_CALLS; break;
    case RESUMES:
        *role_out = MENTION_RESUMES;
        walk->is_over = true;
        break;
    case ENDS: walk->is_over = true; break;
    }
    return true;
}

bool mention_walk_to(struct mention_walk *walk, uint32_t offset, struct instruction *out,
                     enum mention_role *role_out) {
    while (mention_walk_next(walk, out, role_out) && out->begin <= offset) {
        if (offset < out->end) {
            return true;
        }
    }
    return false;
}
