# Thin on purpose: each target is what one would type. Needs Rust and a Docker Engine, nothing else.
PREFIX ?= /usr/local
DESTDIR ?=
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR := $(TARGET)
AGENT_LINK := -C target-feature=+crt-static -C relocation-model=static -C link-arg=-Wl,-T,$(CURDIR)/ww-agent/layout.ld
AGENT := $(TARGET)/agent/ww-agent
CTL := $(TARGET)/release/ww-ctl
SHARE = $(DESTDIR)$(PREFIX)/share

.PHONY: all demo test test-examples bench soak soak-agent soak-archive soak-backup soak-dashboard soak-databases soak-fleet soak-fuzz soak-matrix soak-restore soak-sources soak-upgrade soak-vault soak-wrap fuzz install deb lint doc clean agent ctl engine
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
	  WW_SSHD="$$(scripts/sshd.sh)" WW_HAPROXY="$$(scripts/haproxy.sh)" WW_PODMAN="$$(scripts/podman.sh)" \
	  WW_COMPARE="$$(scripts/compare.sh)" WW_DATABASES="$$(scripts/databases.sh)" WW_RESTIC="$$(scripts/restic.sh)" scripts/test.sh

# The examples on a Debian that is made here, from its packages, which stays below target/roots: about 1 GB.
test-examples: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  cargo test --locked --test examples

bench: engine agent ctl
	WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  WW_PEERS="$$(scripts/peers.sh)" WW_OXKER="$$(scripts/oxker.sh)" \
	  cargo bench --locked --workspace --bench '*'

soak: soak-agent soak-matrix soak-wrap soak-upgrade soak-backup soak-dashboard soak-fleet soak-databases soak-restore soak-sources soak-vault soak-archive soak-fuzz

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

# Upgrades, the tool killed before, amid and after each request that changes something.
soak-upgrade: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  cargo test --locked --test e2e -- --nocapture upgrade::killed

# Backups, the tool, the container, its processes and the Engine killed at any moment: 385 kills.
soak-backup: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  cargo test --locked --test e2e -- --nocapture killed::

# The dashboard for an hour, while every second a container is started, one stopped and one restarted.
soak-dashboard: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  cargo test --locked --test e2e -- --nocapture churn::

# 10,000 containers on 100 hosts, all played: how long frames and keys take, and the memory.
soak-fleet: ctl
	cargo bench --locked --bench fleet -- many

# Restores, the tool killed 200 times all over, and of backups with a byte changed at 501 places.
soak-restore: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  WW_COMPARE="$$(scripts/compare.sh)" cargo test --locked --test e2e -- --nocapture restore::killed restore::what_is_damaged

# PostgreSQL and MariaDB, written to all the time: 50 backups of each, each started anew and checked by the database.
soak-databases: engine agent
	cargo build --locked -p ww-ctl --bin ww-ctl
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_BASH="$$(scripts/static.sh bash)" \
	  WW_DATABASES="$$(scripts/databases.sh)" cargo test --locked --test e2e -- --nocapture databases::

# A tree of full size (100,000 names in one directory, 6 GB of holes) by each of the three ways to read data, compared by rsync.
soak-sources: engine agent
	WW_SOAK=1 WW_AGENT_BINARY="$(AGENT)" WW_BUSYBOX="$$(scripts/static.sh busybox)" WW_COMPARE="$$(scripts/compare.sh)" \
	  cargo test --locked -p ww-ctl --bin ww-ctl -- --nocapture source::tests::what_each_way

# A byte that changed, at 500 places of a backup: each is found.
soak-vault:
	WW_SOAK=1 cargo test --locked -p ww-ctl --bin ww-ctl -- --nocapture vault::verify

# Trees of full size, and a million files in little memory.
soak-archive:
	WW_SOAK=1 WW_COMPARE="$$(scripts/compare.sh)" cargo test --locked --release -p ww-archive --test archive

install: agent ctl
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/whaleware"
	install -m 755 "$(CTL)" "$(DESTDIR)$(PREFIX)/bin/ww-ctl"
	install -m 755 "$(AGENT)" "$(DESTDIR)$(PREFIX)/lib/whaleware/ww-agent"
	install -d "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" \
	  "$(SHARE)/fish/vendor_completions.d"
	"$(CTL)" -q man "$(SHARE)/man/man1" > /dev/null
	"$(CTL)" completions bash > "$(SHARE)/bash-completion/completions/ww-ctl"
	"$(CTL)" completions zsh > "$(SHARE)/zsh/site-functions/_ww-ctl"
	"$(CTL)" completions fish > "$(SHARE)/fish/vendor_completions.d/ww-ctl.fish"

# A Debian package with the same in it; its path is printed.
deb:
	@cargo deb --version > /dev/null 2>&1 || { echo "make deb: needs cargo-deb: cargo install --locked cargo-deb" >&2; exit 1; }
	rm -rf "$(CURDIR)/target/deb"
	$(MAKE) install DESTDIR="$(CURDIR)/target/deb" PREFIX=/usr
	cargo deb --locked --no-build --no-strip -p ww-ctl

clean:
	cargo clean
