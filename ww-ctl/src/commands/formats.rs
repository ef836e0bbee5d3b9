//! Which forms of output a command has.

use clap::ValueEnum;

use crate::cli::{Backups, Command, Data, Demo, Format, Image};
use crate::exit::{Exit, Failure};

use Format::{Json, Jsonl, Name, Table, Wide};

const ALL: &[Format] = &[Table, Wide, Json, Jsonl, Name];
/// Nothing in it is a name.
const NAMELESS: &[Format] = &[Table, Wide, Json, Jsonl];
/// What it prints may never end.
const LINES: &[Format] = &[Table, Wide, Jsonl];
/// It has one form, which nothing can be added to.
const ONE: &[Format] = &[Table];

/// Refuses a form that a command does not have: one that is passed over would be taken for it by
/// whatever reads the output.
///
/// # Errors
/// [`Exit::Usage`].
pub(crate) fn check(command: &Command, format: Format) -> Result<(), Failure> {
    let (name, forms) = forms(command);
    if forms.contains(&format) {
        return Ok(());
    }
    let message = format!("`ww-ctl {name}` does not print `{}`", word(format));
    let words: Vec<String> = forms.iter().copied().map(word).collect();
    let hint = match words.as_slice() {
        [_] => "leave out -o".to_owned(),
        several => format!("it prints {}", several.join(", ")),
    };
    Err(Failure::new(Exit::Usage, message).hint(hint))
}

fn word(format: Format) -> String {
    format
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The command's name, and the forms it has.
const fn forms(command: &Command) -> (&'static str, &'static [Format]) {
    match command {
        Command::Ls(_) => ("ls", ALL),
        Command::Top(_) => ("top", ONE),
        Command::Show(_) => ("show", ALL),
        Command::Wait(_) => ("wait", ALL),
        Command::Run(run) if run.print => ("run --print", NAMELESS),
        Command::Run(_) => ("run", ALL),
        Command::Start(_) => ("start", ALL),
        Command::Stop(_) => ("stop", ALL),
        Command::Restart(_) => ("restart", ALL),
        Command::Upgrade(_) => ("upgrade", ALL),
        Command::Logs(_) => ("logs", LINES),
        Command::Exec(_) => ("exec", ONE),
        Command::Events(_) => ("events", ALL),
        Command::Cfg(cfg) if !cfg.diff.is_empty() => ("cfg --diff", ALL),
        Command::Cfg(cfg) if cfg.origin => ("cfg --origin", ALL),
        Command::Cfg(_) => ("cfg", NAMELESS),
        Command::Data(Data::Create(_)) => ("data create", ALL),
        Command::Data(Data::Ls(_)) => ("data ls", ALL),
        Command::Data(Data::Show(_)) => ("data show", ALL),
        Command::Backup(backup) if backup.install_timer => ("backup --install-timer", ONE),
        Command::Backup(_) => ("backup", ALL),
        Command::Data(Data::Adopt(_)) => ("data adopt", ALL),
        Command::Data(Data::Clone(_)) => ("data clone", ALL),
        Command::Data(Data::Rm(_)) => ("data rm", ALL),
        Command::Data(Data::Doctor(_)) => ("data doctor", ALL),
        Command::Backups(Backups::Ls(_)) => ("backups ls", ALL),
        Command::Backups(Backups::Show(_)) => ("backups show", ALL),
        Command::Backups(Backups::Verify(_)) => ("backups verify", ALL),
        Command::Backups(Backups::Drill(_)) => ("backups drill", ALL),
        Command::Backups(Backups::Prune(_)) => ("backups prune", ALL),
        Command::Restore(_) => ("restore", ALL),
        Command::Audit(_) => ("audit", ALL),
        Command::Init(_) => ("init", ALL),
        Command::Check(_) => ("check", NAMELESS),
        Command::Image(Image::Build(_)) => ("image build", ALL),
        Command::Demo(Demo::Up) => ("demo up", ALL),
        Command::Demo(Demo::Down) => ("demo down", NAMELESS),
        Command::Completions(_) => ("completions", ONE),
        Command::Man(_) => ("man", ALL),
    }
}
