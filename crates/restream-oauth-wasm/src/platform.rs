//! The time and randomness for the core, and access to JavaScript objects. The access is by the names of members,
//! because each imported member would cost a page 70 bytes.

use std::fmt;
use std::time::{Duration, SystemTime};

use js_sys::{Array, Date, Function, Object, Reflect, Uint8Array};
use restream_oauth_core::Entropy;
use wasm_bindgen::{JsCast, JsValue};

/// Returns the time, from JavaScript's `Date`: `SystemTime::now()` panics on this target.
pub fn now() -> SystemTime {
    let since_epoch = whole_number(Date::now().floor()).map(Duration::from_millis).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns a number as an integer, if it is whole and below 2^53. JavaScript's numbers are floating point: from 2^53 on
/// they have gaps, so a number may differ from the one that the program wrote.
pub(crate) fn whole_number(number: f64) -> Option<u64> {
    const MOST: u64 = (1 << f64::MANTISSA_DIGITS) - 1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the comparison below finds a changed value"
    )]
    let whole = number as u64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "exact for all numbers that are returned")]
    let is_exact = whole as f64 == number;
    (is_exact && whole <= MOST).then_some(whole)
}

/// Returns fresh entropy for a [`Login`](restream_oauth_core::Login), from the platform's `crypto.getRandomValues`.
/// There is no other source.
///
/// # Errors
/// [`EntropyError`] if the function is missing or fails. Do not begin a login then.
pub fn entropy() -> Result<Entropy, EntropyError> {
    let random = Uint8Array::new_with_length(64);
    fill(&random).map_err(|_| EntropyError)?;
    let mut bytes = [0; 64];
    random.copy_to(&mut bytes);
    random.fill(0, 0, 64);
    Ok(Entropy::from(bytes))
}

fn fill(random: &Uint8Array) -> Result<(), JsValue> {
    // Node before version 20 has no global `crypto`.
    call(&get(&global(), "crypto")?, "getRandomValues", random)?;
    Ok(())
}

/// The platform gives no cryptographic randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crypto.getRandomValues is missing or fails: no login can be begun safely")
    }
}

impl std::error::Error for EntropyError {}

/// The global object of the window, the worker, or whatever else the module runs in.
pub(crate) fn global() -> Object {
    js_sys::global()
}

/// Whether `fetch` is undici's, as in Node. Deno, Bun and workerd have a `process` too, but its versions have no
/// `undici`, or an empty one. A page of Electron may have Node's `process`, but its `fetch` is Chromium's.
pub(crate) fn is_fetch_undici() -> bool {
    let process = get(&global(), "process").unwrap_or_default();
    let version = get(&process, "versions").and_then(|versions| get(&versions, "undici"));
    let is_page = get(&process, "type").is_ok_and(|kind| kind == "renderer" || kind == "worker");
    version.is_ok_and(|version| version.is_truthy()) && !is_page
}

/// Returns a function or a class of the global object.
pub(crate) fn global_function(name: &str) -> Result<Function, JsValue> {
    get(&global(), name)?.dyn_into()
}

/// Returns a member. Fails, and does not trap, if the value is not an object.
pub(crate) fn get(object: &JsValue, member: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &member.into())
}

/// Sets a member of an object that this crate made.
pub(crate) fn set(object: &JsValue, member: &str, value: impl Into<JsValue>) {
    // This fails only if the object is frozen.
    let _ = Reflect::set(object, &member.into(), &value.into());
}

/// Calls a method with one argument. A method without parameters ignores it: pass `undefined`.
pub(crate) fn call(object: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    get(object, method)?.dyn_into::<Function>()?.call1(object, argument)
}

/// Constructs an object of a class of the global object.
pub(crate) fn construct(class: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    Reflect::construct(&global_function(class)?, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_and_all_others_are_refused() {
        for (number, whole) in [(0.0, 0), (-0.0, 0), (1.0, 1), (1_779_753_600_000.0, 1_779_753_600_000)] {
            assert_eq!(whole_number(number), Some(whole));
        }
        assert_eq!(whole_number(2_f64.powi(53) - 1.0), Some((1 << 53) - 1));
        let others = [-1.0, -0.5, 0.5, f64::NAN, f64::INFINITY, -f64::INFINITY, 2_f64.powi(53), 2_f64.powi(64), 1e300];
        for number in others {
            assert_eq!(whole_number(number), None, "{number}");
        }
    }
}
