#include "tui/glyphs.h"

const struct glyphs glyphs_unicode = {
    .levels = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
    .widths = {"▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
    .between = " · ",
    .rising = "▲",
    .falling = "▼",
    .open = "▾",
    .closed = "▸",
    .down = "▼",
    .up = "▲",
};

const struct glyphs glyphs_ascii = {
    .levels = {"_", ".", "-", "=", "+", "*", "%", "#"},
    .widths = {" ", " ", "-", "-", "=", "=", "#", "#"},
    .between = ", ",
    .rising = "^",
    .falling = "v",
    .open = "-",
    .closed = "+",
    .down = "v",
    .up = "^",
};
