//! What can be wrong with a configuration. No message ever holds a value: values may be secrets.

/// A text that cannot be used as a layer of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not JSON.
    #[error("cannot read {layer} as JSON: line {line}, column {column}: {reason}")]
    Syntax {
        /// Where the text came from.
        layer: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The text is JSON, but not an object.
    #[error(
        "cannot use {layer}: line {line}, column {column}: the configuration must be a JSON object, this is {found}"
    )]
    NotAnObject {
        /// Where the text came from.
        layer: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What it is instead.
        found: &'static str,
    },
    /// The text is not UTF-8.
    #[error("cannot read {layer} as JSON: line {line}, column {column}: not UTF-8")]
    NotUtf8 {
        /// Where the text came from.
        layer: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// The text is nested deeper than a configuration may be.
    #[error("cannot use {layer}: it is nested more than {limit} deep")]
    TooDeep {
        /// Where the text came from.
        layer: String,
        /// The deepest accepted.
        limit: usize,
    },
    /// The text is longer than a configuration may be.
    #[error("cannot use {layer}: {size} bytes, more than the {limit} a configuration may have")]
    TooLarge {
        /// Where the text came from.
        layer: String,
        /// Its size in bytes.
        size: usize,
        /// The most bytes accepted.
        limit: usize,
    },
}

/// A setting under `ww` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no such setting.
    #[error("unknown setting `{key}`{hint}")]
    Unknown {
        /// Its path, such as `ww.monitor.intervall`.
        key: String,
        /// What may have been meant, as the end of the sentence.
        hint: String,
    },
    /// The setting's value is of the wrong type or out of range.
    #[error("setting `{key}` must be {expected}, but is {found}")]
    Type {
        /// Its path.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// The type of what it is, never the value.
        found: &'static str,
    },
}
