/* Keys as panels see them: a character is its code point, and what is none is one of these. */
#ifndef PYROMETER_TUI_KEYS_H
#define PYROMETER_TUI_KEYS_H

enum press {
    PRESS_TAB = '\t',
    PRESS_ENTER = '\n',
    PRESS_ESCAPE = 27,
    PRESS_BACKSPACE = 127,
    PRESS_NONE = 0x110000, /* past the last code point */
    PRESS_RESIZE,
    PRESS_CLOSED, /* the terminal is gone */
    PRESS_UP,
    PRESS_DOWN,
    PRESS_LEFT,
    PRESS_RIGHT,
    PRESS_PAGE_UP,
    PRESS_PAGE_DOWN,
    PRESS_HOME,
    PRESS_END,
    PRESS_BACK_TAB,
    PRESS_CLICK, /* of the mouse: view.pointer_row and _column tell where */
    PRESS_WHEEL_UP,
    PRESS_WHEEL_DOWN,
    PRESS_F1,
    PRESS_F10 = PRESS_F1 + 9,
};

#endif
