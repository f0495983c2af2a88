#include "reader/unwind.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/table.h"

enum {
    PAGE_BYTES = 4096,
    PAGE_LIMIT = 8192, /* so many are kept; then all are read anew */
    FRAME_LIMIT = 16384,
    REFRESH_MS = 100,
    ENTRY_WORDS = 1, /* of the search table: an entry is two numbers of 32 bits */
};

/* libunwind has it for those who bring their own accessors, and declares it in no header. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t pc,
                                              unw_dyn_info_t *table, unw_proc_info_t *out,
                                              int need_unwind_info, void *context);

/* A page of read-only memory. */
struct page {
    uint64_t address; /* identity */
    uint64_t is_there;
    uint8_t bytes[PAGE_BYTES];
};

struct unwinder {
    const struct process *process;
    struct memory *memory;
    struct modules modules;
    struct table pages; /* struct page */
    unw_addr_space_t space;
    uint64_t refreshed_ns;
    /* What is being unwound. */
    const struct registers *registers;
    const struct stack_copy *stack;
};

/* ---- what libunwind asks for ---- */

static const struct page *page_at(struct unwinder *unwinder, uint64_t address) {
    struct page page = {.address = address & ~(uint64_t)(PAGE_BYTES - 1)};
    uint32_t id = table_find(&unwinder->pages, &page);
    if (id == 0) {
        if (unwinder->pages.count >= PAGE_LIMIT) {
            table_deinit(&unwinder->pages);
            table_init(&unwinder->pages, sizeof page, offsetof(struct page, is_there));
        }
        page.is_there = memory_read_one(unwinder->memory, (struct remote){page.address}, page.bytes,
                                        PAGE_BYTES) == STATUS_OK;
        id = table_intern(&unwinder->pages, &page);
    }
    const struct page *found = table_row(&unwinder->pages, id);
    return found->is_there ? found : NULL;
}

/* A word of the memory of a module, which may lie across two pages. */
static bool read_module_word(struct unwinder *unwinder, uint64_t address, unw_word_t *out) {
    uint8_t bytes[sizeof *out];
    for (size_t done = 0; done < sizeof bytes;) {
        const struct page *page = page_at(unwinder, address + done);
        size_t at = (address + done) & (PAGE_BYTES - 1);
        size_t count =
            PAGE_BYTES - at < sizeof bytes - done ? PAGE_BYTES - at : sizeof bytes - done;
        if (page == NULL) {
            return false;
        }
        memcpy(bytes + done, page->bytes + at, count);
        done += count;
    }
    *out = load_u64(bytes);
    return true;
}

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
                         void *context) {
    struct unwinder *unwinder = context;
    const struct stack_copy *stack = unwinder->stack;
    (void)space;
    if (write != 0) {
        return -UNW_EINVAL;
    }
    if (stack != NULL && address >= stack->at && address - stack->at < stack->count &&
        stack->count - (address - stack->at) >= sizeof *value) {
        *value = load_u64(stack->bytes + (address - stack->at));
        return 0;
    }
    bool is_known = modules_find(&unwinder->modules, address) != NULL &&
                    read_module_word(unwinder, address, value);
    return is_known ? 0 : -UNW_EINVAL;
}

/* libunwind's numbers for the general registers are those of DWARF. */
static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value,
                           int write, void *context) {
    const struct unwinder *unwinder = context;
    (void)space;
    if (write != 0 || number < 0 || number >= REGISTER_COUNT ||
        (unwinder->registers->known >> number & 1) == 0) {
        return -UNW_EBADREG;
    }
    *value = unwinder->registers->value[number];
    return 0;
}

static int access_float(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
                        void *context) {
    (void)space, (void)number, (void)value, (void)write, (void)context;
    return -UNW_EBADREG;
}

static int find_function(unw_addr_space_t space, unw_word_t pc, unw_proc_info_t *out,
                         int need_unwind_info, void *context) {
    const struct unwinder *unwinder = context;
    const struct module *module = modules_find(&unwinder->modules, pc);
    if (module == NULL || module->unwind_table == 0) {
        return -UNW_ENOINFO;
    }
    unw_dyn_info_t table = {
        .start_ip = module->start,
        .end_ip = module->end,
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .u.rti = {.segbase = module->unwind_header,
                  .table_data = module->unwind_table,
                  .table_len = module->unwind_count * ENTRY_WORDS},
    };
    return UNW_OBJ(dwarf_search_unwind_table)(space, pc, &table, out, need_unwind_info, context);
}

/* What the search finds is libunwind's own, and it frees it. */
static void forget_function(unw_addr_space_t space, unw_proc_info_t *info, void *context) {
    (void)space, (void)info, (void)context;
}

static int find_list(unw_addr_space_t space, unw_word_t *address, void *context) {
    (void)space, (void)address, (void)context;
    return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *context) {
    (void)space, (void)cursor, (void)context;
    return -UNW_EINVAL;
}

static int name_function(unw_addr_space_t space, unw_word_t address, char *out, size_t bytes,
                         unw_word_t *offset, void *context) {
    (void)space, (void)address, (void)out, (void)bytes, (void)offset, (void)context;
    return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
    .find_proc_info = find_function,
    .put_unwind_info = forget_function,
    .get_dyn_info_list_addr = find_list,
    .access_mem = access_memory,
    .access_reg = access_register,
    .access_fpreg = access_float,
    .resume = resume,
    .get_proc_name = name_function,
};

/* ---- what is mapped ---- */

static void forget(struct unwinder *unwinder) {
    modules_free(&unwinder->modules);
    table_deinit(&unwinder->pages);
    table_init(&unwinder->pages, sizeof(struct page), offsetof(struct page, is_there));
    unw_flush_cache(unwinder->space, 0, 0);
}

/* When the process is ending there is nothing mapped, and nothing is found. */
static void learn(struct unwinder *unwinder, uint64_t now_ns) {
    forget(unwinder);
    enum status status = modules_read(&unwinder->modules, unwinder->process, unwinder->memory);
    (void)status;
    unwinder->refreshed_ns = now_ns;
}

bool unwinder_refresh(struct unwinder *unwinder, uint64_t now_ns) {
    if (now_ns < unwinder->refreshed_ns + REFRESH_MS * NS_PER_MS) {
        return false;
    }
    learn(unwinder, now_ns);
    return true;
}

const struct modules *unwinder_modules(const struct unwinder *unwinder) {
    return &unwinder->modules;
}

/* ---- unwinding ---- */

static void push(struct native_stack *stack, struct native_frame frame) {
    if (stack->count == stack->capacity) {
        stack->frames =
            memory_grow(stack->frames, sizeof *stack->frames, stack->count + 1, &stack->capacity);
    }
    stack->frames[stack->count++] = frame;
}

/* The frame that the cursor is at. False when it is none: a stack only grows one way. */
static bool take_frame(unw_cursor_t *cursor, struct native_stack *out, bool is_call) {
    unw_word_t pc;
    unw_word_t sp;
    bool is_known = unw_get_reg(cursor, UNW_X86_64_RIP, &pc) == 0 &&
                    unw_get_reg(cursor, UNW_X86_64_RSP, &sp) == 0;
    if (!is_known || pc == 0 || (out->count > 0 && sp <= out->frames[out->count - 1].sp)) {
        return false;
    }
    push(out, (struct native_frame){.pc = pc, .sp = sp, .is_call = is_call});
    return true;
}

/* Where the unwind tables say nothing libunwind guesses, and ends when it has nothing to guess by:
 * only an end that a table tells is one. */
static bool is_told(struct unwinder *unwinder, const struct native_stack *stack) {
    const struct native_frame *last = &stack->frames[stack->count - 1];
    return unwinder_function(unwinder, last->pc - (last->is_call ? 1 : 0)) != 0;
}

void unwinder_unwind(struct unwinder *unwinder, const struct registers *registers,
                     const struct stack_copy *stack, struct native_stack *out) {
    unw_cursor_t cursor;
    bool is_call = false;
    int more = 0;
    out->count = 0;
    out->is_whole = false;
    unwinder->registers = registers;
    unwinder->stack = stack;
    if (unw_init_remote(&cursor, unwinder->space, unwinder) == 0) {
        do {
            if (!take_frame(&cursor, out, is_call)) {
                more = -1;
                break;
            }
            is_call = unw_is_signal_frame(&cursor) <= 0;
            more = unw_step(&cursor);
        } while (more > 0 && out->count < FRAME_LIMIT);
        out->is_whole = more == 0 && out->count > 0 && is_told(unwinder, out);
    }
    unwinder->registers = NULL;
    unwinder->stack = NULL;
}

uint64_t unwinder_function(struct unwinder *unwinder, uint64_t pc) {
    unw_proc_info_t info;
    return find_function(unwinder->space, pc, &info, 0, unwinder) == 0 ? info.start_ip : 0;
}

/* ---- life ---- */

struct unwinder *unwinder_create(const struct process *process, struct memory *memory) {
    struct unwinder *unwinder = memory_zeroed(1, sizeof *unwinder);
    unwinder->process = process;
    unwinder->memory = memory;
    unwinder->space = unw_create_addr_space(&accessors, 0);
    if (unwinder->space == NULL) {
        free(unwinder);
        return NULL;
    }
    unw_set_caching_policy(unwinder->space, UNW_CACHE_GLOBAL);
    learn(unwinder, clock_monotonic_ns());
    return unwinder;
}

void unwinder_destroy(struct unwinder *unwinder) {
    if (unwinder != NULL) {
        modules_free(&unwinder->modules);
        table_deinit(&unwinder->pages);
        unw_destroy_addr_space(unwinder->space);
        free(unwinder);
    }
}
