//! `init` and `check`.

use std::path::PathBuf;

use clap::Args;

use crate::image::template::{is_image, is_name};

/// What the help of `init` says below the options.
pub(super) const INIT: &str = "Example: ww-ctl init shop --base debian:12\n\n\
    A tree with a script for each step of the life, commented, a Dockerfile and a compose file. It\n\
    runs as it is: a stand-in counts beats where your program will be. The scripts want a POSIX shell\n\
    and the usual small tools: any Debian, Alpine or RHEL has them; for `scratch` the Dockerfile\n\
    brings a busybox.\n\n\
    Nothing is written over: where one of the files is there already nothing is written at all (6).\n\
    Then: ww-ctl check DIR; ww-ctl image build --base IMAGE --tree DIR -t NAME.";

/// What the help of `check` says below the options.
pub(super) const CHECK: &str = "Example: ww-ctl check shop && ww-ctl check --image shop\n\n\
    Of a tree: names in usr/, run bits, first lines, line ends, interpreters, etc/defaults.json and the\n\
    settings under `ww` in it. Of an image the same, by its own agent, in a container that has no\n\
    network and may write nothing, in which none of its scripts are run; and its command, label,\n\
    volumes and stop signal.\n\n\
    Code 1 where there are errors, with warnings and notes alone 0.";

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The directory to write to, which is made if it is not there
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// The image to begin with, or `scratch`
    #[arg(long, value_name = "IMAGE", default_value = "debian:12-slim", value_parser = parse_base)]
    pub base: String,
    /// The name of the image that is to be; without it that of the directory
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
}

/// `check`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["directory", "image"]))]
pub(crate) struct Check {
    /// What becomes /ww in an image, or the directory that has it as ww/
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Look for interpreters below this directory: the image's root, unpacked
    #[arg(long, value_name = "ROOTFS", conflicts_with = "image")]
    pub root: Option<PathBuf>,
    /// Check an image instead
    #[arg(long, value_name = "IMAGE", value_parser = parse_base)]
    pub image: Option<String>,
}

fn parse_base(text: &str) -> Result<String, String> {
    if is_image(text) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of an image, such as debian:12, or `scratch`".to_owned())
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(
            "expected two small letters and digits or more, with single dashes between them"
                .to_owned(),
        )
    }
}
