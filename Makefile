# Pyrometer. `make help` lists what can be asked for.

# --- Settings: make NAME=VALUE ---------------------------------------------------------------------
VERSION    = 0.1.0
# Optimisation and debug information of every object; yours to change.
CFLAGS     = -O2 -g
SAN        = # sanitizers to build with, e.g. SAN=address,undefined
DEV        = # DEV=1 turns the developers' warnings on, as errors; off for packagers
V          = # V=1 shows the commands
# Where `make install` puts things; DESTDIR is put in front, for packagers.
PREFIX     = /usr/local
DESTDIR    =
PKG_CONFIG = pkg-config
PYTHON     = python3
# What `make test` builds with, one after the other.
GCC        = gcc
CLANG      = clang
SANITIZERS = address,undefined

# --- What follows from them ------------------------------------------------------------------------
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wpointer-arith -Wwrite-strings \
           -Wcast-qual -Wformat=2 -Wswitch-enum -Wno-enum-float-conversion

comma  := ,
dashed  = $(subst $(comma),-,$(1))
CONFIG := $(notdir $(firstword $(CC)))$(if $(SAN),-$(call dashed,$(SAN)))$(if $(DEV),-dev)
BUILD  := build/$(CONFIG)
QUIET  := $(if $(V),,@)

PACKAGES := libelf libcjson ncursesw libprotobuf-c zlib libzstd libunwind-generic
LIBS      = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -liberty -lm
# Include folders only: the macros that ncursesw asks for would hide POSIX 2008.
INCLUDES := -I. -I$(BUILD)/made $(shell $(PKG_CONFIG) --cflags-only-I $(PACKAGES) 2>/dev/null)

FLAGS_C  := -std=gnu11 -pthread $(INCLUDES) -DPYROMETER_VERSION='"$(VERSION)"' $(if $(DEV),$(WARNINGS)) \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
COMPILE   = $(CC) $(CPPFLAGS) $(FLAGS_C) $(CFLAGS)
LINK      = $(CC) -pthread $(if $(SAN),-fsanitize=$(SAN)) $(CFLAGS) $(LDFLAGS)

FOLDERS := profiler profiler/base profiler/dump profiler/model profiler/recording reader target-runtime target-runtime/layouts target-runtime/opcodes exporters tui
OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(FOLDERS:=/*.c)))
MAIN    := $(BUILD)/profiler/main.o
LIBRARY := $(BUILD)/libpyrometer.a
PROTO   := $(BUILD)/made/exporters/profile.pb-c

# Each tests/unit/test_*.c is a program, and what the others there hold is linked into all of them.
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
SHARED  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
GOLDEN  := $(patsubst tests/golden/%.c,$(BUILD)/tests/%,$(wildcard tests/golden/*.c))

.DELETE_ON_ERROR .SECONDARY:
.PHONY: all help programs deps demo check test test-all built-for-tests lint fuzz bench bench-peers install uninstall clean FORCE

all: ## install what the build needs, and build build/pyrometer (the default)
	$(QUIET)tests/setup/deps.sh build
	$(QUIET)$(MAKE) --no-print-directory build/pyrometer

help: ## this list
	$(QUIET)awk -F ':.*## ' '/^[a-z][a-z\/-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# --- Building --------------------------------------------------------------------------------------
build/pyrometer: $(BUILD)/pyrometer FORCE ## the program, as last configured; installs nothing
	@cmp -s $< $@ || { cp $< $@.new && mv $@.new $@; }

$(BUILD)/pyrometer: $(MAIN) $(LIBRARY)
	@echo "  LD   $@"
	$(QUIET)$(LINK) $^ $(LIBS) -o $@

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS)) $(PROTO).o $(BUILD)/members
	@echo "  AR   $@"
	$(QUIET)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

programs: $(TESTS) $(GOLDEN) ## the programs that tests are, or use
$(TESTS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(SHARED)
$(GOLDEN): $(BUILD)/tests/%: $(BUILD)/tests/golden/%.o
$(BUILD)/tests/libfuzzer: $(BUILD)/tests/fuzz/libfuzzer.o $(SHARED)
$(TESTS) $(GOLDEN) $(BUILD)/tests/libfuzzer: $(LIBRARY)
	@echo "  LD   $@"
	$(QUIET)$(LINK) $(filter %.o,$^) $(LIBRARY) $(shell $(PKG_CONFIG) --libs cmocka) $(LIBS) -o $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC   $<"
	$(QUIET)$(COMPILE) -MMD -MP -c $< -o $@

$(PROTO).c $(PROTO).h &: exporters/profile.proto
	$(QUIET)mkdir -p $(@D) && protoc-c --c_out=$(BUILD)/made $<
$(PROTO).o: CPPFLAGS += $(INCLUDES)
$(BUILD)/exporters/pprof.o: $(PROTO).h

# .incbin is invisible to -MMD.
$(filter $(BUILD)/exporters/%.o,$(OBJECTS)): $(wildcard exporters/*/*)

# Other flags make other objects, and fewer sources another library.
$(BUILD)/flags: export STAMP = $(COMPILE) $(LINK)
$(BUILD)/members: export STAMP = $(OBJECTS)
$(BUILD)/flags $(BUILD)/members: FORCE
	@mkdir -p $(@D) && printenv STAMP | cmp -s - $@ || printenv STAMP >$@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- Trying and testing ----------------------------------------------------------------------------
DEV_BUILD   = build/$(GCC)-dev
SAN_BUILD   = build/$(GCC)-$(call dashed,$(SANITIZERS))-dev
CLANG_BUILD = build/$(CLANG)-dev
# $(call build,COMPILER,SANITIZERS), $(call suites,GROUPS,BUILDS)
build       = $(MAKE) --no-print-directory DEV=1 CC=$(1) SAN=$(2) build/pyrometer programs
suites      = $(foreach build,$(2),$(addsuffix @$(build),$(1)))
EVERYTHING  = $(call suites,setup unit golden live browser fuzz,$(DEV_BUILD))
C_FILES    := $(sort $(wildcard $(addsuffix /*.[ch],$(FOLDERS) tests/*)))

deps: ## install what building and testing need
	$(QUIET)tests/setup/deps.sh build test browser
demo: all ## profile a small program, and leave its flame graph in build/demo
	$(QUIET)tests/demo/demo.sh
lint: ## style, layers, headers, words
	$(QUIET)tests/lint/format.sh $(C_FILES) && tests/lint/layers.sh $(C_FILES) && tests/lint/text.sh
	$(QUIET)tests/lint/headers.sh $(filter %.h,$(C_FILES)) -- $(GCC) $(FLAGS_C) $(WARNINGS)
check: ## build with the warnings on, and run the unit and golden tests
	$(QUIET)$(call build,$(GCC),)
	$(QUIET)$(PYTHON) tests/run.py $(call suites,unit golden,$(DEV_BUILD))

# A Python that could not be had is a failed test of the group setup.
built-for-tests: deps
	$(QUIET)$(MAKE) --no-print-directory lint
	$(QUIET)$(call build,$(GCC),$(SANITIZERS)) && $(call build,$(CLANG),) && $(call build,$(GCC),)
	-$(QUIET)$(PYTHON) tests/setup/roots.py

test: built-for-tests ## what CI runs: lint, both compilers, sanitizers, every test
	$(QUIET)$(PYTHON) tests/run.py $(EVERYTHING) $(call suites,unit golden,$(SAN_BUILD) $(CLANG_BUILD))
test-all: built-for-tests ## the same with every test in every build, and the long set
	-$(QUIET)tests/setup/freethreaded.sh; $(PYTHON) tests/apps/packages.py
	$(QUIET)PYROMETER_LONG=1 $(PYTHON) tests/run.py $(EVERYTHING) apps@$(DEV_BUILD) $(call suites,unit golden live,$(SAN_BUILD) $(CLANG_BUILD))
fuzz: ## ten minutes of libFuzzer for what reads recordings
	$(QUIET)CLANG=$(CLANG) tests/fuzz/fuzz.sh 600
bench: all ## measure against the peers there are: make bench BENCH='--only rate'
	$(QUIET)$(PYTHON) tests/setup/roots.py; $(PYTHON) tests/bench/bench.py $(BENCH)
bench-peers: ## install the peers to measure against, into the cache
	$(QUIET)$(PYTHON) tests/bench/peers.py

# --- Installing ------------------------------------------------------------------------------------
install: build/pyrometer ## into PREFIX, below DESTDIR
	install -D build/pyrometer $(DESTDIR)$(PREFIX)/bin/pyrometer
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/pyrometer/LICENSE
	for page in $(wildcard docs/*.1); do install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $$page; done
uninstall: ## what install put there
	cd $(DESTDIR)$(PREFIX) && rm -rf bin/pyrometer share/man/man1/pyrometer.1 share/doc/pyrometer
clean: ## all results of building
	rm -rf build
