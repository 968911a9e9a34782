//! Whether llguidance's 32 bits hold what a schema's `multipleOf` are computed with: beyond them it takes other numbers.

use crate::Result;
use serde_json::Value;

/// A remainder is multiplied by ten.
const LARGEST: u64 = u32::MAX as u64 / 10;
/// Values that meet in one number.
const MOST_MET: usize = 64;

/// coefficient · 10^-exponent, without zeros at its end.
#[derive(Clone, Copy, PartialEq)]
struct Decimal {
    coefficient: u64,
    exponent: u32,
}

impl Decimal {
    fn new(mut coefficient: u64, mut exponent: u32) -> Self {
        while exponent > 0 && coefficient.is_multiple_of(10) {
            (coefficient, exponent) = (coefficient / 10, exponent - 1);
        }
        Self { coefficient, exponent }
    }

    /// As llguidance reads it.
    fn read(value: f64) -> Option<Self> {
        let (mut value, mut exponent) = (value.abs(), 0);
        while value.fract() != 0.0 {
            (value, exponent) = (value * 10.0, exponent + 1);
        }
        (value >= 1.0 && value <= LARGEST as f64).then(|| Self::new(value as u64, exponent))
    }

    /// Of which both are multiples; none where a product on the way to it is too large.
    fn common(self, other: Self) -> Option<Self> {
        let scaled = |one: Self, exponent: u32| {
            one.coefficient.checked_mul(10u64.checked_pow(exponent.saturating_sub(one.exponent))?)
        };
        let (a, b) = (scaled(self, other.exponent)?, scaled(other, self.exponent)?);
        let product = a.checked_mul(b).filter(|product| *product <= u32::MAX.into())?;
        let common = Self::new(product / divisor(a, b), self.exponent.max(other.exponent));
        (common.coefficient <= LARGEST).then_some(common)
    }
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Error: a `multipleOf` that is too large, or too large together with the others that it may meet.
pub fn refuse_large(schema: &Value) -> Result<()> {
    let (mut found, mut meets) = (Vec::new(), false);
    collect(schema, &mut found, &mut meets);
    let too_large = || "multipleOf: numbers of too many digits, or together".to_owned();
    let mut all: Vec<Decimal> = Vec::new();
    for value in &found {
        let value = Decimal::read(*value).ok_or_else(too_large)?;
        if !all.contains(&value) {
            all.push(value);
        }
    }
    if found.len() < 2 && !meets {
        return Ok(());
    }
    // All that any of them make together.
    let mut at = 0;
    while at < all.len() {
        for other in 0..=at {
            let common = all[at].common(all[other]).ok_or_else(too_large)?;
            if !all.contains(&common) {
                all.push(common);
            }
        }
        if all.len() > MOST_MET {
            return Err(too_large());
        }
        at += 1;
    }
    Ok(())
}

/// `meets`: one may meet itself.
fn collect(value: &Value, found: &mut Vec<f64>, meets: &mut bool) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, found, meets)),
        Value::Object(object) => {
            for (key, value) in object {
                *meets |= key == "$ref";
                found.extend((key == "multipleOf").then(|| value.as_f64()).flatten());
                collect(value, found, meets);
            }
        }
        _ => {}
    }
}
