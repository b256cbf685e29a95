# The front door. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Every system package that building and testing needs, and nothing else names any.
#   build:    gcc and friends for the bundled C of zstd and xz; libblkid and libclang for libblkid-rs
#   image:    pci.ids is carried in it
#   tests:    dosfstools, mtools, e2fsprogs make and check file systems; kmod is the peer of our module index,
#             pciutils that of our configuration space parser, acpica-tools of our ACPI tables;
#             gdisk checks our partition tables; strace shows which files a look opens; mmdebstrap makes the roots of
#             installed systems; grub-common reads disks with GRUB's own drivers; the peers that build images run in
#             a Debian of their own that debootstrap makes
PACKAGES := build-essential libblkid-dev libclang-dev pkg-config pci.ids dosfstools mtools e2fsprogs kmod pciutils strace acpica-tools mmdebstrap gdisk grub-common debootstrap

CACHE := $(or $(PREFLIGHT_CACHE),$(HOME)/.cache/preflight)
OUT := out
TARGET := target/x86_64-unknown-linux-gnu
CARGO_HOME_DIR := $(or $(CARGO_HOME),$(HOME)/.cargo)
export PREFLIGHT_CACHE := $(CACHE)

# CI begins with an empty checkout each time: what compiling leaves between crates and programs lies beside the cache
# there, so that dependencies are compiled once. Cargo knows what is out of date in it, and lets one build in at a time.
ifdef CI
BUILD_DIR ?= $(CACHE)/build/$(shell { rustc -vV; grep ^checksum Cargo.lock; cat Cargo.toml .cargo/config.toml; } | sha256sum | cut -c1-16)
ELSEWHERE := $(BUILD_DIR)-elsewhere
export CARGO_BUILD_BUILD_DIR := $(BUILD_DIR)
else
BUILD_DIR := $(CURDIR)/target
endif

# The same bytes from every folder and user: no build path may stand in the binary. That of the checkout does not,
# since cargo compiles from there; named here, it would have each checkout compile all dependencies again.
REMAP := --config 'target.x86_64-unknown-linux-gnu.rustflags=["--remap-path-prefix=$(BUILD_DIR)=/preflight/target","--remap-path-prefix=$(CARGO_HOME_DIR)=/cargo"]'

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:
	@missing=; for package in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null | grep -qx installed || missing+=" $$package"; done; \
	if [ -n "$$missing" ]; then \
	  install="apt-get install -y --no-install-recommends$$missing"; \
	  if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null || [ -t 0 ] && command -v sudo >/dev/null; then sudo=sudo; \
	  else echo "These packages are missing. As root: apt-get update && $$install" >&2; exit 1; fi; \
	  echo "Installing:$$missing"; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive $$install >/dev/null; fi

# cargo-nextest and cargo-deny, where the machine has none. Built outside the checkout, so that this
# project's settings do not reach them.
TOOLS := cargo-nextest@0.9.143 cargo-deny@0.20.2
export PATH := $(CACHE)/tools/bin:$(PATH)

.PHONY: tools
tools: setup
	@mkdir -p "$(CACHE)/tools"; for tool in $(TOOLS); do \
	  command -v "$${tool%@*}" >/dev/null || (cd / && flock "$(CACHE)/tools" \
	    cargo install --quiet --locked --root "$(CACHE)/tools" "$$tool"); done

# In the environment they would silently replace the flags of .cargo/config.toml.
unexport RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

PREFLIGHT := $(TARGET)/release/preflight
BUILDER := $(TARGET)/tools/image-builder
LAB := $(TARGET)/tools/lab
GOLDEN := $(TARGET)/tools/golden

.PHONY: FORCE
FORCE:

$(PREFLIGHT): FORCE | setup
	@cargo build --quiet --locked --release -p preflight $(REMAP)

# A builder of another checkout is taken as it is. The empty recipes have make look whether the programs changed.
ifneq ($(origin BUILDER),command line)
$(BUILDER): tools-profile ;
endif
$(LAB) $(GOLDEN): tools-profile ;

.PHONY: tools-profile
tools-profile: | setup
	@cargo build --quiet --locked --profile tools -p image-builder -p qemu-tests --bins

# Tools for reading installed systems. `make image WITH=lvm,mdadm,btrfs,cryptsetup` opens encrypted disks too.
# zfs comes along where the kernel has it: Proxmox's (KERNEL=FILE.deb, or KERNEL=host on a Proxmox machine), or one
# with a folder of its modules, built for the kernel of the image (MODULES_FROM=/lib/modules/RELEASE/updates/dkms).
# MICROCODE='FILE.deb ...' are packages of processor microcode. ADD_MODULES='NAME ...' are carried too, and the firmware that
# modules ask for, where FIRMWARE='FILE.deb FOLDER ...' have it.
WITH ?= lvm,mdadm,btrfs,zfs?

# `make usb REFRESH=1` fetches the current packages; else what the cache has is used, and no network is needed.
REFRESHED := $(if $(REFRESH),--refresh)

# What an image follows from besides the programs built here: variables, and the files that they name. What is missing
# among those the builder says.
RECIPE := KERNEL=$(KERNEL) WITH=$(WITH) LEVEL=$(LEVEL) MICROCODE=$(MICROCODE) ADD_MODULES=$(ADD_MODULES) FIRMWARE=$(FIRMWARE) MODULES_FROM=$(MODULES_FROM) SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH)
RUNNING := $(if $(filter host,$(KERNEL)),$(shell uname -r))
NAMED := $(filter-out host,$(KERNEL)) $(if $(RUNNING),/boot/vmlinuz-$(RUNNING) /lib/modules/$(RUNNING)) $(MICROCODE) $(FIRMWARE) $(MODULES_FROM)
$(OUT)/recipe: FORCE
	@mkdir -p $(OUT); { printf '%s\n' '$(RECIPE)'; $(if $(strip $(NAMED)),{ find -H $(NAMED) -type f -printf '%p %s %T@\n' 2>&1 || true; } | sort;) } >$@.new; \
	if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

.PHONY: image
image: $(OUT)/initramfs.img ## kernel and initramfs in out/, with what makes their size

$(OUT)/initramfs.img: $(PREFLIGHT) $(BUILDER) $(OUT)/recipe Makefile $(if $(REFRESH),FORCE)
	@$(BUILDER) initramfs $(REFRESHED) --kernel "$(or $(KERNEL),$$($(BUILDER) fetch $(REFRESHED) --unpack kernel))" --init $(PREFLIGHT) \
	  --busybox "$$($(BUILDER) fetch $(REFRESHED) --unpack busybox)" --with "$(or $(WITH),none)" $(if $(LEVEL),--level $(LEVEL)) \
	  $(foreach file,$(MICROCODE),--microcode "$(file)") \
	  $(foreach name,$(ADD_MODULES),--add-modules "$(name)") $(foreach file,$(FIRMWARE),--firmware "$(file)") \
	  $(if $(MODULES_FROM),--modules-from "$(MODULES_FROM)") --kernel-out $(OUT)/vmlinuz -o $@

.PHONY: usb
usb: $(OUT)/preflight.img ## the stick, out/preflight.img: write it to a USB stick with any tool

$(OUT)/preflight.img: $(OUT)/initramfs.img $(BUILDER) $(OUT)/recipe
	@$(BUILDER) usb $(REFRESHED) --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img -o $@

# To be downloaded. LEVEL=small makes the initramfs of a release.
.PHONY: usb-zst
usb-zst: $(OUT)/preflight.img.zst ## the stick compressed, out/preflight.img.zst

$(OUT)/preflight.img.zst: $(OUT)/initramfs.img $(BUILDER) $(OUT)/recipe
	@$(BUILDER) usb $(REFRESHED) --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img -o $@

.PHONY: iso
iso: $(OUT)/preflight.iso ## the CD, out/preflight.iso: for a drive, a remote console, Ventoy, or a stick

$(OUT)/preflight.iso: $(OUT)/initramfs.img $(BUILDER) $(OUT)/recipe
	@$(BUILDER) iso $(REFRESHED) --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img -o $@

.PHONY: netboot
netboot: image ## kernel, initramfs and a script for iPXE, with what they are from, in out/netboot
	@$(BUILDER) netboot --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img -o $(OUT)/netboot

.PHONY: run
run: image $(LAB) ## boot the image on an emulated machine with a GPU and show the assessment
	@$(LAB) run --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img

.PHONY: lab
# Nothing is built for a list but the lab itself.
ifdef MACHINE
lab: $(LAB) ## list the emulated machines and cards; with MACHINE=x CARD=y boot one here
	@$(LAB) show --machine $(MACHINE) $(if $(CARD),--card $(CARD))
	@$(MAKE) --no-print-directory image >/dev/null
	@$(LAB) run --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img \
	  --machine $(MACHINE) $(if $(CARD),--card $(CARD))
else ifdef INSTALLED
lab: image $(LAB)
	@$(LAB) run --kernel $(OUT)/vmlinuz --initramfs $(OUT)/initramfs.img $(addprefix --installed ,$(INSTALLED))
else
lab: $(LAB)
	@$(LAB) list
endif

# Only for `make mutants`.
MUTANTS := cargo-mutants@27.1.0

.PHONY: soak
soak: TOOLS += $(MUTANTS)
soak: tools image fuzz mutants ## all that takes long: make fuzz, make mutants, 100000 edits of files, all crash states, the tests of the lab that CI leaves out, 200 random machines (COUNT=n, SEED=n)
	PROPTEST_CASES=100000 cargo nextest run --locked --no-fail-fast -p plan -E 'test(edit::properties)'
	PREFLIGHT_LAB=complete cargo nextest run --locked --no-fail-fast -p qemu-tests \
	  --run-ignored ignored-only -E 'kind(test)'
	PREFLIGHT_LAB=complete PREFLIGHT_CRASH_STATES=all cargo nextest run --locked --no-fail-fast -p qemu-tests \
	  -E 'test(in_every_crash_state_of_a_commit)'
	PREFLIGHT_LAB=complete PREFLIGHT_MACHINES=$(or $(COUNT),200) PREFLIGHT_SEED=$(or $(SEED),$(shell date +%s)) \
	  cargo nextest run --locked --no-fail-fast -p qemu-tests -E 'test(random::machine_)'

# libFuzzer is told by the compiler which code an input reaches. These flags are LLVM's own, so a stable
# compiler takes them; they stand in the place of .cargo/config.toml's, for libFuzzer is not linked statically.
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares

.PHONY: fuzz
fuzz: setup ## look for bytes that break a parser, SECONDS=60 for each; one alone with PARSER=dmar
	@RUSTFLAGS="$(COVERAGE)" cargo build --quiet --locked --profile fuzz --target-dir target/fuzz \
	  -p fuzz --features engine --bin fuzz-engine
	@cargo run --quiet --locked --profile tools -p fuzz --bin fuzz -- \
	  --engine target/fuzz/x86_64-unknown-linux-gnu/fuzz/fuzz-engine --corpora $(CACHE)/fuzz \
	  --out $(OUT)/fuzz --seconds $(or $(SECONDS),60) $(if $(PARSER),--target $(PARSER))

# What is known to survive, and why, is in .cargo/mutants.toml.
.PHONY: mutants
mutants: TOOLS += $(MUTANTS)
mutants: tools ## change the group predictor in every place and see that a test fails each time
	@mkdir -p $(OUT)
	cargo mutants --package isolation --jobs 2 --timeout 120 --test-tool nextest --output $(OUT)

.PHONY: check
check: tools ## formatting, lints and unit tests: the fast inner loop
	cargo fmt --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo nextest run --locked --workspace -E 'not (package(qemu-tests) & kind(test))'

.PHONY: deny
deny: tools
	cargo deny --log-level error --offline --locked check licenses bans sources

.PHONY: reproducible
reproducible: usb iso ## build the images again in another folder and compare the bytes
	@folder="$(or $(ELSEWHERE),$$(mktemp -d))"; mkdir -p "$$folder"; exec {lock}<"$$folder"; flock "$$lock"; \
	other="$$folder/checkout"; rm -rf "$$other"; mkdir "$$other"; \
	trap 'rm -rf "$$other"; rmdir --ignore-fail-on-non-empty "$$folder"' EXIT; \
	git ls-files -z | xargs -0 cp --parents -t "$$other"; \
	$(MAKE) --no-print-directory -C "$$other" usb iso BUILDER="$(CURDIR)/$(BUILDER)" BUILD_DIR="$(or $(ELSEWHERE),$$other/target)" >/dev/null; \
	for file in initramfs.img vmlinuz preflight.img preflight.iso; do cmp $(OUT)/$$file "$$other/out/$$file"; done; \
	echo "Two builds in two folders give the same bytes."

.PHONY: golden
golden: $(GOLDEN) ## installed systems for tests, into the cache (as root)
	@$(GOLDEN) build

# In CI a test that cannot run is a failure, not a skip. Installed systems are there before the tests start,
# so that no test's time is that of a build; who is not root is told which tests were left out. A failure
# does not keep the other lab tests from their turn there: nobody can start the rest by hand.
.PHONY: test
test: check deny usb reproducible $(if $(CI)$(filter 0,$(shell id -u)),golden) ## everything that CI runs
	@$(if $(CI),touch "$(BUILD_DIR)" "$(ELSEWHERE)"; find "$(CACHE)/build" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +)
	PREFLIGHT_LAB=$(if $(CI),complete) cargo nextest run --locked $(if $(CI),--no-fail-fast) -p qemu-tests -E 'kind(test)'

.PHONY: bench
bench: image $(PREFLIGHT) $(BUILDER) $(LAB) ## ROMs, judging, our image, each beside its peers; looks at systems (as root)
	@$(TARGET)/tools/bench look
	@$(TARGET)/tools/bench rom --preflight $(PREFLIGHT)
	@$(TARGET)/tools/bench speed --preflight $(PREFLIGHT)
	@$(TARGET)/tools/bench image --kernel-package "$$($(BUILDER) fetch kernel)" --builder $(BUILDER) \
	  --init $(PREFLIGHT) --busybox "$$($(BUILDER) fetch --unpack busybox)"

.PHONY: clean
clean: ## remove what was built here; the cache stays
	rm -rf target $(OUT)
