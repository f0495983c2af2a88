/* A fixed model of a running profile, for tests of what is drawn of it. */
#ifndef PYROMETER_TESTS_SCENE_H
#define PYROMETER_TESTS_SCENE_H

#include "tui/view.h"

struct scene {
    struct trace trace;
    struct table cells;
    struct table waits;
    struct roll roll;
    struct view view;
};

void scene_open(struct scene *scene, const struct glyphs *glyphs);
void scene_close(struct scene *scene);

/* The function of this name; fails the test if there is none. */
struct function_id scene_function(const struct trace *trace, const char *name);
/* Appends the whole picture as text. */
void scene_picture(struct view *view, int rows, int columns, struct buffer *out);
/* Fails the test unless the picture at 80x24 has this text in it, or has not. */
void scene_assert_shows(struct view *view, const char *what, bool is_there);
/* Does what these keys do, one after the other. */
void scene_press(struct view *view, const char *keys);

#endif
