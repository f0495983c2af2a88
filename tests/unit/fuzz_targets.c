#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/resolve.h"
#include "reader/symbols.h"
#include "target-runtime/callsite.h"
#include "target-runtime/code.h"
#include "target-runtime/lines.h"
#include "target-runtime/locals.h"
#include "target-runtime/objects.h"
#include "target-runtime/threads.h"
#include "tests/unit/fuzz_recording.h"
#include "tests/unit/fuzz_targets.h"
#include "tests/unit/python.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- bytes to decide with ---- */

struct feed {
    const uint8_t *data;
    size_t bytes;
    size_t at;
};

/* Zeros when there are no more. */
static uint64_t feed_bytes(struct feed *feed, size_t bytes) {
    uint64_t value = 0;
    size_t left = feed->bytes - feed->at;
    memcpy(&value, feed->data + feed->at, bytes < left ? bytes : left);
    feed->at += bytes < left ? bytes : left;
    return value;
}

static uint64_t feed_below(struct feed *feed, uint64_t limit) {
    return feed_bytes(feed, 4) % limit;
}

static bool feed_is_over(const struct feed *feed) {
    return feed->at == feed->bytes;
}

static size_t layout_count(void) {
    size_t count = 0;
    while (layouts[count] != NULL) {
        count++;
    }
    return count;
}

/* A value that is likely to be near something: small, large, or anything. */
static uint64_t feed_odd_value(struct feed *feed) {
    uint64_t value = feed_bytes(feed, 8);
    switch (feed_bytes(feed, 1) % 8) {
    case 0: return value & 0xff;
    case 1: return value & 0xffff;
    case 2: return UINT64_C(1) << (value & 63);
    case 3: return UINT64_MAX - (value & 0xff);
    case 4: return value & 0xfffff8;
    case 5: return 0;
    default: return value;
    }
}

/* ---- everything that reads a target ---- */

enum { LOOKS = 3 };

static void expect_sane_look(const struct raw_look *look) {
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        assert_true(thread->first_frame <= look->frame_count);
        assert_true(thread->frame_count <= look->frame_count - thread->first_frame);
        assert_true(!thread->is_skipped || thread->frame_count == 0);
    }
}

static void look_and_resolve(struct runtime *runtime) {
    struct trace trace;
    struct walk *walk = walk_create(runtime);
    const struct raw_look *look;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct resolve *resolve = resolve_create(runtime, &trace);
    uint64_t now_ns = NS_PER_S;
    for (int i = 0; i < LOOKS && walk_look(walk, &look) == STATUS_OK; i++) {
        now_ns += 2 * NS_PER_MS;
        expect_sane_look(look);
        (void)!resolve_check(resolve, look, now_ns);
        for (size_t t = 0; t < look->thread_count; t++) {
            struct resolved resolved = resolve_stack(resolve, look, &look->threads[t], now_ns);
            assert_true(resolved.stack.id <= trace.stacks.count);
            assert_true(resolved.stack.id != 0 || look->threads[t].frame_count == 0 ||
                        resolved.flags != 0 || look->threads[t].is_complete);
        }
    }
    resolve_destroy(resolve);
    walk_destroy(walk);
    trace_deinit(&trace);
}

static bool ignore_entry(void *context, struct remote key, struct remote value) {
    size_t *visits = context;
    (void)key;
    (void)value;
    return ++*visits < 1000;
}

/* No repr is longer than what its bounds allow for: as many texts as objects. */
static void read_values(struct runtime *runtime, struct remote object) {
    enum {
        CALLS = 5000,
        POINT_BYTES = 10,
        REPR_BYTES = REPR_OBJECTS * REPR_TEXT_COUNT * POINT_BYTES
    };
    struct repr repr;
    struct buffer text = {0};
    struct frame_locals found;
    struct raw_frame frame = {.at = object.addr, .code = object.addr};
    repr_init(&repr, runtime, CALLS);
    repr_append(&repr, object, &text);
    assert_true(text.length > 0 && text.length < REPR_BYTES);
    buffer_deinit(&text);
    repr_deinit(&repr);
    struct locals *locals = locals_create(runtime, CALLS);
    locals_read(locals, &frame, false, &found);
    assert_true(found.count <= LOCALS_LIMIT);
    locals_free(&found);
    locals_destroy(locals);
}

static void read_objects(struct runtime *runtime, struct remote object) {
    struct buffer text = {0};
    struct dict_entries entries;
    struct remote found;
    struct code code;
    uint64_t number;
    size_t visits = 0;
    (void)!object_text(runtime, object, &text);
    (void)!object_bytes(runtime, object, 1 << 16, &text);
    (void)!object_integer(runtime, object, &number);
    (void)!attribute_find(runtime, object, "_name", &found);
    if (dict_entries_of(runtime, object, &entries) == STATUS_OK) {
        (void)!dict_each(runtime, &entries, ignore_entry, &visits);
    }
    (void)!code_fetch(runtime, object, &code);
    code_free(&code);
    buffer_deinit(&text);
    read_values(runtime, object);
}

static void read_names(struct runtime *runtime, uint64_t interpreter) {
    struct active_thread *active;
    size_t count;
    (void)!threads_active(runtime, (struct remote){interpreter}, &active, &count);
    for (size_t i = 0; i < count && i < 16; i++) {
        struct buffer name = {0};
        uint64_t native_id;
        (void)!thread_object_name(runtime, active[i].object, &name);
        (void)!thread_object_native_id(runtime, active[i].object, &native_id);
        buffer_deinit(&name);
    }
    free(active);
}

/* ---- a memory in which nearly everything points to something ---- */

#define SOUP UINT64_C(0x7f0000000000)

enum { SOUP_OBJECTS = 64, SOUP_OBJECT_BYTES = 512, SOUP_WORDS = 16 };

/* Some words are set, so that there are threads; the others follow from the seed. */
struct soup {
    uint64_t seed;
    struct remote words[SOUP_WORDS];
    uint64_t values[SOUP_WORDS];
    size_t word_count;
};

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t soup_object(uint64_t choice) {
    return SOUP + choice % SOUP_OBJECTS * SOUP_OBJECT_BYTES;
}

/* The 8 bytes at an address that is a multiple of 8. */
static uint64_t soup_word(const struct soup *soup, uint64_t address) {
    uint64_t hash = mix(soup->seed + mix(address));
    uint64_t value = mix(hash);
    for (size_t i = 0; i < soup->word_count; i++) {
        if (soup->words[i].addr == address) {
            return soup->values[i];
        }
    }
    switch (hash >> 32 & 15) {
    case 0:
    case 1:
    case 2: return value % 64;
    case 3: return value & 0x0000ffff0000ffff;
    case 4: return 0;
    case 5: return value;
    case 6: return UINT64_MAX - value % 16;
    case 7: return soup_object(value) | 1;
    default: return soup_object(value);
    }
}

static bool is_in_soup(const struct soup *soup, uint64_t address) {
    return address >= SOUP && address < soup_object(SOUP_OBJECTS - 1) + SOUP_OBJECT_BYTES &&
           mix(soup->seed ^ (address >> 12)) % 16 != 0;
}

static enum status soup_read(struct memory *memory, struct range *ranges, size_t count) {
    const struct soup *soup = memory->state;
    memory->calls++;
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = ranges[i].to;
        uint64_t word = 0;
        ranges[i].status = STATUS_OK;
        for (uint32_t b = 0; b < ranges[i].bytes; b++) {
            uint64_t at = ranges[i].from.addr + b;
            if (!is_in_soup(soup, at)) {
                ranges[i].status = STATUS_NOT_MAPPED;
                break;
            }
            word = b == 0 || at % 8 == 0 ? soup_word(soup, at & ~UINT64_C(7)) : word;
            to[b] = (uint8_t)(word >> (at % 8 * 8));
        }
    }
    return STATUS_OK;
}

static void soup_close(struct memory *memory) {
    (void)memory;
}

static const struct memory_ops soup_ops = {"soup", soup_read, soup_close};

static void soup_set(struct soup *soup, uint64_t object, uint32_t place, uint64_t value) {
    assert_true(soup->word_count < SOUP_WORDS);
    soup->words[soup->word_count].addr = object + place;
    soup->values[soup->word_count++] = value;
}

/* An interpreter with three threads. They must fit their objects, so the fields are moved close. */
static void season(struct soup *soup, struct layout *layout, uint64_t runtime) {
    uint64_t interpreter = soup_object(mix(soup->seed));
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        layout->place[i] = layout->place[i] != 0 ? (layout->place[i] - 1) % 448 + 1 : 0;
    }
    soup_set(soup, runtime, LAYOUT_AT(layout, runtime, interpreters_head), interpreter);
    uint64_t link = interpreter + LAYOUT_AT(layout, interpreter, threads_head);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t thread = soup_object(mix(soup->seed + i));
        soup_set(soup, link, 0, thread);
        soup_set(soup, thread, LAYOUT_AT(layout, thread, interp), interpreter);
        link = thread + LAYOUT_AT(layout, thread, next);
    }
}

static void fuzz_soup(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    struct soup soup = {.seed = feed_bytes(&feed, 8)};
    struct memory memory = {.ops = &soup_ops, .state = &soup};
    struct layout layout = *layouts[feed_below(&feed, layout_count())];
    struct runtime runtime = {.memory = &memory, .layout = &layout};
    struct runtime attached;
    runtime.address.addr = soup_object(feed_below(&feed, SOUP_OBJECTS));
    runtime.code_type.addr = soup_object(feed_below(&feed, SOUP_OBJECTS));
    (void)!runtime_attach_at(&attached, &memory, runtime.address, NULL);
    season(&soup, &layout, runtime.address.addr);
    look_and_resolve(&runtime);
    for (uint64_t i = 0; i < SOUP_OBJECTS; i++) {
        read_objects(&runtime, (struct remote){soup_object(i)});
    }
    read_names(&runtime, soup_object(feed_below(&feed, SOUP_OBJECTS)));
}

/* ---- a Python that was damaged ---- */

static void make_program(struct python *python, struct python_thread *threads, size_t count) {
    uint64_t main = python_function(python, "main");
    uint64_t work = python_function(python, "work");
    for (size_t i = 0; i < count; i++) {
        python_thread_start(python, &threads[i], python->interpreter);
        python_enter(python, &threads[i]);
        python_call(python, &threads[i], main, 2);
        for (size_t depth = 0; depth < 3 * i; depth++) {
            python_call(python, &threads[i], work, 4);
        }
        python_call_elsewhere(python, &threads[i], work, 6);
    }
    const struct python_entry attributes[] = {
        {python_text(python, "_name"), python_text(python, "worker")}};
    const struct python_entry active[] = {
        {python_number(python, UINT64_C(0x7f1234001000)),
         python_instance(python, INSTANCE_VALUES, attributes, 1)}};
    python_know_threads(python, python->interpreter, active, 1);
}

/* Words that mean something are overwritten: with others of them, or with odd values. */
static void damage(struct python *python, struct feed *feed) {
    struct fake_memory *fake = &python->fake;
    while (!feed_is_over(feed)) {
        uint64_t address = fake_any_word(fake, feed_bytes(feed, 3));
        uint64_t other = fake_any_word(fake, feed_bytes(feed, 3));
        uint64_t value = fake_value(fake, other, 8);
        switch (feed_bytes(feed, 1) % 4) {
        case 0: value = feed_odd_value(feed); break;
        case 1: value = other; break;
        default: break;
        }
        fake_write_u64(fake, address, value);
    }
}

static void fuzz_damage(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    struct python python;
    struct python_thread threads[3] = {{0}};
    struct runtime runtime;
    python_init(&python, layouts[feed_below(&feed, layout_count())]);
    python_attach(&python, &runtime);
    make_program(&python, threads, COUNT(threads));
    damage(&python, &feed);
    look_and_resolve(&runtime);
    read_names(&runtime, python.interpreter);
    struct runtime again;
    if (runtime_attach_at(&again, &python.fake.memory, (struct remote){python.runtime}, NULL) ==
        STATUS_OK) {
        look_and_resolve(&again);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        python_thread_free(&threads[i]);
    }
    python_deinit(&python);
}

/* ---- offsets that a target publishes ---- */

static const struct layout *feed_publisher(struct feed *feed) {
    const struct layout *layout = layouts[feed_below(feed, layout_count())];
    return layout->source == LAYOUT_FROM_TARGET ? layout : layout_for(13, false);
}

/* What could be the offset of a field, or could be taken for it. */
static uint64_t feed_offset(struct feed *feed, uint32_t place) {
    uint64_t offset = place - 1U;
    switch (feed_bytes(feed, 1) % 4) {
    case 0: return offset + 8 * (feed_bytes(feed, 1) % 8);
    case 1: return offset - 8 * (feed_bytes(feed, 1) % 8);
    case 2: return feed_bytes(feed, 2) % 700 & ~UINT64_C(3);
    default: return feed_odd_value(feed);
    }
}

/* Publishes another offset for a field. */
static void misplace(struct python *python, struct feed *feed) {
    const struct layout *layout = python->layout;
    uint64_t field = feed_bytes(feed, 2) % LAYOUT_FIELD_COUNT;
    if (layout->published[field] != 0) {
        fake_write_u64(&python->fake, python->runtime + layout->published[field],
                       feed_offset(feed, layout->place[field]));
    }
}

static void fuzz_published(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    struct python python;
    struct python_thread threads[2] = {{0}};
    struct runtime runtime;
    struct error error = {0};
    python_init(&python, feed_publisher(&feed));
    make_program(&python, threads, COUNT(threads));
    while (!feed_is_over(&feed)) {
        misplace(&python, &feed);
    }
    enum status status =
        runtime_attach_at(&runtime, &python.fake.memory, (struct remote){python.runtime}, &error);
    if (status == STATUS_OK) {
        assert_int_equal(layout_check(runtime.layout, &error), STATUS_OK);
        look_and_resolve(&runtime);
        read_names(&runtime, python.interpreter);
        read_objects(&runtime, (struct remote){python_text(&python, "text")});
    } else {
        assert_int_equal(error.status, status);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        python_thread_free(&threads[i]);
    }
    python_deinit(&python);
}

/* ---- line tables and bytecode ---- */

/* In a copy of its own, so that a read past its end is a read of nobody's memory. */
static uint8_t *copy_rest(const struct feed *feed, size_t *bytes_out) {
    *bytes_out = feed->bytes - feed->at;
    uint8_t *copy = memory_zeroed(*bytes_out, 1);
    memcpy(copy, feed->data + feed->at, *bytes_out);
    return copy;
}

static void fuzz_lines(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    enum line_table kind = (enum line_table)feed_below(&feed, LINE_TABLE_LOCATIONS + 1);
    uint32_t first_line = (uint32_t)feed_odd_value(&feed);
    size_t count;
    uint8_t *table = copy_rest(&feed, &count);
    for (int64_t offset = -2; offset < (int64_t)count * 4; offset++) {
        struct source_range range = line_at(kind, table, count, first_line, offset);
        assert_true(range.line <= INT32_MAX && range.end_line <= INT32_MAX);
        assert_true(range.column <= INT32_MAX && range.end_column <= INT32_MAX);
        assert_true(offset >= 0 || range.line == 0);
        assert_true(kind == LINE_TABLE_LOCATIONS || range.column == 0);
    }
    line_at(kind, table, count, first_line, INT64_MAX);
    line_at(kind, table, count, first_line, INT64_MIN);
    free(table);
}

static void fuzz_callsites(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    const struct layout *layout = layouts[feed_below(&feed, layout_count())];
    size_t count;
    uint8_t *code = copy_rest(&feed, &count);
    for (uint32_t offset = 0; layout->opcodes != NULL && offset < count + 4; offset++) {
        struct callsite site = callsite_at(layout->opcodes, code, (uint32_t)count, offset);
        struct callsite other;
        assert_true(site.offset < count || site.offset == offset);
        assert_int_equal(site.kind == CALLSITE_NAMED, site.callee_version != 0);
        if (site.kind == CALLSITE_NAMED) {
            assert_true(callsite_of_callee(layout->opcodes, code, (uint32_t)count, offset,
                                           site.callee_version, &other) > 0);
            assert_int_equal(other.callee_version, site.callee_version);
        }
    }
    free(code);
}

/* ---- ELF files ---- */

enum { ELF_SECTIONS = 6, ELF_SYMBOLS = 4, ELF_SEGMENTS = 2, ELF_TEXT_BYTES = 96 };

/* As little as symbols_locate() finds something in. */
struct small_elf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[ELF_SEGMENTS];
    Elf64_Shdr sections[ELF_SECTIONS];
    Elf64_Sym symbols[ELF_SYMBOLS];
    char text[ELF_TEXT_BYTES];
};

#define ELF_AT(member) offsetof(struct small_elf, member)

static void set_section(struct small_elf *elf, size_t index, uint32_t name, uint32_t type,
                        uint64_t offset, uint64_t bytes) {
    elf->sections[index] = (Elf64_Shdr){
        .sh_name = name,
        .sh_type = type,
        .sh_addr = 0x1000 + offset,
        .sh_offset = offset,
        .sh_size = bytes,
        .sh_link = 3,
        .sh_entsize = type == SHT_DYNSYM || type == SHT_SYMTAB ? sizeof(Elf64_Sym) : 0,
    };
}

static void make_elf(struct small_elf *elf) {
    static const char text[ELF_TEXT_BYTES] = "\0_PyRuntime\0.PyRuntime\0.dynsym\0.symtab\0.strtab";
    *elf = (struct small_elf){
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                               EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_phoff = ELF_AT(segments),
                   .e_shoff = ELF_AT(sections),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = ELF_SEGMENTS,
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = ELF_SECTIONS,
                   .e_shstrndx = 3},
    };
    for (size_t i = 0; i < ELF_SEGMENTS; i++) {
        elf->segments[i] = (Elf64_Phdr){.p_type = PT_LOAD,
                                        .p_flags = i == 0 ? PF_R | PF_X : PF_R | PF_W,
                                        .p_offset = i * 0x1000,
                                        .p_vaddr = 0x1000 + i * 0x1000,
                                        .p_filesz = sizeof *elf,
                                        .p_memsz = sizeof *elf};
    }
    memcpy(elf->text, text, sizeof text);
    set_section(elf, 1, 23, SHT_DYNSYM, ELF_AT(symbols), sizeof elf->symbols);
    set_section(elf, 2, 31, SHT_SYMTAB, ELF_AT(symbols), sizeof elf->symbols);
    set_section(elf, 3, 39, SHT_STRTAB, ELF_AT(text), sizeof elf->text);
    set_section(elf, 4, 12, SHT_PROGBITS, ELF_AT(text), 8);
    elf->symbols[2] = (Elf64_Sym){.st_name = 1, .st_shndx = 4, .st_value = 0x1234};
}

/* Looks for the runtime in a file of these bytes. */
static enum status locate_in(const void *content, size_t bytes, struct remote *out) {
    static int file = -1;
    struct stat info;
    char path[64];
    if (file < 0) {
        file = memfd_create("fuzz", MFD_CLOEXEC);
    }
    assert_true(file >= 0 && ftruncate(file, 0) == 0 && fstat(file, &info) == 0);
    assert_int_equal(pwrite(file, content, bytes, 0), bytes);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), file);
    struct mapping mapping = {.start = 0x555500000000,
                              .end = 0x555500010000,
                              .inode = info.st_ino,
                              .is_executable = true,
                              .path = path};
    struct maps maps = {.items = &mapping, .count = 1};
    struct process process = {.pid = getpid(), .pidfd = -1};
    return symbols_locate(&process, &maps, &mapping, "_PyRuntime", ".PyRuntime", NULL, out);
}

static void fuzz_elf(const uint8_t *data, size_t bytes) {
    struct feed feed = {data, bytes, 0};
    struct small_elf elf;
    struct remote found;
    make_elf(&elf);
    assert_int_equal(locate_in(&elf, sizeof elf, &found), STATUS_OK);
    assert_int_equal(found.addr, 0x555500000234);
    while (!feed_is_over(&feed)) {
        uint64_t at = feed_below(&feed, sizeof elf);
        uint64_t value = feed_odd_value(&feed);
        size_t size = (size_t)1 << feed_below(&feed, 4);
        memcpy((uint8_t *)&elf + at, &value, sizeof elf - at < size ? sizeof elf - at : size);
    }
    size_t length = feed.bytes % 4 == 0 ? feed.bytes * 16 % sizeof elf : sizeof elf;
    enum status status = locate_in(&elf, length, &found);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
}

/* ---- the list ---- */

const struct fuzz_row fuzz_rows[] = {
    {"soup", fuzz_soup, 24, 60},
    {"damage", fuzz_damage, 200, 4000},
    {"published", fuzz_published, 48, 3000},
    {"lines", fuzz_lines, 200, 20000},
    {"callsites", fuzz_callsites, 200, 20000},
    {"elf", fuzz_elf, 120, 20000},
    {"recording", fuzz_recording, 30, 2000},
    {"payload", fuzz_payload, 100, 2000},
    {"tables", fuzz_tables, 200, 2000},
    {NULL, NULL, 0, 0},
};
