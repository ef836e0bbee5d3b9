//! Lists of `key=value` with commas between, as `--mount` and `--network` have them.

/// The fields, each a key with its value if it has one. A field that contains a comma stands in
/// double quotes, whose own quotes are doubled.
pub(super) fn fields(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    let mut more = true;
    while more {
        let mut field = String::new();
        more = false;
        if letters.next_if_eq(&'"').is_some() {
            let mut open = true;
            while let Some(c) = letters.next() {
                if c != '"' {
                    field.push(c);
                } else if letters.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else {
                    open = false;
                    break;
                }
            }
            if open {
                return Err("a double quote is not closed".into());
            }
            match letters.next() {
                Some(',') => more = true,
                None => {}
                Some(_) => return Err("after a closing double quote a comma is expected".into()),
            }
        } else {
            for c in letters.by_ref() {
                if c == ',' {
                    more = true;
                    break;
                }
                field.push(c);
            }
        }
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (field.as_str(), None),
        };
        let key = key.trim().to_ascii_lowercase();
        if key.is_empty() {
            return Err("key=value is expected between commas".into());
        }
        found.push((key, value));
    }
    Ok(found)
}

/// The value of a field that must have one.
pub(super) fn needed(key: &str, value: Option<String>) -> Result<String, String> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| format!("`{key}` needs a value: {key}=…"))
}

/// The value of a field that is true by being there.
pub(super) fn flag(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(format!("`{key}` is true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_separated_by_commas_that_are_not_quoted() {
        let plain = |text| {
            fields(text).map(|found| {
                found
                    .into_iter()
                    .map(|(key, value)| format!("{key}>{}", value.unwrap_or_default()))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            plain("Type=bind,src=/a=b,ro").unwrap(),
            ["type>bind", "src>/a=b", "ro>"]
        );
        assert_eq!(
            plain("\"volume-opt=o=addr=1.2.3.4,rw \"\"x\"\"\",dst=/d").unwrap(),
            ["volume-opt>o=addr=1.2.3.4,rw \"x\"", "dst>/d"]
        );
        for text in ["", "a=b,", ",a=b", "\"a=b", "\"a=b\"c"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
