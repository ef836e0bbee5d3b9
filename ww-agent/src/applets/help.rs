//! What `--help` says.

use std::ffi::OsString;
use whaleware::spelling::nearest;

use super::{USAGE, legible, terminal};

/// Every word that can follow `ww-agent`.
pub(super) const APPLETS: [&str; 10] = [
    "run", "cfg", "status", "attach", "backup", "health", "notify", "check", "version", "help",
];

pub(super) fn main(arguments: &[OsString]) -> u8 {
    let Some(applet) = arguments.first() else {
        return terminal::print(PROGRAM);
    };
    let applet = applet.to_string_lossy();
    terminal::print(match applet.as_ref() {
        "run" => RUN,
        "cfg" => CFG,
        "status" => STATUS,
        "attach" => ATTACH,
        "backup" => BACKUP,
        "health" => HEALTH,
        "notify" => NOTIFY,
        "check" => CHECK,
        "version" => VERSION,
        "help" => PROGRAM,
        other => {
            let other = legible::line(other);
            let hint = nearest(&other, &APPLETS)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            terminal::complain(&format!(
                "ww-agent help: there is no applet `{other}`{hint}\n"
            ));
            return USAGE;
        }
    })
}

pub(super) const PROGRAM: &str = "\
ww-agent gives a container a life cycle: it is process 1, runs the scripts of /ww/usr
one after the other, watches the application's health and stops everything in order.

Usage: ww-agent APPLET [ARGUMENT...]

In an image:
  run       live the life cycle; this is what `CMD [\"/ww/run\"]` starts
  check     look over an image's tree for mistakes before it is built

In a running container:
  status    how this container stands: state, health, what has happened so far
  cfg       print a value of the configuration, for scripts: /ww/cfg memory
  health    exit 0 when the container is UP and well; for HEALTHCHECK
  notify    for scripts: say how far they are, seen live by everybody who watches
  attach    talk to the agent line by line over stdin and stdout
  backup    the data, or another directory, as an archive on stdout

  version   print the version
  help      this text, or `help APPLET` for more about one

A first look:  docker exec CONTAINER /ww/bin/ww-agent status
";

pub(super) const RUN: &str = "\
Lives the container's life cycle as its process 1.

Usage: ww-agent run                        (or: /ww/run)
       ww-agent run -- COMMAND [ARGUMENT...]

Merges the configuration, then runs the scripts of /ww/usr, each optional:
  boot       every start: prepare everything but /data
  firstboot  once for each /data; /data/whaleup is written when it has succeeded
  upgrade    every start: bring /data to this version
  svcup      start the services
  svc.d/*    services that stay in the foreground: each is watched, and started again alone
  warmup     make them ready; after this the container is UP
  monitor    again and again: print health as JSON; an exit other than 0 asks for a restart
  svcdown    stop the services

Environment:
  CFG            configuration as JSON, over the image's /ww/etc/defaults.json
  CFG_FILE       path of a file with configuration, between the two
  WW_SOCKET      path of the agent's socket, if not /run/ww/agent.sock
  WW_LOG_FORMAT  text (default) or json
  WW_VERSION     the image's version, where ww.version does not tell it

Signals: HUP restarts the services; TERM, INT and QUIT stop in order.
Exit:    0 stopped in order, 1 a script failed while booting, 78 the configuration cannot be used.

With a COMMAND the container is there for that alone: it runs as the only service, with the
agent's stdin, stdout and stderr; every signal is passed on to it and its children, orphans are
taken care of, and its exit code is the container's (128+n when signal n ended it, 126 and 127
when it cannot be started). The scripts that there are run all the same.
";

pub(super) const CFG: &str = "\
Prints a value of the container's current configuration.

Usage: cfg [-c] [-j] [FILTER]        (in a container: /ww/cfg)

FILTER is a jq filter; its first dot may be left out:
  cfg memory                 the value of `memory`
  cfg 'db.host // \"local\"'   with a default where there is none
  cfg 'db[\"odd key\"]'        a key that is no plain word
  cfg '.users[].name'        several values, one a line
  cfg '. | keys'             a jq function: write the dot, or `keys` is taken for a key
  cfg                        everything

In a script:  java -Xmx$(/ww/cfg memory)M ...

Options:
  -c, --compact-output  arrays and objects on one line
  -j, --json            strings as JSON, with their quotes
  -r, --raw-output      strings as they are (the default, as with `jq -r`)
  -h, --help            this text
  --                    what follows is the filter, even if it begins with `-`

A value that does not exist is printed as null. There are no further inputs and no files to import.
Exit: 0 done, 1 no configuration, 2 the filter cannot be read, 5 it failed while it ran,
      134, 137 or 139 it needed more memory, time or depth than a filter may have.
";

pub(super) const STATUS: &str = "\
Shows how this container stands: its state and since when, health, restarts, and the scripts of
this boot with the time each took.

Usage: ww-agent status [--json]

Options:
  --json      one JSON object, for programs; see docs/protocol.md, `snapshot`
  -h, --help  this text

Exit: 0 shown, 1 no agent answers within 2 seconds.
";

pub(super) const ATTACH: &str = "\
Connects stdin and stdout with the agent's socket.

Usage: ww-agent attach        (from outside: docker exec -i CONTAINER /ww/bin/ww-agent attach)

The agent writes one JSON object a line: first `hello` and `snapshot`, then every change as it
happens. Requests are written the same way, such as {\"id\":1,\"type\":\"check\"}.
Ends when either side does; when stdin ends, answers are waited for 30 seconds at most.

Options:
  -h, --help  this text

Exit: 0 the connection was closed, 1 no agent answers.
";

pub(super) const BACKUP: &str = "\
Writes a directory as an archive to stdout.

Usage: ww-agent backup [--exclude PATTERN]... [--low] [DIR]
       ww-agent backup --measure [--exclude PATTERN]... [DIR]

From outside:  docker exec CONTAINER /ww/bin/ww-agent backup > data.tar

DIR is /data where it is not given. The archive is a plain tar that any tar reads; with --xattrs
and --acls GNU tar brings back all of it: owners by number, modes, times to the nanosecond, hard
links, extended attributes, access control lists, holes, odd names. What is mounted below DIR is
left out. Services go on: what changes while it is read is told, and the archive is good.

Options:
  --exclude PATTERN  leave out what matches below DIR: cache, **/*.log, tmp/**
  --low              let everything else go first: low priority for processor and disk
  --measure          only print how much it is: {\"type\":\"measured\",\"entries\":N,\"bytes\":N}
  -h, --help         this text

On stderr there is a JSON object a line, each with a `type`: `progress` (`entries`, `bytes`),
`problem` (`kind`, `path`, `text`) and at the end `packed` (`entries`, `bytes`, `written`, and of
all problems how many of each kind) or `failed` (`message`). Only an archive with `packed` is one.
Where stdin is a pipe, all ends when it does.

Exit: 0 written, 1 not, or not to its end.
";

pub(super) const HEALTH: &str = "\
Says whether the container is well, in one line and by its exit code.

Usage: ww-agent health        (in an image: HEALTHCHECK CMD [\"/ww/bin/ww-agent\", \"health\"])

Runs no script: it asks the agent for what the last round of the monitor found.

Options:
  -h, --help  this text

Exit: 0 the state is UP and health is not failing, 1 anything else, after 2 seconds at most.
";

pub(super) const NOTIFY: &str = "\
Says how far a script is, or that a service is ready, to the agent that runs it.

Usage: ww-agent notify [--status TEXT] [--progress 0..100] [--ready] [--stopping]
                       [--watchdog] [--extend DURATION]

In a script:  ww-agent notify --status \"importing customers\" --progress 40

Options:
  --status TEXT         what it is doing, in a few words; an empty text takes the last one back
  --progress PERCENT    how far it is, a whole number
  --ready               the service has started
  --stopping            the service has begun to end
  --watchdog            the service is alive
  --extend DURATION     it needs so much longer, such as 30s or 2m
  -h, --help            this text

Environment:
  WW_NOTIFY_SOCKET  where to; the agent sets it for its scripts
  NOTIFY_SOCKET     where to, when the other is not set; for services

Exit: 0 told, 1 there is nobody to tell.
";

pub(super) const CHECK: &str = "\
Looks an image's tree over for mistakes, without running anything.

Usage: ww-agent check [--root ROOTFS] [--json] [DIR]

DIR is what becomes /ww in the image (with usr/, etc/, files/), or a directory that has it as ww/.
Without DIR it is /ww itself. Looked at: names in usr/, run bits, first lines, line ends,
interpreters, etc/defaults.json and the settings under `ww` in it.

Options:
  --root ROOTFS  look for interpreters below this directory: the image's root, unpacked
  --json         the findings as one JSON document: errors, warnings, notes (how many), findings
                 (level, path, what, remedy)
  -h, --help     this text

Prints one line a finding: LEVEL: PATH: WHAT IS WRONG: WHAT TO DO.
Exit: 0 no errors (there may be warnings), 1 errors, 2 DIR cannot be used.
";

pub(super) const VERSION: &str = "\
Prints the agent's version and that of the protocol it speaks.

Usage: ww-agent version
";
