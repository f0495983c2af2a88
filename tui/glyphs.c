#include "tui/glyphs.h"

const struct glyphs glyphs_unicode = {
    .levels = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
    .rising = "▲",
    .falling = "▼",
    .open = "▾",
    .closed = "▸",
    .down = "▼",
    .up = "▲",
};

const struct glyphs glyphs_ascii = {
    .levels = {"_", ".", "-", "=", "+", "*", "%", "#"},
    .rising = "^",
    .falling = "v",
    .open = "-",
    .closed = "+",
    .down = "v",
    .up = "^",
};
