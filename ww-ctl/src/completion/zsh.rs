//! Zsh: what the library writes for it only registers itself, also when it is loaded to answer.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{EnvCompleter, Zsh as Library};

/// Whoever put the script into a directory of `fpath` has it loaded by its name at the first question.
const LOADED: &str = r#"
# Loaded by its own name, it is asked already.
if [[ ${funcstack[1]} == _ww-ctl ]]; then
    _clap_dynamic_completer_ww_ctl "$@"
fi
"#;

/// Zsh.
pub(super) struct Zsh;

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        "zsh"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Library.write_registration(var, name, bin, completer, buf)?;
        buf.write_all(LOADED.as_bytes())
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Library.write_complete(cmd, args, current_dir, buf)
    }
}
