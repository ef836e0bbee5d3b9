//! Bash: what the library writes for it takes `state=U` for three words.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::EnvCompleter;

/// The shell's side of it.
const SCRIPT: &str = include_str!("ww-ctl.bash");

/// Bash.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        _var: &str,
        _name: &str,
        _bin: &str,
        _completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        buf.write_all(SCRIPT.as_bytes())
    }

    /// The words up to the cursor, of which the last one is to be completed; a candidate a line.
    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let is_begun = args.last().is_some_and(|word| !word.is_empty());
        let index = args.len().saturating_sub(1);
        let candidates = complete(cmd, args, index, current_dir)?;
        let values = candidates.iter().map(CompletionCandidate::get_value);
        let texts: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        // Who has typed nothing wants to see what there is; the options come with a dash.
        let has_more = texts.iter().any(|text| !text.starts_with('-'));
        for text in texts
            .iter()
            .filter(|text| is_begun || !has_more || !text.starts_with('-'))
        {
            writeln!(buf, "{text}")?;
        }
        Ok(())
    }
}
