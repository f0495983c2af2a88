#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "tui/screen.h"

#include <langinfo.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>
#include <term.h>
#undef columns /* a macro of term.h, for nothing that is used here */

#include "tui/keys.h"

enum { ESCAPE_WAIT_MS = 25, EMPTY_READS_MAX = 50, RESTORE_BYTES = 256 };

/* How styles look with colours, and without. */
static const struct look {
    short ink; /* -1: the terminal's own */
    short paper;
    attr_t attributes;
    attr_t plain; /* attributes where there are no colours */
} looks[STYLES] = {
    [STYLE_PLAIN] = {-1, -1, A_NORMAL, A_NORMAL},
    [STYLE_DIM] = {-1, -1, A_DIM, A_DIM},
    [STYLE_BOLD] = {-1, -1, A_BOLD, A_BOLD},
    [STYLE_TITLE] = {COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_REVERSE},
    [STYLE_CURSOR] = {COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE | A_BOLD},
    [STYLE_KEY] = {-1, -1, A_BOLD, A_BOLD},
    [STYLE_ACTION] = {COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE},
    [STYLE_NAME] = {-1, -1, A_BOLD, A_BOLD},
    [STYLE_PLACE] = {COLOR_CYAN, -1, A_NORMAL, A_NORMAL},
    [STYLE_HOT] = {COLOR_RED, -1, A_BOLD, A_BOLD},
    [STYLE_WARM] = {COLOR_YELLOW, -1, A_NORMAL, A_NORMAL},
    [STYLE_GOOD] = {COLOR_GREEN, -1, A_NORMAL, A_NORMAL},
    [STYLE_BAD] = {COLOR_RED, -1, A_BOLD, A_BOLD},
    [STYLE_FLAME] = {COLOR_BLACK, COLOR_RED, A_NORMAL, A_REVERSE},
    [STYLE_FLAME + 1] = {COLOR_BLACK, COLOR_YELLOW, A_NORMAL, A_REVERSE},
    [STYLE_FLAME + 2] = {COLOR_BLACK, COLOR_MAGENTA, A_NORMAL, A_REVERSE},
    [STYLE_FLAME + 3] = {COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_REVERSE},
    [STYLE_FLAME + 4] = {COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE},
    [STYLE_FLAME_LAST] = {COLOR_BLACK, COLOR_WHITE, A_NORMAL, A_REVERSE},
};

static struct {
    SCREEN *curses;
    bool has_colours;
    struct grid shown; /* what is on the terminal */
    int empty_reads;   /* in a row */
    int pointer_row;
    int pointer_column;
} screen;

/* ---- leaving it as it was ---- */

static volatile sig_atomic_t is_taken;
static struct termios found;
static char leave[RESTORE_BYTES];
static size_t leave_bytes;

static void note_leaving(const char *capability) {
    const char *text = tigetstr(capability);
    if (text != NULL && text != (const char *)-1 && leave_bytes + strlen(text) < sizeof leave) {
        memcpy(leave + leave_bytes, text, strlen(text));
        leave_bytes += strlen(text);
    }
}

void screen_restore(void) {
    if (is_taken) {
        is_taken = 0;
        ssize_t ignored = write(STDOUT_FILENO, leave, leave_bytes);
        (void)ignored;
        tcsetattr(STDIN_FILENO, TCSANOW, &found);
    }
}

static void on_crash(int number) {
    screen_restore();
    raise(number); /* the handler was for once */
}

static void guard_against_crashes(void) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        sigaction(crashes[i], &action, NULL);
    }
    static bool is_told;
    if (!is_told) {
        is_told = atexit(screen_restore) == 0;
    }
}

/* ---- open and close ---- */

static void start_colours(void) {
    const char *refused = getenv("NO_COLOR");
    screen.has_colours = has_colors() && (refused == NULL || *refused == '\0');
    if (!screen.has_colours) {
        return;
    }
    start_color();
    use_default_colors();
    for (short style = 0; style < STYLES; style++) {
        init_pair((short)(style + 1), looks[style].ink, looks[style].paper);
    }
}

/* Presses only: what a drag would mean is the terminal's, with Shift. */
static void take_mouse(void) {
    static const char off[] = "\033[?1006l\033[?1000l"; /* ncurses knows it, and does not tell */
    mouseinterval(0);
    if (mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL) != 0 &&
        leave_bytes + sizeof off <= sizeof leave) {
        memcpy(leave + leave_bytes, off, sizeof off - 1);
        leave_bytes += sizeof off - 1;
    }
}

static enum status refuse(struct error *error, const char *why) {
    enum status status = error_set(error, STATUS_USAGE, "%s", why);
    error->os_errno = 0;
    return status;
}

enum status screen_open(struct error *error) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &found) != 0) {
        return refuse(error, "the live view needs a terminal; attach writes profiles without one");
    }
    screen.curses = newterm(NULL, stdout, stdin);
    if (screen.curses == NULL) {
        return refuse(error, "the terminal is not one that is known by its TERM");
    }
    if (tigetstr("cup") == NULL) {
        delscreen(screen.curses);
        screen.curses = NULL;
        return refuse(error, "the terminal cannot write where it is told to: see its TERM");
    }
    leave_bytes = 0;
    note_leaving("sgr0");
    note_leaving("rmkx");
    note_leaving("cnorm");
    note_leaving("rmcup");
    is_taken = 1;
    guard_against_crashes();
    set_escdelay(ESCAPE_WAIT_MS);
    cbreak();
    noecho();
    nonl();
    curs_set(0);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    start_colours();
    take_mouse();
    return STATUS_OK;
}

void screen_close(void) {
    if (screen.curses != NULL) {
        endwin();
        is_taken = 0;
        delscreen(screen.curses);
        grid_deinit(&screen.shown);
        screen.curses = NULL;
    }
}

bool screen_knows_unicode(void) {
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void screen_size(int *rows_out, int *columns_out) {
    getmaxyx(stdscr, *rows_out, *columns_out);
}

/* ---- showing ---- */

/* What the C library takes for another width, or cannot show here, would shift the row. */
static bool is_showable(const struct cell *cell) {
    mbstate_t state = {0};
    char bytes[MB_LEN_MAX];
    return wcrtomb(bytes, (wchar_t)cell->points[0], &state) != (size_t)-1 &&
           wcwidth((wchar_t)cell->points[0]) == cell->columns;
}

static void show_cell(int row, int column, const struct cell *cell) {
    const struct look *look = &looks[cell->style];
    attr_t attributes = screen.has_colours ? look->attributes : look->plain;
    short pair = screen.has_colours ? (short)(cell->style + 1) : 0;
    wchar_t text[CELL_POINTS + 1] = {0};
    cchar_t shown;
    for (int i = 0; i < CELL_POINTS; i++) {
        text[i] = (wchar_t)cell->points[i];
    }
    if (!is_showable(cell)) {
        text[0] = L'?';
        text[1] = L'\0';
        if (cell->columns == 2) {
            setcchar(&shown, text, attributes, pair, NULL);
            mvadd_wch(row, column + 1, &shown);
        }
    }
    setcchar(&shown, text, attributes, pair, NULL);
    mvadd_wch(row, column, &shown);
}

static bool is_same_size(const struct grid *a, const struct grid *b) {
    return a->rows == b->rows && a->columns == b->columns;
}

static bool is_shown(const struct grid *grid, int row) {
    return memcmp(grid_cell(grid, row, 0), grid_cell(&screen.shown, row, 0),
                  (size_t)grid->columns * sizeof(struct cell)) == 0;
}

static void show_row(const struct grid *grid, int row) {
    for (int column = 0; column < grid->columns; column++) {
        const struct cell *cell = grid_cell(grid, row, column);
        if (cell->columns > 0) {
            show_cell(row, column, cell);
        }
    }
}

/* Rows that differ are given to ncurses, which sends the cells that do. */
void screen_show(const struct grid *grid) {
    bool is_new = !is_same_size(grid, &screen.shown);
    if (is_new) {
        grid_deinit(&screen.shown);
        grid_init(&screen.shown, grid->rows, grid->columns);
        erase();
    }
    for (int row = 0; row < grid->rows; row++) {
        if (is_new || !is_shown(grid, row)) {
            show_row(grid, row);
        }
    }
    grid_put(&screen.shown, 0, grid);
    refresh();
}

/* ---- keys ---- */

static const struct {
    int code;
    int press;
} presses[] = {
    {KEY_UP, PRESS_UP},         {KEY_DOWN, PRESS_DOWN},
    {KEY_LEFT, PRESS_LEFT},     {KEY_RIGHT, PRESS_RIGHT},
    {KEY_PPAGE, PRESS_PAGE_UP}, {KEY_NPAGE, PRESS_PAGE_DOWN},
    {KEY_HOME, PRESS_HOME},     {KEY_END, PRESS_END},
    {KEY_BTAB, PRESS_BACK_TAB}, {KEY_BACKSPACE, PRESS_BACKSPACE},
    {KEY_ENTER, PRESS_ENTER},   {KEY_RESIZE, PRESS_RESIZE},
};

static int press_of_mouse(void) {
    MEVENT event;
    if (getmouse(&event) != OK) {
        return PRESS_NONE;
    }
    screen.pointer_row = event.y;
    screen.pointer_column = event.x;
    return (event.bstate & BUTTON4_PRESSED) != 0   ? PRESS_WHEEL_UP
           : (event.bstate & BUTTON5_PRESSED) != 0 ? PRESS_WHEEL_DOWN
           : (event.bstate & BUTTON1_PRESSED) != 0 ? PRESS_CLICK
                                                   : PRESS_NONE;
}

void screen_pointer(int *row_out, int *column_out) {
    *row_out = screen.pointer_row;
    *column_out = screen.pointer_column;
}

static int press_of_code(int code) {
    if (code == KEY_MOUSE) {
        return press_of_mouse();
    }
    for (size_t i = 0; i < sizeof presses / sizeof presses[0]; i++) {
        if (presses[i].code == code) {
            return presses[i].press;
        }
    }
    return code >= KEY_F(1) && code <= KEY_F(10) ? PRESS_F1 + code - KEY_F(1) : PRESS_NONE;
}

static int press_of_character(wint_t character) {
    return character == L'\r' ? PRESS_ENTER : character == L'\b' ? PRESS_BACKSPACE : (int)character;
}

/* A key that is there already; ERR when there is none. */
static int read_now(int *press_out) {
    wint_t character;
    int kind = get_wch(&character);
    if (kind == ERR) {
        return ERR;
    }
    screen.empty_reads = 0;
    *press_out =
        kind == KEY_CODE_YES ? press_of_code((int)character) : press_of_character(character);
    return OK;
}

int screen_read_key(int wait_ms) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int press;
    if (read_now(&press) == OK) {
        return press;
    }
    int ready = poll(&input, 1, wait_ms);
    if (ready > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
        return PRESS_CLOSED;
    }
    if (read_now(&press) == OK) {
        return press;
    }
    /* A terminal that is gone is always ready and never says anything. */
    screen.empty_reads = ready > 0 ? screen.empty_reads + 1 : 0;
    return screen.empty_reads > EMPTY_READS_MAX ? PRESS_CLOSED : PRESS_NONE;
}
