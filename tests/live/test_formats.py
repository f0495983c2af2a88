#!/usr/bin/env python3
"""One run, written in every format: each tells the same samples of the same functions. A format that
has no reader here fails."""

import sys

from harness import case, expect_equal, main, three
from readers import BY_SAMPLES, BY_TIME, EXTENSIONS, OF_TWO, OTHERS, PAGES, expect_all_the_same, formats

SECONDS = 5


@case()
def every_format_has_a_reader(_work):
    expect_equal(formats(), {*BY_SAMPLES, *BY_TIME, *OTHERS, *PAGES, *OF_TWO}, "formats")


@case(over=three)
def all_tell_the_same(work, interpreter):
    def path_of(extension):
        return work.out / f"run{extension}"

    target = work.target(interpreter, "shares.py")
    outputs = [word for extension in EXTENSIONS for word in ("-o", path_of(extension))]
    _, stats = work.profile("attach", target.pid, "-d", SECONDS, *outputs)
    expect_equal(expect_all_the_same(path_of, work), stats["samples"], "samples in the files and in the statistics")


if __name__ == "__main__":
    sys.exit(main())
