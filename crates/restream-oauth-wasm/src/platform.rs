//! What the core takes from its platform: the time, and randomness. And how this crate speaks to it: by the names of
//! members, because each one that is imported instead costs a page 70 bytes.

use std::fmt;
use std::time::{Duration, SystemTime};

use js_sys::{Array, Date, Function, Object, Reflect, Uint8Array};
use restream_oauth_core::Entropy;
use wasm_bindgen::{JsCast, JsValue};

/// The time, from JavaScript's `Date`: `SystemTime::now()` panics on this target.
pub fn now() -> SystemTime {
    let since_epoch = whole_number(Date::now().floor()).map(Duration::from_millis).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// JavaScript counts in floating point. From 2^53 on that has gaps, and what arrives is not what was written.
pub(crate) fn whole_number(number: f64) -> Option<u64> {
    const MOST: u64 = (1 << f64::MANTISSA_DIGITS) - 1;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is bent is refused below")]
    let whole = number as u64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "exact up to the most that passes")]
    let is_exact = whole as f64 == number;
    (is_exact && whole <= MOST).then_some(whole)
}

/// Fresh entropy for a [`Login`](restream_oauth_core::Login), from the platform's `crypto.getRandomValues`. There is no
/// second source.
///
/// # Errors
/// [`EntropyError`] if the platform has none, or fails. Do not go on with a login then.
pub fn entropy() -> Result<Entropy, EntropyError> {
    let random = Uint8Array::new_with_length(64);
    fill(&random).map_err(|_| EntropyError)?;
    let mut bytes = [0; 64];
    random.copy_to(&mut bytes);
    random.fill(0, 0, 64);
    Ok(Entropy::from(bytes))
}

fn fill(random: &Uint8Array) -> Result<(), JsValue> {
    // Node has no global of that name before version 20.
    call(&get(&global(), "crypto")?, "getRandomValues", random)?;
    Ok(())
}

/// The platform has no cryptographic randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crypto.getRandomValues is missing or fails: no login can be begun safely")
    }
}

impl std::error::Error for EntropyError {}

/// A window's, a worker's, or whatever else the module runs in.
pub(crate) fn global() -> Object {
    js_sys::global()
}

/// Whether `fetch` is undici's, as in Node. Deno, Bun and workerd have a `process` as well, whose versions name no undici
/// or an empty one. In a page of Electron, which may have Node's `process`, `fetch` is Chromium's.
pub(crate) fn is_fetch_undici() -> bool {
    let process = get(&global(), "process").unwrap_or_default();
    let version = get(&process, "versions").and_then(|versions| get(&versions, "undici"));
    let is_page = get(&process, "type").is_ok_and(|kind| kind == "renderer" || kind == "worker");
    version.is_ok_and(|version| version.is_truthy()) && !is_page
}

/// A function of the global object, or a class.
pub(crate) fn global_function(name: &str) -> Result<Function, JsValue> {
    get(&global(), name)?.dyn_into()
}

/// A member. Of what is no object it is an error, not a trap.
pub(crate) fn get(object: &JsValue, member: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &member.into())
}

/// Sets a member of an object that is ours.
pub(crate) fn set(object: &JsValue, member: &str, value: impl Into<JsValue>) {
    // Fails on frozen objects only.
    let _ = Reflect::set(object, &member.into(), &value.into());
}

/// Calls a method. One that takes no argument takes `undefined` for none.
pub(crate) fn call(object: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    get(object, method)?.dyn_into::<Function>()?.call1(object, argument)
}

/// `new`, for a class of the global object.
pub(crate) fn construct(class: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    Reflect::construct(&global_function(class)?, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_what_they_are_and_nothing_is_bent_into_one() {
        for (number, whole) in [(0.0, 0), (-0.0, 0), (1.0, 1), (1_779_753_600_000.0, 1_779_753_600_000)] {
            assert_eq!(whole_number(number), Some(whole));
        }
        assert_eq!(whole_number(2_f64.powi(53) - 1.0), Some((1 << 53) - 1));
        let bent = [-1.0, -0.5, 0.5, f64::NAN, f64::INFINITY, -f64::INFINITY, 2_f64.powi(53), 2_f64.powi(64), 1e300];
        for number in bent {
            assert_eq!(whole_number(number), None, "{number}");
        }
    }
}
