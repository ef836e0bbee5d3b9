//! The words of `docker run`, and a line of them for a shell.

/// Options of `docker run`, in the form `--option=value` or `-o value`.
#[derive(Default)]
pub(super) struct Words(pub Vec<String>);

impl Words {
    pub(super) fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.0.push(name.to_owned());
        }
    }

    pub(super) fn option(&mut self, name: &str, value: &impl ToString) {
        self.0.push(name.to_owned());
        self.0.push(value.to_string());
    }

    pub(super) fn each<T: ToString>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.option(name, &value);
        }
    }
}

/// A line for a shell: each word quoted where it must be.
pub(super) fn line(commands: &[Vec<String>]) -> String {
    let command = |words: &Vec<String>| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    };
    let commands: Vec<String> = commands.iter().map(command).collect();
    commands.join(" && ")
}

/// A word as a shell takes it.
pub(in crate::commands) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_something_into_it() {
        for (word, expected) in [
            ("", "''"),
            ("/srv/shop:/data", "/srv/shop:/data"),
            ("a b", "'a b'"),
            ("$HOME", "'$HOME'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quoted(word), expected, "{word}");
        }
    }
}
