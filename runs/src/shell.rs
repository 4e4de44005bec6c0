//! Commands as they are typed into a shell.

use std::path::Path;

/// `resonetics` with `arguments` as they are typed into a shell.
pub fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let words = arguments.map(|argument| quoted(&argument));
    ["resonetics".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// `word` as a shell takes it for one.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `path` as a command takes it for one, also where it begins like an option.
pub fn quoted_path(path: &Path) -> String {
    let text = path.display().to_string();
    quoted(&if text.starts_with('-') { format!("./{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["train", "--set", "a=1", "my runs/x", "it's"].map(str::to_owned);
        assert_eq!(command_line(words.into_iter()), r"resonetics train --set a=1 'my runs/x' 'it'\''s'");
    }
}
