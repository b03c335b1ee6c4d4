# SPDX-License-Identifier: ISC
# agent-utils. make, make check, make lint, make install PREFIX=/usr DESTDIR=...
# DEVELOPER=1 makes warnings errors; SAN=1 builds with ASan and UBSan into its own folders;
# TEMPORAL=no leaves out the Temporal engine, and what only it needs.

PREFIX ?= /usr/local
CC ?= cc
VERSION = 0.1.0
TEMPORAL ?= yes
FUZZER = $(filter fuzzer,$(SAN))
KIND = $(if $(SAN),-$(SAN:1=san))$(addprefix -,$(filter clang%,$(notdir $(CC))))$(if $(filter no,$(TEMPORAL)),-lmdb)
BUILD = build$(KIND)
BIN = bin$(KIND)
V ?=
Q = $(if $(V),,@)

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wwrite-strings -Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough \
	-Wdeclaration-after-statement -Wno-missing-field-initializers $(if $(DEVELOPER),-Werror)
# Of what hardens, as much as the compiler takes for the machine.
takes = $(shell $(CC) $(1) -Werror -fsyntax-only -x c /dev/null 2>/dev/null && echo '$(1)')
ZERO = -ftrivial-auto-var-init=zero
HARDEN = $(eval HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIC \
	$(foreach flag,-fstack-clash-protection -fcf-protection,$(call takes,$(flag))) \
	$(or $(call takes,$(ZERO)),$(call takes,$(ZERO) \
		-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)))$(HARDEN)
ifdef SAN
# LeakSanitizer of gcc 12 can crash on the TLS blocks of libraries loaded later, which it tracks by
# this interception; without it they are found through the loader all the same.
export ASAN_OPTIONS ?= intercept_tls_get_addr=0
endif
SANITIZE = -fsanitize=address,undefined $(if $(FUZZER),-fsanitize=fuzzer-no-link) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS ?= -O2 -g
GEN = $(BUILD)/gen
CPPFLAGS += -I. -isystem $(GEN) -D_GNU_SOURCE -DAGENT_VERSION='"$(VERSION)"' -include common/base/banned.h
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARN) $(if $(SAN),$(SANITIZE) -fPIC,$(HARDEN)) -ffunction-sections -fdata-sections -fvisibility=hidden
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,--gc-sections,--as-needed $(if $(SAN),$(SANITIZE)) $(LDFLAGS)
# Small libraries are linked statically: that is cheaper than to load them at every start.
LIBS = -Wl,-Bstatic -llmdb -lyaml -lnettle -lfcgi -Wl,-Bdynamic -lcjson -lcurl $(if $(HAVE_TEMPORAL),-lprotobuf-c) -lc -lm
STANDIN_CFLAGS := $(shell pkg-config --cflags gmime-3.0 libmicrohttpd 2>/dev/null | sed 's/-I/-isystem /g')
STANDIN_LIBS := $(shell pkg-config --libs gmime-3.0 libmicrohttpd 2>/dev/null)

HAVE_TEMPORAL = $(filter-out no,$(TEMPORAL))
SOURCES = $(wildcard common/*/*.c cmd/*.c cmd/standin/*.c cmd/standin/*/*.c tests/*/*.c tests/*/*/*.c)
COMMON = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(if $(HAVE_TEMPORAL),,common/temporal/%),$(wildcard common/*/*.c)))
STANDIN = $(patsubst %.c,$(BUILD)/%.o,$(wildcard cmd/standin/*.c cmd/standin/*/*.c))
PROGRAMS = $(patsubst cmd/%.c,$(BIN)/%,$(wildcard cmd/*.c))
SCRIPTS = $(patsubst cmd/%.sh,$(BIN)/%,$(wildcard cmd/*.sh))
FUZZ = $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/unit/fuzz/%,$(filter-out $(if $(HAVE_TEMPORAL),,%_history.c),$(wildcard tests/fuzz/fuzz_*.c)))
UNIT = $(FUZZ) $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(filter-out $(if $(HAVE_TEMPORAL),,tests/unit/temporal/%),$(wildcard tests/unit/*/test_*.c)))
INTEROP = $(if $(HAVE_TEMPORAL),$(patsubst tests/interop/%.c,$(BUILD)/interop/%,$(wildcard tests/interop/*.c)))
FAULT = $(patsubst tests/fault/%.c,$(BUILD)/fault/%.so,$(wildcard tests/fault/*.c))
# Engines that are loaded when their name is used, each with its own copy of common/.
OBJECTS = $(if $(HAVE_TEMPORAL),$(BIN)/engine_temporal.so)
BENCH = $(patsubst tests/bench/bench_%.c,$(BUILD)/bench/%,$(wildcard tests/bench/bench_*.c))
MAN = $(wildcard man/*.[1-8])

all: $(PROGRAMS) $(SCRIPTS) $(OBJECTS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "cc $<")
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(if $(findstring cmd/standin/,$<)$(findstring fuzz_script,$<),$(STANDIN_CFLAGS)) -MMD -MP -c -o $@ $<

$(GEN)/temporal.pb-c.c $(GEN)/temporal.pb-c.h &: common/temporal/temporal.proto
	@mkdir -p $(GEN)
	$(Q)protoc-c --c_out=$(GEN) --proto_path=$(<D) $(<F)

$(GEN)/%.o: $(GEN)/%.c Makefile
	$(if $(Q),@echo "cc $<")
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -w -c -o $@ $<

$(filter $(BUILD)/common/temporal/%,$(COMMON)) $(BUILD)/tests/unit/temporal/test_history.o \
	$(BUILD)/tests/fuzz/fuzz_history.o \
	$(patsubst $(BUILD)/interop/%,$(BUILD)/tests/interop/%.o,$(INTEROP)): | $(GEN)/temporal.pb-c.h

$(BUILD)/libcommon.a: $(COMMON) $(if $(HAVE_TEMPORAL),$(GEN)/temporal.pb-c.o)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BIN)/agent-standin: $(BUILD)/cmd/agent-standin.o $(STANDIN) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(STANDIN_LIBS) $(LIBS)

$(BIN)/%: $(BUILD)/cmd/%.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BIN)/engine_%.so: $(BUILD)/common/%/engine.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(subst -pie,-shared,$(ALL_LDFLAGS)) -o $@ $^ $(LIBS)

$(BIN)/%: cmd/%.sh
	@mkdir -p $(@D)
	$(Q)sed 's/@VERSION@/$(VERSION)/' $< >$@.new && chmod 755 $@.new && mv $@.new $@

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libcommon.a -lcmocka $(LIBS)

$(BUILD)/unit/agent/test_agent $(BUILD)/unit/agent/test_budget $(BUILD)/unit/agent/test_cache $(BUILD)/unit/agent/test_journal $(BUILD)/unit/agent/test_world: \
	$(BUILD)/tests/unit/agent/agent_driver.o
$(BUILD)/unit/agent/test_journal: $(BUILD)/tests/fuzz/fuzz_journal.o

# An entry of a parser and its seeds; SAN=fuzzer links libFuzzer in place of the replay.
$(BUILD)/unit/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz.o \
		$(if $(FUZZER),,$(BUILD)/tests/fuzz/replay.o) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) \
		$(BUILD)/libcommon.a $(if $(findstring script,$@),$(STANDIN_LIBS)) $(LIBS)

$(BUILD)/unit/fuzz/journal: $(BUILD)/tests/unit/agent/agent_driver.o
$(BUILD)/unit/fuzz/script: $(STANDIN)

$(BUILD)/interop/%: $(BUILD)/tests/interop/%.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(BUILD)/bench/floor-request: $(BUILD)/tests/bench/floor_request.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcurl

$(BUILD)/bench/floor-read: $(BUILD)/tests/bench/floor_read.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -llmdb

$(BUILD)/bench/%: $(BUILD)/tests/bench/bench_%.o $(BUILD)/tests/bench/measure.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -llmdb

$(BUILD)/fault/%.so: tests/fault/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 $(CFLAGS) $(WARN) -fPIC -shared -o $@ $< -ldl

unit: $(UNIT) $(BUILD)/unit/store/store_tool $(INTEROP)
fault: $(FAULT)

# Unit tests and the shell tests, offline, JOBS at a time. LONG=1 takes longer and looks closer;
# TAP_DIR keeps the output of each test there, for scripts/tap-count. SETS names some only, by
# what they need; TESTS names single ones. Tests that run none of our C gain nothing from the sanitizers.
JOBS ?= 2
SETS ?= unit shell page temporal kubernetes
NO_C = $(patsubst %,tests/%.t,06-not-here 07-check 08-lmdb-only 09-lint 70-control-plane 80-web-unit \
	92-local-cluster 93-manifests)
SET_unit = $(UNIT)
SET_page = $(wildcard tests/*-web-*.t)
SET_temporal = $(if $(HAVE_TEMPORAL),$(wildcard tests/*-temporal*.t))
SET_kubernetes = tests/70-control-plane.t tests/93-manifests.t
SET_shell = $(filter-out $(SET_page) $(wildcard tests/*-temporal*.t) $(SET_kubernetes),$(wildcard tests/*.t))
SET_clients = $(filter-out %/images-twice.t,$(wildcard tests/interop/*.t))
TESTS ?= $(filter-out $(if $(SAN),$(NO_C)),$(foreach set,$(SETS),$(SET_$(set))))
check: all unit fault
	BIN=$(CURDIR)/$(BIN) BUILD=$(CURDIR)/$(BUILD) LONG=$(LONG) prove -j$(JOBS) --timer \
		--exec '$(if $(TAP_DIR),scripts/tap-keep $(TAP_DIR))' $(TESTS)

# Whether CC takes every source, with the headers of this machine's libraries: for the compiler
# of a machine whose libraries are not here (CC=aarch64-linux-gnu-gcc).
syntax: $(GEN)/temporal.pb-c.h
	$(Q)printf '%s\n' $(SOURCES) | xargs -n 20 -P $(JOBS) $(CC) $(CPPFLAGS) $(STANDIN_CFLAGS) $(ALL_CFLAGS) \
		-fsyntax-only -idirafter /usr/include/$(shell gcc -print-multiarch)

# The parsers under libFuzzer, FUZZ_SECONDS each; NAMES are some of them.
fuzz-programs: $(FUZZ)
fuzz:
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) scripts/fuzz $(NAMES)

# The web page, into cmd/web/out.
web:
	scripts/web-build

# The tests of the worker on a Temporal server of their own each: the same files as above, or TESTS.
check-temporal: all fault
	BIN=$(CURDIR)/$(BIN) BUILD=$(CURDIR)/$(BUILD) ENGINE=temporal prove -j$(JOBS) --timer \
		--exec '$(if $(TAP_DIR),scripts/tap-keep $(TAP_DIR))' $(if $(filter file,$(origin TESTS)),\
		$(wildcard tests/4?-*.t tests/5[01]-*.t tests/54-waits.t tests/55-*.t),$(TESTS))

# The whole system in pods, as root, for minutes; PARTS names some of it.
interop-k8s: all
	BIN=$(CURDIR)/$(BIN) BUILD=$(CURDIR)/$(BUILD) prove -v --exec sh tests/interop/kubernetes.sh

lint: all
	scripts/lint

# FIGURES="submit start" measures only these.
bench-programs: all fault $(BENCH) $(BUILD)/bench/floor-request $(BUILD)/bench/floor-read
bench: bench-programs
	BIN=$(CURDIR)/$(BIN) BUILD=$(CURDIR)/$(BUILD) scripts/bench $(FIGURES)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/agent-utils
	install -m 755 $(PROGRAMS) $(SCRIPTS) $(DESTDIR)$(PREFIX)/bin
	$(if $(OBJECTS),install -d $(DESTDIR)$(PREFIX)/lib/agent-utils)
	$(if $(OBJECTS),install -m 644 $(OBJECTS) $(DESTDIR)$(PREFIX)/lib/agent-utils)
	install -m 644 man/agent-task.schema.json cmd/gateway/openapi.json cmd/gateway/*.conf \
		$(DESTDIR)$(PREFIX)/share/agent-utils
	install -d $(DESTDIR)$(PREFIX)/share/agent-utils/errors
	install -m 644 cmd/gateway/errors/*.html $(DESTDIR)$(PREFIX)/share/agent-utils/errors
	if [ -e cmd/web/out/index.html ]; then \
		install -d $(DESTDIR)$(PREFIX)/share/agent-utils/web && \
		cp -R cmd/web/out/. $(DESTDIR)$(PREFIX)/share/agent-utils/web; \
	fi
	for page in $(MAN); do \
		folder=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		install -d $$folder && install -m 644 $$page $$folder || exit 1; \
	done

clean:
	rm -rf build build-* bin bin-* cmd/web/out

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)
.PHONY: all unit fault check syntax fuzz fuzz-programs interop-k8s check-temporal lint bench bench-programs web install clean
.SECONDARY:
