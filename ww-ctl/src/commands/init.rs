//! `init`: writes the template of an image.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::record;
use super::run::line::quoted;
use crate::cli::{Format, Init};
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::image::template::{Template, TemplateError, name_after};
use crate::output::{Output, lines};

/// The most characters of a path that are shown.
const TEXT: usize = 4096;

pub(super) fn run(arguments: &Init, format: Format, output: Output) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let template = Template {
        name: match &arguments.name {
            Some(name) => name.clone(),
            None => name_of(directory)?,
        },
        base: arguments.base.clone(),
    };
    let written = template.write(directory).map_err(|error| failed(&error))?;
    let shown = |path: &PathBuf| clean(&path.display().to_string(), TEXT);
    let text = match format {
        Format::Json => {
            let files = written.iter().map(shown).map(Value::String).collect();
            record::document(Map::from_iter([
                ("name".into(), json!(template.name)),
                ("base".into(), json!(template.base)),
                ("files".into(), Value::Array(files)),
            ]))
        }
        Format::Jsonl => written
            .iter()
            .map(|path| record::line(Map::from_iter([("file".into(), json!(shown(path)))])))
            .collect(),
        Format::Table | Format::Wide | Format::Name => lines(written.iter().map(shown)),
    };
    output.data(&text)?;
    let (name, base) = (&template.name, &template.base);
    let mut tree = quoted(&clean(&directory.display().to_string(), TEXT));
    if tree.starts_with('-') {
        tree.insert_str(0, "./");
    }
    output.say(&format!(
        "next:\n  ww-ctl image build --base {base} --tree {tree} -t {name}\n  \
         ww-ctl run {name} --name {name} --data /srv/{name}/data --backup /srv/{name}/backup --wait"
    ));
    Ok(Exit::Done)
}

/// The name that goes by the directory, wherever it leads.
fn name_of(directory: &Path) -> Result<String, Failure> {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.into());
    // What is there may be meant by `.` or `..`.
    let whole = whole.canonicalize().unwrap_or(whole);
    let name = whole
        .file_name()
        .and_then(|name| name_after(&name.to_string_lossy()));
    name.ok_or_else(|| {
        let shown = clean(&directory.display().to_string(), TEXT);
        let message = format!("cannot name an image after {shown}: what is left of it is no name");
        Failure::new(Exit::Usage, message).hint("name the image with --name")
    })
}

fn failed(error: &TemplateError) -> Failure {
    let exit = if error.is_in_the_way() {
        Exit::Refused
    } else {
        Exit::Failed
    };
    Failure::new(exit, clean(&chain(error), TEXT)).hint(error.hint())
}
