//! How far what was found is from what was recorded.

use serde_json::{Map, Value, json};

/// The largest deviation of each field, in the order in which fields were first compared.
#[derive(Debug, Default)]
pub struct Deviations {
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    /// Largest absolute difference; for exact fields the number of values that differ.
    largest: f64,
    tolerance: f64,
}

impl Deviations {
    /// Compares a number; NaN on one side only deviates by infinity.
    pub fn number(&mut self, name: &'static str, tolerance: f64, found: f64, expected: f64) {
        let difference = (found - expected).abs();
        let same = found.to_bits() == expected.to_bits();
        let difference = if same {
            0.0
        } else if difference.is_nan() {
            f64::INFINITY
        } else {
            difference
        };
        let field = self.field(name, tolerance);
        field.largest = field.largest.max(difference);
    }

    /// Compares numbers one by one; another count deviates by infinity.
    pub fn numbers(&mut self, name: &'static str, tolerance: f64, found: &[f32], expected: &[f32]) {
        if found.len() != expected.len() {
            self.field(name, tolerance).largest = f64::INFINITY;
        }
        for (&found, &expected) in found.iter().zip(expected) {
            self.number(name, tolerance, found.into(), expected.into());
        }
    }

    /// Counts values that are not equal.
    pub fn exact<T: PartialEq>(&mut self, name: &'static str, found: &T, expected: &T) {
        let field = self.field(name, 0.0);
        field.largest += f64::from(u8::from(found != expected));
    }

    fn field(&mut self, name: &'static str, tolerance: f64) -> &mut Field {
        let position = self.fields.iter().position(|field| field.name == name);
        let position = position.unwrap_or_else(|| {
            self.fields.push(Field { name, largest: 0.0, tolerance });
            self.fields.len() - 1
        });
        &mut self.fields[position]
    }

    /// Whether every field is within its tolerance.
    pub fn within_tolerance(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(|field| field.largest <= field.tolerance)
    }

    /// The field that is off by the most tolerances, by name.
    pub fn worst(&self) -> Option<&'static str> {
        let excess = |field: &Field| field.largest / field.tolerance.max(f64::MIN_POSITIVE);
        let worst = self.fields.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
        worst.map(|field| field.name)
    }

    /// The fields as {name: largest deviation}; infinity is null.
    fn json(&self, of: fn(&Field) -> f64) -> Value {
        let fields = self.fields.iter().map(|field| (field.name.to_owned(), json!(of(field))));
        Value::Object(fields.collect::<Map<String, Value>>())
    }
}

/// How a trace, or a section of one, compares.
pub struct Compared {
    /// Steps, generations, rows or cases compared.
    pub steps: usize,
    /// How far off they are.
    pub deviations: Deviations,
}

impl Compared {
    /// What `replay` prints of it.
    pub fn json(&self) -> Map<String, Value> {
        let fields = [
            ("steps", json!(self.steps)),
            ("within_tolerance", json!(self.deviations.within_tolerance())),
            ("deviation", self.deviations.json(|field| field.largest)),
            ("tolerance", self.deviations.json(|field| field.tolerance)),
        ];
        fields.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_keep_the_largest_and_refuse_nan() {
        let mut deviations = Deviations::default();
        assert!(!deviations.within_tolerance(), "nothing compared is nothing shown");
        deviations.number("a", 0.5, 1.0, 1.25);
        deviations.number("a", 0.5, 1.0, 1.0);
        deviations.number("a", 0.5, f64::NAN, f64::NAN);
        assert_eq!(deviations.fields[0].largest, 0.25);
        assert!(deviations.within_tolerance());
        deviations.number("a", 0.5, f64::NAN, 1.0);
        assert!(!deviations.within_tolerance());
        let mut deviations = Deviations::default();
        deviations.exact("b", &1, &1);
        assert!(deviations.within_tolerance());
        deviations.exact("b", &1, &2);
        assert!(!deviations.within_tolerance());
        let mut deviations = Deviations::default();
        deviations.numbers("c", 1.0, &[1.0], &[1.0, 1.0]);
        assert!(!deviations.within_tolerance());
    }
}
