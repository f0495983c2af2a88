#include "profiler/model/origin.h"

#include <stddef.h>
#include <string.h>

/* Whether the path has a folder of this name. */
static bool has_folder(const char *path, const char *folder) {
    size_t bytes = strlen(folder);
    for (const char *at = strstr(path, folder); at; at = strstr(at + 1, folder)) {
        if ((at == path || at[-1] == '/') && at[bytes] == '/') {
            return true;
        }
    }
    return false;
}

bool origin_is_library(const char *file) {
    return has_folder(file, "site-packages") || has_folder(file, "dist-packages");
}

/* Whether `at` begins with a version and the end of a folder's name: "3.11/", "3.13t/", or of the
 * zip file that an embedded Python has: "311.zip/". */
static bool has_version(const char *at) {
    size_t digits = strspn(at, "0123456789.");
    at += digits;
    if (digits > 0 && strncmp(at - 1, ".zip/", 5) == 0) {
        return true;
    }
    at += *at == 't';
    return digits > 0 && *at == '/';
}

/* The importer's own modules are "<frozen importlib._bootstrap>", the others lie in lib/python3.N,
 * or lib64/python3.N. */
bool origin_is_standard(const char *file) {
    static const char folder[] = "/python";
    for (const char *at = strstr(file, folder); at; at = strstr(at + 1, folder)) {
        bool is_in_lib = (at - file >= 3 && strncmp(at - 3, "lib", 3) == 0) ||
                         (at - file >= 5 && strncmp(at - 5, "lib64", 5) == 0);
        if (is_in_lib && has_version(at + strlen(folder))) {
            return true;
        }
    }
    return strncmp(file, "<frozen ", 8) == 0;
}
