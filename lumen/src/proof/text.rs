//! Bytes as text: hexadecimal digits and base64, both read strictly, so that nothing has two spellings; and JSON in which
//! no key is there twice, since readers differ in which one they take.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::tree::Hash;

/// `bytes` in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The 32 bytes of 64 hexadecimal digits, small letters alone.
#[must_use]
pub fn hash_of_hex(text: &str) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, two) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(two[0])? << 4 | digit(two[1])?;
    }
    Some(hash)
}

/// `bytes` in base64, with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of standard base64 with padding.
#[must_use]
pub fn of_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// What JSON says, if it says each thing once.
///
/// # Errors
/// What is wrong, with line and column.
pub fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Once(value) = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// JSON without a key that is there twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading).map(Once)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Once(value)) = from.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Once(value))) = from.next_entry::<String, Once>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_two_spellings() {
        assert_eq!(hex(&[0, 0xab]), "00ab");
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(hex(&hash_of_hex(&digits).unwrap()), digits);
        for bad in [&digits[1..], &digits.to_uppercase(), &digits.replacen('0', "g", 1), &"é".repeat(32)] {
            assert_eq!(hash_of_hex(bad), None, "{bad}");
        }
        assert_eq!(of_base64(&base64(b"ab")).as_deref(), Some(&b"ab"[..]));
        // Without padding, of the alphabet for addresses, with bits to spare, with a line end.
        for bad in ["YWI", "_-8=", "YWJ=", "YWI=\n", " YWI="] {
            assert_eq!(of_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_however_deep() {
        let value: Value = strict(br#"{"a":[{"b":1,"c":null}],"d":-2.5,"e":"x"}"#).unwrap();
        assert_eq!(value["a"][0]["b"], 1);
        for bad in
            [&br#"{"a":1,"a":1}"#[..], br#"{"x":[{"a":1,"b":2,"a":3}]}"#, br#"{"a":1} x"#, b"{", b"NaN"]
        {
            assert!(strict::<Value>(bad).is_err());
        }
    }
}
