/* What is drawn with: in Unicode, and for terminals that know only ASCII. */
#ifndef PYROMETER_TUI_GLYPHS_H
#define PYROMETER_TUI_GLYPHS_H

enum { GLYPH_LEVELS = 8 };

struct glyphs {
    const char *levels[GLYPH_LEVELS]; /* bars, from low to high */
    const char *widths[GLYPH_LEVELS]; /* bars that lie, from short to long */
    const char *between;              /* words of one line */
    const char *rising;
    const char *falling;
    const char *open;   /* before what can be folded */
    const char *closed; /* before what can be unfolded */
    const char *down;   /* in the title of the column by which a list is sorted, falling */
    const char *up;
};

extern const struct glyphs glyphs_unicode;
extern const struct glyphs glyphs_ascii;

#endif
