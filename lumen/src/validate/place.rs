//! Where in a JSON text a value is.

/// Line and column, from 1, of the value that `pointer` (RFC 6901) leads to in `text`, which is JSON; of the innermost
/// that is there. A column counts bytes, as those of serde's errors do.
pub(super) fn place(text: &str, pointer: &str) -> (u64, u64) {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    for token in pointer.split('/').skip(1) {
        let Some(next) = child(bytes, at, &token.replace("~1", "/").replace("~0", "~")) else { break };
        at = next;
    }
    let before = &bytes[..at.min(bytes.len())];
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let line = before.split(|&byte| byte == b'\n').count();
    (line as u64, (at - start) as u64 + 1)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Where the value of `token` begins in the object or array at `at`.
fn child(bytes: &[u8], at: usize, token: &str) -> Option<usize> {
    let object = match bytes.get(at)? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let mut next = skip_space(bytes, at + 1);
    for number in 0_usize.. {
        if matches!(bytes.get(next)?, b'}' | b']') {
            return None;
        }
        let mut found = number.to_string() == token;
        if object {
            let end = skip(bytes, next);
            let name: String = serde_json::from_slice(bytes.get(next..end)?).ok()?;
            found = name == token;
            // The colon.
            next = skip_space(bytes, skip_space(bytes, end) + 1);
        }
        if found {
            return Some(next);
        }
        next = skip_space(bytes, skip(bytes, next));
        if bytes.get(next)? == &b',' {
            next = skip_space(bytes, next + 1);
        }
    }
    None
}

/// Where the value that begins at `at` ends.
fn skip(bytes: &[u8], mut at: usize) -> usize {
    let (mut depth, mut quoted) = (0_u32, false);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => {
                quoted = !quoted;
                if !quoted && depth == 0 {
                    return at;
                }
            }
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return if depth == 1 { at } else { at - 1 },
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at - 1,
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_is() {
        let text = "{\n \"a\": {\"x\\\"}\": [1, {\"b/~\": [true , \"]\", 5]}]},\n\n  \"c\" : -2.5}";
        let at = |pointer: &str| place(text, pointer);
        assert_eq!(at(""), (1, 1));
        assert_eq!(at("/a"), (2, 7));
        assert_eq!(at("/a/x\"}/0"), (2, 17));
        assert_eq!(at("/a/x\"}/1/b~1~0/0"), (2, 29));
        assert_eq!(at("/a/x\"}/1/b~1~0/2"), (2, 41));
        assert_eq!(at("/c"), (4, 9));
        // What is not there is where it would be.
        assert_eq!(at("/a/none"), (2, 7));
        assert_eq!(place("[]", "/3"), (1, 1));
    }
}
