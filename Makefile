# Thin on purpose: each target is what one would type. Needs Rust and a Docker Engine, nothing else.
PREFIX ?= /usr/local
DESTDIR ?=
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR := $(TARGET)
AGENT_LINK := -C target-feature=+crt-static -C relocation-model=static -C link-arg=-Wl,-T,$(CURDIR)/ww-agent/layout.ld
AGENT := $(TARGET)/agent/ww-agent
CTL := $(TARGET)/release/ww-ctl

.PHONY: all demo test bench soak soak-agent soak-fuzz soak-matrix soak-wrap fuzz install lint doc clean agent ctl engine
.DEFAULT_GOAL := all

all: agent ctl

# The agent is one static binary at a fixed address: it goes into images of any kind. Its layout keeps
# what PID 1 does not use out of its memory.
agent:
	cargo rustc --locked -p ww-agent --bin ww-agent --profile agent -- $(AGENT_LINK)

ctl:
	cargo build --locked --release -p ww-ctl

engine:
	@scripts/engine.sh

demo: engine agent ctl
	@WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" && export WW_AGENT_BINARY WW_BUSYBOX && exec scripts/demo.sh "$(CTL)"

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# What tells soonest comes first; the counts come last, so that they are seen.
test: engine lint doc agent
	WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  scripts/test.sh

bench: engine agent ctl
	WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  WW_PEERS="$$(scripts/peers.sh)" \
	  cargo bench --locked --workspace --bench '*'

soak: soak-agent soak-matrix soak-wrap soak-fuzz

# Ten minutes for each target, all at once. Needs a C++ compiler beside Rust.
fuzz soak-fuzz:
	scripts/fuzz.sh 600

# Every signal and every exit code of every script in every state; hostile clients for a minute.
soak-matrix: agent
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" cargo test --locked -p ww-agent --test faults -- --nocapture

# What an agent takes over a long life: 10,000 checks, 1,000 restarts, idle for 60 s.
soak-agent: agent
	WW_AGENT_BINARY="$(AGENT)" WW_SOAK=1 cargo test --locked -p ww-agent --test shell -- --nocapture growth:: idle::

# The same commands under the agent, tini and dumb-init.
soak-wrap:
	WW_SOAK=1 WW_PEERS="$$(scripts/peers.sh)" cargo test --locked -p ww-agent --test shell -- wrap::peers

install: agent ctl
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/whaleware"
	install -m 755 "$(CTL)" "$(DESTDIR)$(PREFIX)/bin/ww-ctl"
	install -m 755 "$(AGENT)" "$(DESTDIR)$(PREFIX)/lib/whaleware/ww-agent"

clean:
	cargo clean
